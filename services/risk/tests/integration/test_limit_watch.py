"""Limits as they are watched, by one replica or several, on a real Postgres and a real broker."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from quantmesh.api.common.v1.common_pb2 import EventEnvelope
from quantmesh.api.portfolio.v1.events_pb2 import TransactionRecorded
from quantmesh.api.portfolio.v1.portfolio_pb2 import Transaction
from quantmesh.chassis.context import CallContext, set_call
from quantmesh.chassis.database import Database
from quantmesh.chassis.errors import Unavailable
from quantmesh.chassis.events import EventBus
from quantmesh.chassis.events.streams import ensure_stream
from quantmesh.chassis.outbox import partition_of
from quantmesh.chassis.sql import text
from quantmesh.chassis.times import to_timestamp
from quantmesh.local.testing import NewDatabase, RunningServer
from quantmesh.risk.adapters.limits.store import Due
from quantmesh.risk.adapters.limits.watch import LimitWatch

from .served_limits import ADA, Limits, limit, often, served_limits


@pytest.fixture
async def limits(service_database: NewDatabase) -> AsyncIterator[Limits]:
    async with served_limits(service_database("risk").url) as served:
        yield served


async def until(reached: Callable[[], Awaitable[bool]]) -> None:
    """Within 30 seconds."""
    async with asyncio.timeout(30):
        while not await reached():  # noqa: ASYNC110  another connection's commit is no event here
            await asyncio.sleep(0.02)


async def become(limits: Limits, *kinds: str) -> None:
    """Until exactly these events were told."""

    async def are_told() -> bool:
        return await limits.kinds() == list(kinds)

    await until(are_told)


async def measured_again(limits: Limits) -> None:
    """Until the only portfolio, watched by the clock, was measured from its account to its events."""
    before = limits.accounts.asked

    async def is_asked_for_twice() -> bool:
        # Each measurement has ended when the next begins.
        return limits.accounts.asked >= before + 2

    await until(is_asked_for_twice)


async def all_measured(limits: Limits) -> None:
    """Until nothing has to be measured before an hour has passed."""

    async def is_nothing_due() -> bool:
        async with limits.database.system_transaction() as session:
            return not await session.scalar(text("SELECT count(*) FROM limit_watch WHERE due_at <= now()"))

    await until(is_nothing_due)


@asynccontextmanager
async def watching(watch: LimitWatch) -> AsyncIterator[asyncio.Task[None]]:
    running = asyncio.create_task(watch.run())
    yield running
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_each_crossing_is_told_once_by_the_clock(limits: Limits) -> None:
    portfolio = limits.accounts.open(AAPL="3")
    await limits.set(portfolio, limit("gross_exposure", "1000"), limit("leverage", "100"))
    async with watching(often(limits.watch)):
        await measured_again(limits)
        assert await limits.kinds() == []
        limits.accounts.hold(portfolio, AAPL="7")
        await become(limits, "breached")
        limits.accounts.hold(portfolio, AAPL="6")
        await become(limits, "breached", "cleared")
        limits.accounts.hold(portfolio, AAPL="8")
        await become(limits, "breached", "cleared", "breached")
        await measured_again(limits)
    told = await limits.told()
    assert [message.utilisation.value.value for _, message in told] == ["1050.0", "900.0", "1200.0"]
    assert {message.portfolio_id for _, message in told} == {portfolio}


async def test_a_breach_is_not_told_again_after_a_restart(limits: Limits) -> None:
    portfolio = limits.accounts.open(AAPL="7")
    await limits.set(portfolio, limit("gross_exposure", "1000"))
    for _ in range(3):
        async with watching(often(limits.watch)):
            await measured_again(limits)
        assert await limits.kinds() == ["breached"]


async def test_replicas_tell_of_a_crossing_once_between_them(limits: Limits) -> None:
    portfolio = limits.accounts.open(AAPL="7")
    await limits.set(portfolio, limit("gross_exposure", "1000"))
    async with limits.database.system_transaction() as session:
        due_at = await session.scalar(text("SELECT due_at FROM limit_watch"))
    set_call(CallContext().on_behalf_of(ADA))

    all_are_connected = asyncio.Barrier(6)

    async def connect() -> None:
        async with limits.database.system_transaction(), asyncio.timeout(30):
            await all_are_connected.wait()

    # So that nobody is done before the others begin.
    await asyncio.gather(*(connect() for _ in range(6)))
    since = Due(UUID(portfolio), ADA, due_at)
    await asyncio.gather(*(limits.watch.measure(since) for _ in range(6)))
    assert await limits.kinds() == ["breached"]


async def test_limits_that_are_raised_or_withdrawn_clear_the_breach(limits: Limits) -> None:
    raised, withdrawn = limits.accounts.open(AAPL="7"), limits.accounts.open(AAPL="7")
    for portfolio in (raised, withdrawn):
        await limits.set(portfolio, limit("gross_exposure", "1000"))
    async with watching(limits.watch):
        await become(limits, "breached", "breached")
        await limits.set(raised, limit("gross_exposure", "2000"))
        await become(limits, "breached", "breached", "cleared")
        await limits.set(withdrawn)
        await become(limits, "breached", "breached", "cleared", "cleared")
        await all_measured(limits)
    last = (await limits.told())[-1][1]
    assert (last.portfolio_id, last.utilisation.reason) == (withdrawn, "the limit was withdrawn")


async def test_a_silent_portfolio_service_breaches_nothing_and_is_asked_again(limits: Limits) -> None:
    portfolio = limits.accounts.open(AAPL="7")
    await limits.set(portfolio, limit("gross_exposure", "1000"))
    limits.accounts.available = False
    with pytest.raises(Unavailable):
        await limits.get(portfolio)
    async with watching(often(limits.watch)):
        await measured_again(limits)
        assert await limits.kinds() == []
        limits.accounts.available = True
        await become(limits, "breached")


async def test_a_portfolio_that_breaks_the_arithmetic_is_put_off_and_the_others_are_watched(limits: Limits) -> None:
    broken, other = limits.accounts.open(AAPL="7"), limits.accounts.open(AAPL="7")
    for portfolio in (broken, other):
        await limits.set(portfolio, limit("gross_exposure", "1000"))
    limits.accounts.hold(broken, AAPL="sNaN")
    async with watching(limits.watch):
        await become(limits, "breached")
        assert [message.portfolio_id for _, message in await limits.told()] == [other]
        await all_measured(limits)
        limits.accounts.hold(other, AAPL="6")
        await limits.set(other, limit("gross_exposure", "1000"))
        await become(limits, "breached", "cleared")


async def test_a_watch_without_its_database_asks_for_it_again(limits: Limits) -> None:
    asked = 0

    async def refuse(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        writer.close()

    async def is_asked_twice() -> bool:
        return asked >= 2

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    url = f"postgresql://quantmesh_risk:risk@127.0.0.1:{port}/quantmesh?sslmode=disable&gssencmode=disable"
    away = Database(url, "risk")
    async with server, watching(replace(limits.watch, database=away)) as running:
        await until(is_asked_twice)
        assert not running.done()
    await away.close()


async def test_a_portfolio_that_is_gone_is_watched_no_more(limits: Limits) -> None:
    portfolio = limits.accounts.open()
    await limits.set(portfolio, limit("leverage", "1"))
    del limits.accounts.known[portfolio]

    async def is_none_watched() -> bool:
        async with limits.database.system_transaction() as session:
            return not await session.scalar(text("SELECT count(*) FROM limit_watch"))

    async with watching(limits.watch):
        await until(is_none_watched)


async def test_a_recorded_transaction_is_measured_at_once_and_the_same_event_once(
    limits: Limits, nats_server: RunningServer
) -> None:
    portfolio = limits.accounts.open(AAPL="3")
    await limits.set(portfolio, limit("gross_exposure", "1000"))
    bus = EventBus(nats_server.url, "risk")
    await bus.connect(patience_seconds=30.0)
    consuming = asyncio.create_task(limits.watch.consumer().run(limits.database, bus))
    message = TransactionRecorded(transaction=Transaction(id=str(uuid4()), portfolio_id=portfolio))
    now = to_timestamp(datetime.now(UTC))
    envelope = EventEnvelope(
        event_id=str(uuid4()),
        aggregate_id=portfolio,
        aggregate_version=1,
        owner_id=str(ADA),
        occurred_at=now,
        recorded_at=now,
        schema_version=1,
        type=message.DESCRIPTOR.full_name,
        payload=message.SerializeToString(),
    )
    subject = f"qm.portfolio.transaction.recorded.{partition_of(portfolio)}"

    async def are_both_settled() -> bool:
        consumer = await bus.jetstream.consumer_info("qm-portfolio", "risk-limits")
        assert consumer.ack_floor is not None
        return bool(consumer.ack_floor.stream_seq == 2)

    # The clock alone would look again in an hour.
    async with watching(limits.watch):
        await all_measured(limits)
        limits.accounts.hold(portfolio, AAPL="7")
        assert await limits.kinds() == []
        await ensure_stream(bus.jetstream, "portfolio")
        await bus.jetstream.publish(subject, envelope.SerializeToString())
        await become(limits, "breached")
        measured = limits.accounts.asked
        await bus.jetstream.publish(subject, envelope.SerializeToString())
        await until(are_both_settled)
        await all_measured(limits)
        assert limits.accounts.asked == measured
    consuming.cancel()
    await asyncio.gather(consuming, return_exceptions=True)
    await bus.close()
