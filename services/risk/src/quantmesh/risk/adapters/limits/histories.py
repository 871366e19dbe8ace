"""Closes for limits, kept a minute: they change once a day, and an order does not wait for them."""

import time
from collections import OrderedDict
from collections.abc import Iterable

from quantmesh.chassis.errors import NotFound, RuleBroken
from quantmesh.risk.core.closes import history_of
from quantmesh.risk.core.errors import NotMeasurable
from quantmesh.risk.core.model import DEFAULT_OBSERVATIONS, History
from quantmesh.risk.core.ports import Market

_SECONDS = 60.0
_MOST_KEPT = 512


class Histories:
    """Of sets of symbols."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self._kept: OrderedDict[tuple[str, ...], tuple[float, History | RuleBroken]] = OrderedDict()

    async def of(self, symbols: Iterable[str]) -> History | RuleBroken | None:
        """What /risk/var would take, or why there is none; None of no symbols. Raises Unavailable."""
        wanted = tuple(sorted(set(symbols)))
        if not wanted:
            return None
        kept = self._kept.get(wanted)
        if kept is not None and kept[0] > time.monotonic():
            return kept[1]
        found = await self._asked(wanted)
        self._kept[wanted] = (time.monotonic() + _SECONDS, found)
        self._kept.move_to_end(wanted)
        while len(self._kept) > _MOST_KEPT:
            self._kept.popitem(last=False)
        return found

    async def _asked(self, symbols: tuple[str, ...]) -> History | RuleBroken:
        try:
            terms = await self._market.terms(symbols)
            return await history_of(self._market, terms, DEFAULT_OBSERVATIONS + 1, None, None)
        except NotFound as unknown:
            return NotMeasurable(unknown.detail)
        except RuleBroken as lacking:
            return lacking
