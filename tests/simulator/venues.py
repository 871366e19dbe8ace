"""The venue's leader, step by step: a book that follows the events of orders, whose proposals the database decides."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast
from uuid import UUID

from quantmesh.api.common.v1.common_pb2 import EventEnvelope
from quantmesh.chassis.database import Database
from quantmesh.chassis.errors import Conflict, Unavailable
from quantmesh.chassis.events.streams import stream_name
from quantmesh.portfolio.adapters.venue.desk import OrderDesk
from quantmesh.portfolio.adapters.venue.term import ORDERS, Term
from quantmesh.portfolio.core.execution import ExecutionCosts
from quantmesh.portfolio.core.market import Quote

from .broker import Broker, Stored
from .history import Violation
from .market import SeededMarket
from .scheduler import Died, Scheduler, current_actor

# Its events and its quotes come from the simulation; the breakers are told of neither.
_NOBODY: Any = cast("Any", None)
_FAULTS = (Died, Unavailable, Conflict)
_HEARD_AT_ONCE = 3
_BOOK_IS_LEVELLED = 0.05


class _LatestQuote:
    """What a venue is told of a symbol while it is at work on an earlier quote."""

    def __init__(self, market: SeededMarket, symbol: str) -> None:
        self._market = market
        self._symbol = symbol

    @property
    def quote(self) -> Quote:
        return self._market.quote(self._symbol)


class Venue:
    """One term after the other, as its process dies or its database goes away.

    `trade`, `hear` and `read` are what a term does side by side; what happens to one of them ends the term. Once nobody
    places orders any more it `rests`, and only keeps its book until all is over.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        database: Database,
        market: SeededMarket,
        broker: Broker,
        costs: ExecutionCosts,
        is_over: Callable[[], bool],
    ) -> None:
        self._scheduler = scheduler
        self._market = market
        self._broker = broker
        self._desk = OrderDesk(database, market, scheduler.clock, costs)
        self._is_over = is_over
        self.rests = False
        self._begin()

    def _begin(self) -> None:
        self._term = Term(_NOBODY, self._desk, _NOBODY)
        self._heard = 0
        self._epoch = self._broker.restarts
        self._is_woken = False

    @property
    def is_level(self) -> bool:
        """Nothing is on its way to its book any more."""
        changes = self._term._changes
        return self.rests and not (self._news() or changes._changed or changes._in_hand)

    @property
    def versions(self) -> Mapping[UUID, int]:
        """Of the orders in its book."""
        return self._term._book.versions()

    async def trade(self, has_ended: Callable[[], bool]) -> None:
        while not self._is_over():
            term = self._term
            with self._ending_with_faults():
                await term._load()
                await self._match(term, has_ended)
                await self._rest(term)

    async def hear(self) -> None:
        while not self._is_over():
            with self._ending_with_faults():
                await self._scheduler.pause("events of orders", lambda: bool(self._news()) or self._is_over())
                for message in self._news()[: current_actor().random.randint(1, _HEARD_AT_ONCE)]:
                    await self._term._on_event(EventEnvelope.FromString(message.data))
                    self._heard = message.sequence

    async def read(self) -> None:
        while not self._is_over():
            with self._ending_with_faults():
                await self._scheduler.pause(
                    "changed orders", lambda: bool(self._term._changes.ready) or self._is_over()
                )
                await self._read_changed(self._term)

    async def _match(self, term: Term, has_ended: Callable[[], bool]) -> None:
        seen = -1

        def has_work() -> bool:
            return self._market.moves != seen or self._is_woken or term is not self._term or has_ended()

        while term is self._term and not has_ended():
            await self._scheduler.pause("quotes", has_work)
            seen, self._is_woken = self._market.moves, False
            if current_actor().random.random() < _BOOK_IS_LEVELLED:
                versions, known = await self._desk.open_versions(), term._book.versions()
                term._changes.add(order_id for order_id, _ in versions.items() ^ known.items())
                await self._read_changed(term)
            for quote in self._market.latest():
                await term._match(quote, cast("Any", _LatestQuote(self._market, quote.symbol)), quote)
            await term._expire(await self._desk.market_time())

    async def _read_changed(self, term: Term) -> None:
        if term._changes.ready and await term._read_again(await term._changes.next()):
            self._is_woken = True

    async def _rest(self, term: Term) -> None:
        self.rests = True
        try:
            await self._scheduler.pause("rest", lambda: term is not self._term or self._is_over())
        finally:
            self.rests = False

    @contextmanager
    def _ending_with_faults(self) -> Iterator[None]:
        """A term ends with a fault, and the next one begins; anything else is a bug."""
        try:
            yield
        except _FAULTS as fault:
            self._scheduler.history.tell(f"{current_actor().name}: {type(fault).__name__}")
            if not self._is_over():  # who dies once it is over is looked at as he was
                self._begin()
        except Exception as error:
            raise Violation(f"{current_actor().name}: an internal error, {error!r}") from error

    def _news(self) -> list[Stored]:
        stream = self._broker.streams.get(stream_name("portfolio"))
        if stream is None:
            return []
        if self._epoch != self._broker.restarts:
            # As a broadcast goes on where the broker is back in an older state.
            self._epoch = self._broker.restarts
            self._heard = min(self._heard, stream.last_sequence)
        prefix = ORDERS.removesuffix(">")
        return [
            message
            for message in stream.messages
            if message.sequence > self._heard and message.subject.startswith(prefix)
        ]
