"""The closes that symbols are measured by, and the options among them."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from quantmesh.risk.core.errors import UnadjustedSeries
from quantmesh.risk.core.model import History, Terms
from quantmesh.risk.core.options import STALE_AFTER, listed_at
from quantmesh.risk.core.ports import Market


async def history_of(
    market: Market, terms: Mapping[str, Terms], closes: int, as_of: datetime | None, known_at: datetime | None
) -> History:
    """The last `closes` closes that the symbols, or the underlyings of those that are options, have in common.

    The options live from `as_of` on: the last close may be of long before.

    Raises UnadjustedSeries, MissingHistory, and NotMeasurable for an option that cannot be valued.
    """
    contracts = {symbol: each.contract for symbol, each in terms.items() if each.contract is not None}
    underlyings = {contract.underlying for contract in contracts.values()}
    spots = list(dict.fromkeys([*(symbol for symbol in terms if symbol not in contracts), *sorted(underlyings)]))
    history, chains, others, now = await asyncio.gather(
        market.history(spots, closes, as_of, known_at),
        market.chains(underlyings, as_of),
        market.terms(underlyings - terms.keys()),
        market.now(),
    )
    at = now if as_of is None else min(as_of, now)
    known = {**terms, **others}
    raw = [symbol for symbol in spots if known[symbol].is_raw]
    if raw:
        raise UnadjustedSeries(raw)
    return replace(history, listed=listed_at(contracts, chains, at), is_stale=at - history.as_of > STALE_AFTER)
