"""The closes that risk and forecasts are computed from."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from quantmesh.market.core.common_closes import CommonCloses, common_closes
from quantmesh.market.core.dates import parse_period
from quantmesh.market.core.errors import InvalidRequest, NoCommonDays
from quantmesh.market.core.find_assets import find_assets
from quantmesh.market.core.ports import Market

# 8 bytes each, within a message of 4 MiB.
MAX_VALUES = 400_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


async def get_closes(
    market: Market,
    symbols: Sequence[str],
    *,
    observations: int = 0,
    start: str = "",
    end: str = "",
    as_of: datetime | None = None,
    known_at: datetime | None = None,
) -> tuple[list[str], CommonCloses]:
    """The symbols, each once, and their closes on the days that all of them have, as known at `as_of`.

    `known_at` is system time: corrections that were recorded later are left out.
    """
    first, last = parse_period(start, end)
    assets = await find_assets(market, symbols)
    found = common_closes(
        await market.closes.closes(assets, known_at),
        to_micros(market.true_at(as_of)),
        observations=observations,
        start=first,
        end=last,
    )
    names = [asset.symbol for asset in assets]
    if found is None:
        raise NoCommonDays(names)
    if found.closes.size > MAX_VALUES:
        field, most = "observations", MAX_VALUES // len(names)
        raise InvalidRequest(
            field, f"{len(found.days)} days of {len(names)} symbols are too many; ask for {most} at most"
        )
    return names, found


def to_micros(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    return _EPOCH + timedelta(microseconds=micros)
