"""One leader's term: quotes and news of orders in, the book's proposals out to the ledger."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID

from google.protobuf.message import DecodeError

from quantmesh.api.common.v1.common_pb2 import EventEnvelope
from quantmesh.api.portfolio.v1 import events_pb2, portfolio_pb2
from quantmesh.chassis.errors import Unavailable
from quantmesh.chassis.events import Broadcast, EventBus
from quantmesh.chassis.telemetry.logs import get_logger
from quantmesh.portfolio.adapters.quotes import SUBJECT, quote_in
from quantmesh.portfolio.adapters.venue import metrics
from quantmesh.portfolio.adapters.venue.breakers import Breakers
from quantmesh.portfolio.adapters.venue.changes import Changes
from quantmesh.portfolio.adapters.venue.desk import OrderDesk
from quantmesh.portfolio.core.halts.model import HaltKind
from quantmesh.portfolio.core.market import Quote
from quantmesh.portfolio.core.venue.book import Book
from quantmesh.portfolio.core.venue.model import Proposal, RestingOrder

log = get_logger(__name__)

ORDERS = "qm.portfolio.order.>"
# Orders that were announced while the book was being loaded are read once more.
_BACKLOG = timedelta(minutes=1)
# As market judges its own quotes.
_LIVE_FOR = timedelta(seconds=15)
_HALTS_SECONDS = 0.5
_CLOCK_SECONDS = 1.0
# An event that was lost on its way is noticed by comparing with the table.
_LEVEL_SECONDS = 30.0
_AT_ONCE = 4
_BARRED = "the verification (KYC) of its owner does not let them trade any more"
_OPEN = frozenset({portfolio_pb2.ORDER_STATUS_ACCEPTED, portfolio_pb2.ORDER_STATUS_PARTIALLY_FILLED})


@dataclass
class _Line:
    """What a symbol's work waits for: its latest quote, or a change of its orders."""

    quote: Quote | None = None
    woken: asyncio.Event = field(default_factory=asyncio.Event)


class Term:
    """Ends by cancellation, or with the first fault."""

    def __init__(self, bus: EventBus, desk: OrderDesk, breakers: Breakers) -> None:
        self._bus = bus
        self._desk = desk
        self._breakers = breakers
        self._book = Book()
        self._lines: dict[str, _Line] = {}
        self._changes = Changes()
        self._working = asyncio.Semaphore(_AT_ONCE)
        self._tasks: asyncio.TaskGroup

    async def run(self) -> None:
        await self._breakers.begin()
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            tasks.create_task(Broadcast(subject=ORDERS, handle=self._on_event, backlog=_BACKLOG).run(self._bus))
            await self._load()
            for work in (
                self._follow_orders,
                self._follow_halts,
                self._cancel_killed,
                self._cancel_barred,
                self._follow_clock,
            ):
                tasks.create_task(work())
            subscription = await self._bus.subscribe(SUBJECT, self._on_message)
            try:
                await self._keep_level()
            finally:
                metrics.OPEN_ORDERS.set(0)
                await asyncio.shield(subscription.close())

    async def _load(self) -> None:
        for order in await self._desk.open_orders():
            self._book.put(order)
        self._changes.begin()
        metrics.OPEN_ORDERS.set(len(self._book))
        log.info("venue leads", open_orders=len(self._book))

    async def _on_message(self, subject: str, payload: bytes) -> None:
        """The latest quote of a symbol counts: while its orders are worked on, the ones between are passed over."""
        quote = quote_in(subject, payload)
        if quote is None:
            return
        line = self._line(quote.symbol)
        line.quote = quote
        line.woken.set()

    def _line(self, symbol: str) -> _Line:
        line = self._lines.get(symbol)
        if line is None:
            line = self._lines[symbol] = _Line()
            self._tasks.create_task(self._work(line))
        return line

    async def _work(self, line: _Line) -> None:
        seen: Quote | None = None
        while True:
            await line.woken.wait()
            line.woken.clear()
            if line.quote is None:
                continue
            is_new, seen = line.quote is not seen, line.quote
            quote = self._judged(seen)
            if is_new and quote.is_good:
                await self._breakers.on_price(quote)
            async with self._working:
                if not self._breakers.may_trade(quote.symbol):
                    quote = replace(quote, stale=True)
                await self._match(quote, line, seen)

    def _judged(self, quote: Quote) -> Quote:
        if quote.received_at is None:
            return quote
        age = self._desk.clock.now() - quote.received_at
        metrics.QUOTE_AGE.observe(age.total_seconds())
        return replace(quote, stale=True) if age > _LIVE_FOR else quote

    async def _match(self, quote: Quote, line: _Line, seen: Quote) -> None:
        """Until a newer quote comes: what is not done by then rests on as it did, and is matched with that one."""
        settled: set[UUID] = set()
        for number, proposal in enumerate(self._changes.in_turn(self._book.on_quote(quote))):
            order = proposal.order
            if order.id in settled:
                continue
            if number and line.quote is not seen:
                self._book.put(order)
                settled.add(order.id)
            elif not await self._do(proposal, quote.time, quote):
                settled.add(order.id)
        metrics.OPEN_ORDERS.set(len(self._book))

    async def _do(self, proposal: Proposal, market_time: datetime, quote: Quote | None) -> bool:
        """Whether the order rests on."""
        order = await self._desk.decide(proposal, market_time, quote)
        if order is None:
            self._book.remove(proposal.order.id)
        else:
            self._book.put(order)
        return order is not None

    async def _on_event(self, envelope: EventEnvelope) -> None:
        """All events of orders carry the order in the same place; what it says is read from the table."""
        try:
            order = events_pb2.OrderAccepted.FromString(envelope.payload).order
            order_id = UUID(order.id)
        except (DecodeError, ValueError):
            log.error("an event has no order", event_id=envelope.event_id, type=envelope.type)
            return
        if self._changes.is_in_hand(order_id):
            # Whatever is put into the book next may be from before this.
            self._changes.add([order_id])
        elif order.status not in _OPEN:
            # It has ended for good; most orders have in the moment in which they were accepted.
            self._changes.discard(order_id)
            self._book.remove(order_id)
        elif self._book.version(order_id) != order.version:
            self._changes.add([order_id])

    async def _follow_orders(self) -> None:
        while True:
            for symbol in await self._read_again(await self._changes.next()):
                self._line(symbol).woken.set()

    async def _read_again(self, changed: set[UUID]) -> set[str]:
        """The symbols of those that are open still."""
        found = await self._desk.open_orders(changed)
        for order_id in changed - {order.id for order in found}:
            self._book.remove(order_id)
        for order in found:
            self._book.put(order)
        self._changes.let_go(changed)
        metrics.OPEN_ORDERS.set(len(self._book))
        return {order.symbol for order in found}

    async def _keep_level(self) -> None:
        while True:
            await asyncio.sleep(_LEVEL_SECONDS)
            versions = await self._desk.open_versions()
            known = self._book.versions()
            self._changes.add(order_id for order_id, _ in versions.items() ^ known.items())

    async def _follow_halts(self) -> None:
        while True:
            await self._breakers.read()
            await asyncio.sleep(_HALTS_SECONDS)

    async def _cancel_killed(self) -> None:
        """A kill switch cancels what is open, for as long as it is on: also what was accepted in the same instant."""
        while True:
            for symbol in self._book.symbols():
                halt = self._breakers.halt_of(symbol)
                if halt is not None and halt.kind is HaltKind.KILL_SWITCH:
                    await self._cancel_all(self._book.orders(symbol), halt.reason)
            await asyncio.sleep(_HALTS_SECONDS)

    async def _cancel_barred(self) -> None:
        """What rests of owners whom auth lets trade no more, likewise; those of long ago are looked at now and then."""
        while True:
            for turn in range(int(_LEVEL_SECONDS / _HALTS_SECONDS)):
                await self._cancel_all(await self._desk.barred_orders(lately=turn > 0), _BARRED)
                await asyncio.sleep(_HALTS_SECONDS)

    async def _cancel_all(self, orders: Sequence[RestingOrder], reason: str) -> None:
        for start in range(0, len(orders), _AT_ONCE):
            async with asyncio.TaskGroup() as tasks:
                for order in orders[start : start + _AT_ONCE]:
                    tasks.create_task(self._cancel(order, reason))

    async def _cancel(self, order: RestingOrder, reason: str) -> None:
        await self._desk.cancel(order, reason)
        self._book.remove(order.id)

    async def _follow_clock(self) -> None:
        """Orders expire and halts are lifted by market time, also where no quote comes any more."""
        while True:
            try:
                market_time = await self._desk.market_time()
            except Unavailable as error:
                log.info("the market's time is not known", error=error.detail)
            else:
                await self._breakers.on_time(market_time)
                await self._expire(market_time)
            await asyncio.sleep(_CLOCK_SECONDS)

    async def _expire(self, market_time: datetime) -> None:
        for proposal in self._changes.in_turn(self._book.on_time(market_time)):
            await self._do(proposal, market_time, None)
