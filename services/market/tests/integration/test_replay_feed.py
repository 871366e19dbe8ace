"""The replayed feed as a live one: quotes, closes, its end, and restarts."""

from datetime import date, timedelta
from decimal import Decimal

from prometheus_client import REGISTRY

from quantmesh.api.market.v1.events_pb2 import BarsIngested
from quantmesh.chassis.events import EventBus
from quantmesh.market.adapters.replay_feed import NAME
from quantmesh.market.adapters.tick_recorder import SUBJECT
from quantmesh.market.core.get_bars import get_bars
from quantmesh.market.core.get_quotes import get_quotes
from services.market.tests.integration.conftest import FIRST, LAST, SYSTEM_NOW, NewParts, Parts, rows, until
from services.market.tests.integration.feeds import AwayAtTimes, Looks, Unheard, announced, hear, playing


async def test_plays_to_the_end_and_says_so(parts: Parts, bus: EventBus, new_parts: NewParts) -> None:
    parts = await new_parts(seconds_per_session=0.5)
    heard = await hear(bus, "quotes.MTUM")
    async with playing(await parts.feed(bus)):
        await until(lambda: not parts.clock.is_open and bool(parts.clock.detail))
        assert (parts.clock.last_session, parts.clock.current_session) == (LAST, None)
        assert "rewind" in parts.clock.detail
        found = await get_quotes(parts.market, ["MTUM"], None, SYSTEM_NOW)
        assert [quote.stale for quote in found.quotes] == [True]

    bars = {bar.time: bar.close for bar in (await get_bars(parts.market, "MTUM", start=str(FIRST))).bars}
    assert len(bars) == 3
    # What was sent last is perhaps on its way still.
    await until(lambda: bars.keys() <= {quote.time for quote in heard})
    times = [quote.time for quote in heard]
    assert times == sorted(times)
    assert {quote.source for quote in heard} == {"replay"}
    assert all(quote.bid and quote.ask and quote.bid < quote.price < quote.ask for quote in heard)
    assert {(quote.bid_size, quote.ask_size) for quote in heard} == {(Decimal(10_000), Decimal(10_000))}
    assert {quote.time: quote.price for quote in heard if quote.time in bars} == bars, "each session ends at its close"


async def test_quotes_that_no_broker_takes_leave_their_age_growing(parts: Parts, bus: EventBus) -> None:
    def sent_at() -> float | None:
        return REGISTRY.get_sample_value("quantmesh_market_last_quote_timestamp_seconds")

    before, began = sent_at(), parts.clock.now()
    parts.system_clock.moment = SYSTEM_NOW + timedelta(days=1)
    async with playing(await parts.feed(EventBus("nats://127.0.0.1:1", "market"))):
        await until(lambda: parts.clock.now() > began)
    assert sent_at() == before
    async with playing(await parts.feed(bus)):
        await until(lambda: sent_at() == parts.system_clock.moment.timestamp())


async def test_announces_each_bar_when_its_session_closes(parts: Parts, bus: EventBus, new_parts: NewParts) -> None:
    before = len(await announced(parts))
    parts = await new_parts(seconds_per_session=0.5)
    async with playing(await parts.feed(bus)):
        await until(lambda: not parts.clock.is_open)
    events = (await announced(parts))[before:]
    assert [(event.symbol, event.last_date) for event, _ in events] == [
        (symbol, day) for day in ("2022-10-03", "2022-10-04", "2022-10-05") for symbol in ("MTUM", "QUAL", "SP500")
    ]
    closes = {parts.market.calendars["XNYS"].close(day) for day in parts.plan.sessions}
    assert {when for _, when in events} == closes


async def test_announces_the_bars_of_the_nights_and_weekends_that_it_leaves_out(
    bus: EventBus, new_parts: NewParts
) -> None:
    friday, monday = date(2019, 12, 20), date(2019, 12, 23)
    stopped = await new_parts(days=(friday, monday))
    await stopped.feed_store.rewind(stopped.plan)
    parts = await new_parts(seconds_per_session=0.5, days=(friday, monday))
    before = len(await announced(parts))
    async with playing(await parts.feed(bus)):
        await until(lambda: not parts.clock.is_open)
    (_rewound, *events) = [event for event, _ in (await announced(parts))[before:] if event.symbol == "LTC-USD"]
    assert events == [BarsIngested(symbol="LTC-USD", first_date="2019-12-20", last_date="2019-12-22", count=3)]
    assert (await get_bars(parts.market, "LTC-USD", start=str(friday))).bars[-1].day == date(2019, 12, 22)


async def test_records_its_ticks(parts: Parts, bus: EventBus, new_parts: NewParts) -> None:
    parts = await new_parts(seconds_per_session=0.5)
    await bus.subscribe(SUBJECT, parts.recorder().handle)
    heard = await hear(bus, "quotes.*")
    async with playing(await parts.feed(bus)):
        await until(lambda: not parts.clock.is_open)

    async def all_are_recorded() -> bool:
        return await rows(parts.database, "SELECT count(*), count(DISTINCT series) FROM tick") == [(len(heard), 2)]

    await until(all_are_recorded)


async def test_a_restart_goes_on_and_never_back(parts: Parts, bus: EventBus, new_parts: NewParts) -> None:
    async with playing(await parts.feed(bus)):
        await until(lambda: parts.clock.now() > parts.plan.market_time(parts.plan.start) + timedelta(seconds=30))
    seen = parts.clock.now()
    again = await new_parts()
    assert again.clock.now() >= seen
    assert (again.clock.now() - seen).total_seconds() <= parts.plan.rate * 2.6


async def test_a_preview_follows_and_never_plays(parts: Parts, bus: EventBus, new_parts: NewParts) -> None:
    preview, other, said = parts, await new_parts(holder="b"), Unheard()
    start = preview.plan.market_time(preview.plan.start)
    store = preview.feed_store = Looks(preview.database, NAME, "a")
    async with playing(await preview.feed(said, plays=False)):
        await until(lambda: store.looks > 2)
        assert preview.clock.now() == start
        async with playing(await other.feed(bus)):
            await until(lambda: preview.clock.now() > start)
    assert said.published == [], "nobody played at first, and the preview did not either"


async def test_one_replica_plays_and_the_other_follows(bus: EventBus, new_parts: NewParts) -> None:
    first, second = [await new_parts(holder=name, lease_seconds=600.0) for name in ("a", "b")]
    heard, said = await hear(bus, "quotes.MTUM"), Unheard()
    start = first.plan.market_time(first.plan.start)
    async with playing(await first.feed(bus, ticks_per_second=5)):
        await until(lambda: len(heard) > 0)
        async with playing(await second.feed(said, ticks_per_second=5)):
            await until(lambda: second.clock.now() > start)
            count, followed = len(heard), second.clock.now()
            await until(lambda: len(heard) > count and second.clock.now() > followed)
    assert said.published == [], "only one of them quotes"


async def test_another_replica_takes_over_when_the_first_is_gone(
    parts: Parts, bus: EventBus, new_parts: NewParts
) -> None:
    async with playing(await parts.feed(bus)):
        await until(lambda: parts.clock.now() > parts.plan.market_time(parts.plan.start))
    seen = parts.clock.now()
    other = await new_parts(holder="b")
    async with playing(await other.feed(bus)):
        heard = await hear(bus, "quotes.MTUM")
        await until(lambda: len(heard) > 0)
        assert heard[0].time >= seen


async def test_while_the_database_is_away_market_time_stands_still(parts: Parts, bus: EventBus) -> None:
    store = parts.feed_store = AwayAtTimes(parts.database, NAME, "a")
    async with playing(await parts.feed(bus)):
        await until(lambda: parts.clock.now() > parts.plan.market_time(parts.plan.start))
        store.away = True
        await until(lambda: not parts.clock.is_open)
        stopped = parts.clock.now()
        assert "stands still" in parts.clock.detail
        store.away = False
        await until(lambda: parts.clock.is_open and parts.clock.now() > stopped)
