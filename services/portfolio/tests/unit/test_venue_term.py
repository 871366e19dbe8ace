"""A leader's book while orders change elsewhere: what is heard of one is never undone by who had it in hand before."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, cast
from uuid import UUID

import pytest

from quantmesh.api.common.v1.common_pb2 import EventEnvelope
from quantmesh.api.portfolio.v1 import events_pb2
from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb
from quantmesh.portfolio.adapters.venue.changes import Changes
from quantmesh.portfolio.adapters.venue.term import Term, _Line
from quantmesh.portfolio.core.market import Quote
from quantmesh.portfolio.core.venue.model import Action, Proposal, RestingOrder

from .test_venue_book import order, quote
from .venue_oracle import OPEN

NOBODY = cast("Any", None)
EVENING = OPEN + timedelta(hours=5)
ALL_TRADES = quote("99", "100")
FIRST, SECOND = (order(number, "100", expires_at=EVENING) for number in (1, 2))


class Ledger:
    """Tells what was so when it was asked; the first who asks has to wait until it `answers`."""

    def __init__(self) -> None:
        self.resting = {each.id: each for each in (FIRST, SECOND)}
        self.asked = asyncio.Event()
        self.answers = asyncio.Event()

    async def open_orders(self, ids: Collection[UUID] | None = None) -> list[RestingOrder]:
        found = [each for each in self.resting.values() if ids is None or each.id in ids]
        await self._answer()
        return found

    async def decide(self, proposal: Proposal, _: datetime, __: Quote | None) -> RestingOrder | None:
        """Nothing is done."""
        found = self.resting.get(proposal.order.id)
        await self._answer()
        return found

    async def _answer(self) -> None:
        if not self.asked.is_set():
            self.asked.set()
            await self.answers.wait()


class Venue:
    def __init__(self) -> None:
        self.ledger = Ledger()
        self.term = Term(NOBODY, cast("Any", self.ledger), NOBODY)

    async def load(self) -> None:
        self.ledger.answers.set()
        await self.term._load()
        self.ledger.answers.clear()
        self.ledger.asked.clear()

    async def follow(self) -> None:
        while self.term._changes.ready:
            await self.term._read_again(await self.term._changes.next())

    @property
    def book(self) -> dict[UUID, RestingOrder]:
        return {each.id: each for each in self.term._book.orders("AAPL")}

    async def end(self, before: RestingOrder) -> None:
        del self.ledger.resting[before.id]
        await self._hear(replace(before, version=before.version + 1), pb.ORDER_STATUS_CANCELLED)

    async def reprice(self, before: RestingOrder) -> None:
        after = replace(before, limit_price=Decimal(90), version=before.version + 1)
        self.ledger.resting[before.id] = after
        await self._hear(after, pb.ORDER_STATUS_ACCEPTED)

    async def _hear(self, after: RestingOrder, status: "pb.OrderStatus.ValueType") -> None:
        told = events_pb2.OrderAccepted(order=pb.Order(id=str(after.id), status=status, version=after.version))
        await self.term._on_event(EventEnvelope(payload=told.SerializeToString()))


async def loading(term: Term) -> None:
    await term._load()


async def reading(term: Term) -> None:
    term._changes.add([FIRST.id])
    await term._read_again(await term._changes.next())


async def expiring(term: Term) -> None:
    await term._expire(EVENING)


async def deciding(term: Term) -> None:
    await term._match(ALL_TRADES, _Line(ALL_TRADES), ALL_TRADES)


async def passing_over(term: Term) -> None:
    """The second of two: a newer quote has come while the first is decided."""
    await term._match(ALL_TRADES, _Line(quote("98", "101")), ALL_TRADES)


@pytest.mark.parametrize("change", [Venue.end, Venue.reprice], ids=["ended", "replaced"])
@pytest.mark.parametrize(
    ("work", "changed"),
    [(loading, FIRST), (reading, FIRST), (expiring, FIRST), (deciding, FIRST), (passing_over, SECOND)],
    ids=lambda value: getattr(value, "__name__", ""),
)
async def test_what_is_heard_of_an_order_in_hand_holds_against_who_has_it(
    work: Callable[[Term], Coroutine[Any, Any, None]],
    changed: RestingOrder,
    change: Callable[[Venue, RestingOrder], Awaitable[None]],
) -> None:
    venue = Venue()
    if work is not loading:
        await venue.load()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(work(venue.term))
        await venue.ledger.asked.wait()
        await change(venue, changed)
        await venue.follow()
        venue.ledger.answers.set()
    await venue.follow()
    assert venue.book == venue.ledger.resting


async def test_an_order_that_is_read_while_a_quote_passes_it_over_rests_as_it_was_read() -> None:
    venue = Venue()
    await venue.load()
    await venue.reprice(SECOND)
    async with asyncio.TaskGroup() as tasks:
        for work in (venue.follow(), passing_over(venue.term)):
            tasks.create_task(work)
            await venue.ledger.asked.wait()
            venue.ledger.asked.clear()
        # In the order in which they asked.
        venue.ledger.answers.set()
    await venue.follow()
    assert venue.book == venue.ledger.resting


async def test_an_order_is_in_hand_until_all_that_is_proposed_for_it_is_dealt_with() -> None:
    changes = Changes()
    changes.begin()
    turns = changes.in_turn(
        [Proposal(Action.TRIGGER, FIRST), Proposal(Action.FILL, FIRST), Proposal(Action.FILL, SECOND)]
    )
    in_hand = [[changes.is_in_hand(each.id) for each in (FIRST, SECOND)] for _ in turns]
    assert in_hand == [[True, True], [True, True], [False, True]]
    assert not changes.is_in_hand(SECOND.id)


async def test_an_order_that_ended_leaves_the_book_at_once_where_nobody_has_it_in_hand() -> None:
    venue = Venue()
    await venue.load()
    await venue.end(SECOND)
    assert venue.book == {FIRST.id: FIRST}
    assert not venue.term._changes.ready, "nothing is to be read"


async def test_a_message_that_is_no_quote_wakes_nobody() -> None:
    venue = Venue()
    await venue.term._on_message("quotes.AAPL", b"\xff")
    assert not venue.term._lines
