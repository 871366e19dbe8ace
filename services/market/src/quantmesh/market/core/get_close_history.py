"""The closes by which portfolios are valued: each instrument's on its own days."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from quantmesh.market.core.common_closes import CloseSeries
from quantmesh.market.core.dates import parse_period
from quantmesh.market.core.errors import InvalidRequest
from quantmesh.market.core.find_assets import checked_symbols
from quantmesh.market.core.get_closes import to_micros
from quantmesh.market.core.ports import Market

# A day and a price of 11 bytes each, within a message of 4 MiB.
MAX_DAYS = 300_000


async def get_close_history(
    market: Market,
    symbols: Sequence[str],
    *,
    start: str = "",
    end: str = "",
    as_of: datetime | None = None,
    known_at: datetime | None = None,
) -> Mapping[str, CloseSeries]:
    """As known at `as_of`, by symbol; without symbols that nobody knows, or that have no close on those days.

    `known_at` is system time: corrections that were recorded later are left out.
    """
    first, last = parse_period(start, end)
    wanted = checked_symbols(symbols)
    found = await market.assets.find(wanted)
    assets = [found[symbol] for symbol in wanted if symbol in found]
    at_micros = to_micros(market.true_at(as_of))
    series = await market.closes.closes(assets, known_at) if assets else []
    told = {asset.symbol: one.known(at_micros).between(first, last) for asset, one in zip(assets, series, strict=True)}
    days = sum(len(one.days) for one in told.values())
    if days > MAX_DAYS:
        most = f"{days} days of {len(told)} symbols are too many; ask for {MAX_DAYS} at most, in several calls"
        raise InvalidRequest("symbols", most)
    return {symbol: one for symbol, one in told.items() if len(one.days)}
