"""The replay rewound: noticed, told once to those who keep bars, and nothing of the time that it left remembered."""

from dataclasses import replace
from datetime import datetime
from functools import partial

from quantmesh.api.market.v1.market_pb2 import Quote as QuoteMessage
from quantmesh.chassis.events import EventBus
from quantmesh.chassis.times import from_timestamp
from quantmesh.market.adapters.replay_feed import NAME
from quantmesh.market.adapters.store.feed import FeedState, FeedStore
from quantmesh.market.adapters.tick_recorder import SUBJECT
from quantmesh.market.core.feed_clock import FeedClock
from quantmesh.market.core.get_quotes import get_quotes
from quantmesh.market.core.replay import Position
from services.market.tests.integration.conftest import FIRST, LAST, SYMBOLS, SYSTEM_NOW, NewParts, Parts, until
from services.market.tests.integration.feeds import AwayAtTimes, announced, playing


def has_passed(clock: FeedClock, moment: datetime) -> bool:
    return clock.now() > moment


async def test_a_rewind_is_noticed_and_starts_over(parts: Parts, bus: EventBus, new_parts: NewParts) -> None:
    parts = await new_parts(seconds_per_session=0.5)
    await bus.subscribe(SUBJECT, parts.recorder().handle)
    heard: list[tuple[datetime, str]] = []

    async def handle(subject: str, payload: bytes) -> None:
        heard.append((from_timestamp(QuoteMessage.FromString(payload).time), subject))

    async with playing(await parts.feed(bus)):
        await until(lambda: not parts.clock.is_open)
        await bus.subscribe("quotes.MTUM", handle)
        await parts.feed_store.rewind(parts.plan)
        await until(lambda: len(heard) > 3)
        assert heard[0][0].date() == FIRST
        quotes = await get_quotes(parts.market, list(SYMBOLS[:1]), None, SYSTEM_NOW)
        assert quotes.quotes[0].time.date() <= LAST


async def test_a_rewind_tells_those_who_keep_the_bars_that_are_unknown_again(
    parts: Parts, bus: EventBus, new_parts: NewParts
) -> None:
    parts = await new_parts(seconds_per_session=0.5)
    told: list[tuple[str, str, str]] = []
    shown: list[datetime] = []

    class Telling(FeedStore):
        async def tell(self, market_time: datetime) -> None:
            shown.append(parts.clock.now())
            await super().tell(market_time)

    parts.feed_store = Telling(parts.database, NAME, "a")

    async def some_are_told() -> bool:
        told[:] = [(event.symbol, event.first_date, event.last_date) for event, _ in (await announced(parts))[before:]]
        return bool(told)

    async with playing(await parts.feed(bus)):
        await until(lambda: not parts.clock.is_open)
        before = len(await announced(parts))
        await parts.feed_store.rewind(parts.plan)
        await until(some_are_told)
    assert shown[-1] == parts.plan.market_time(parts.plan.start), "who asks once it is told is answered as of then"
    assert told[:3] == [(symbol, str(FIRST), str(LAST)) for symbol in ("MTUM", "QUAL", "SP500")]


async def test_a_rewind_while_nobody_plays_is_told_once_by_who_plays_next(bus: EventBus, new_parts: NewParts) -> None:
    stopped = await new_parts(seconds_per_session=0.5)
    async with playing(await stopped.feed(bus)):
        await until(lambda: not stopped.clock.is_open)
    before = len(await announced(stopped))
    await stopped.feed_store.rewind(stopped.plan)
    for _ in range(2):
        parts = await new_parts()
        begun = parts.clock.now()
        async with playing(await parts.feed(bus)):
            await until(partial(has_passed, parts.clock, begun))
    told = [(event.symbol, event.first_date, event.last_date) for event, _ in (await announced(stopped))[before:]]
    assert told == [(symbol, str(FIRST), str(LAST)) for symbol in ("MTUM", "QUAL", "SP500")]


async def test_a_rewind_at_a_close_that_was_seen_and_not_told_yet_is_told(parts: Parts) -> None:
    store, plan = parts.feed_store, parts.plan
    state = await store.take()
    assert state is not None
    await store.tell(plan.market_time(plan.start))
    assert await store.keep(FeedState(state.epoch, Position(False, FIRST, plan.length(FIRST))))
    before = len(await announced(parts))
    await store.rewind(plan)
    await store.tell(plan.market_time(plan.start))
    told = [(event.symbol, event.last_date) for event, _ in (await announced(parts))[before:]]
    assert told == [(symbol, str(FIRST)) for symbol in ("MTUM", "QUAL", "SP500")]


async def test_who_played_before_does_not_remember_quotes_of_times_that_are_yet_to_come(
    bus: EventBus, new_parts: NewParts
) -> None:
    before = await new_parts(seconds_per_session=0.5)
    async with playing(await before.feed(bus)):
        await until(lambda: not before.clock.is_open)
    await before.feed_store.rewind(before.plan)
    other, again = await new_parts(holder="b", lease_seconds=600.0), await new_parts()
    again = replace(again, quotes=before.quotes, market=replace(again.market, quotes=before.quotes))

    async def are_quotes_of_now() -> bool:
        (quote,) = (await get_quotes(again.market, ["MTUM"], None, SYSTEM_NOW)).quotes
        return (quote.source, quote.time.date()) == ("replay", FIRST)

    async with playing(await other.feed(bus)):
        await until(lambda: other.clock.now() > other.plan.market_time(other.plan.start))
        async with playing(await again.feed(bus)):
            await until(lambda: again.clock.now() > again.plan.market_time(again.plan.start))
            await until(are_quotes_of_now)


async def test_a_rewind_is_told_although_the_database_was_away_when_it_was_noticed(
    bus: EventBus, new_parts: NewParts
) -> None:
    parts = await new_parts(seconds_per_session=0.5)
    store = parts.feed_store = AwayAtTimes(parts.database, NAME, "a")
    start = parts.plan.market_time(parts.plan.start)

    async def some_are_told() -> bool:
        return len(await announced(parts)) > before

    async with playing(await parts.feed(bus)):
        await until(lambda: not parts.clock.is_open)
        before = len(await announced(parts))
        store.away = True
        await store.rewind(parts.plan)
        await until(lambda: parts.clock.now() == start)
        assert len(await announced(parts)) == before
        store.away = False
        await until(some_are_told)
    (told, _), *_ = (await announced(parts))[before:]
    assert (told.symbol, told.first_date, told.last_date) == ("MTUM", str(FIRST), str(LAST))
