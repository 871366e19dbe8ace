"""The venue's leader, step by step: a book that may be behind, whose proposals the database decides."""

from collections.abc import Callable
from functools import partial
from typing import Any, cast

from quantmesh.chassis.database import Database
from quantmesh.chassis.errors import Conflict, Unavailable
from quantmesh.portfolio.adapters.venue.desk import OrderDesk
from quantmesh.portfolio.adapters.venue.term import Term
from quantmesh.portfolio.core.execution import ExecutionCosts
from quantmesh.portfolio.core.market import Quote

from .market import SeededMarket
from .scheduler import Died, Scheduler, current_actor

# Its events and its quotes come from the simulation; the breakers are told of neither.
_NOBODY: Any = cast("Any", None)
_BOOK_IS_LEVELLED = 0.4


class _LatestQuote:
    """What a venue is told of a symbol while it is at work on an earlier quote."""

    def __init__(self, market: SeededMarket, symbol: str) -> None:
        self._market = market
        self._symbol = symbol

    @property
    def quote(self) -> Quote:
        return self._market.quote(self._symbol)


class Venues:
    """One term after the other, as its process dies or its database goes away."""

    def __init__(self, scheduler: Scheduler, database: Database, market: SeededMarket, costs: ExecutionCosts) -> None:
        self._scheduler = scheduler
        self._market = market
        self._desk = OrderDesk(database, market, scheduler.clock, costs)

    async def run(self, has_ended: Callable[[], bool]) -> None:
        while not has_ended():
            term = Term(_NOBODY, self._desk, _NOBODY)
            try:
                await term._load()
                await self._trade(term, has_ended)
            except (Died, Unavailable, Conflict) as fault:
                self._scheduler.history.tell(f"{current_actor().name}: {type(fault).__name__}")

    async def _trade(self, term: Term, has_ended: Callable[[], bool]) -> None:
        seen = -1
        while not has_ended():
            await self._scheduler.pause("quotes", partial(self._has_work, seen, has_ended))
            seen = self._market.moves
            if current_actor().random.random() < _BOOK_IS_LEVELLED:
                versions, known = await self._desk.open_versions(), term._book.versions()
                await self._read_again(term, {order_id for order_id, _ in versions.items() ^ known.items()})
            for quote in self._market.latest():
                await term._match(quote, cast("Any", _LatestQuote(self._market, quote.symbol)), quote)
            market_time = await self._desk.market_time()
            for proposal in term._book.on_time(market_time):
                await term._do(proposal, market_time, None)

    def _has_work(self, seen: int, has_ended: Callable[[], bool]) -> bool:
        return self._market.moves != seen or has_ended()

    async def _read_again(self, term: Term, changed: set[Any]) -> None:
        for order_id in changed:
            term._book.remove(order_id)
        for order in await self._desk.open_orders(changed):
            term._book.put(order)
