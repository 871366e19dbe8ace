"""From an effect through the outbox to the consumers, in order."""

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import UTC
from uuid import UUID

import pytest

from quantmesh.api.common.v1.common_pb2 import EventEnvelope, Money
from quantmesh.chassis import outbox
from quantmesh.chassis.context import CallContext, current_call, current_caller, set_call
from quantmesh.chassis.database import Database
from quantmesh.chassis.envelopes import MOST_BYTES, EventTooLarge
from quantmesh.chassis.events import Consumer, EventBus
from quantmesh.chassis.relay import Relay
from quantmesh.chassis.sql import Session, text
from quantmesh.local.testing import RunningServer, ServiceDatabase

from .events import NOW, OWNER, PATIENCE_SECONDS, SUBJECT, Effects, Start, patient, post, unpublished, until


async def test_an_event_written_with_its_effect_reaches_the_consumer_once(
    database: Database, bus: EventBus, start: Start
) -> None:
    effects = Effects(database)
    start(Relay(database, bus).run())
    start(effects.consumer().run(database, bus))
    for number in range(20):
        await post(database, f"account-{number % 3}", f"C{number}")
    await until(lambda: effects.is_count(20))
    assert sorted(effects.seen) == sorted(f"C{number}" for number in range(20))


async def test_an_event_of_a_rolled_back_effect_is_never_published(
    database: Database, bus: EventBus, start: Start
) -> None:
    effects = Effects(database)
    start(Relay(database, bus).run())
    start(effects.consumer().run(database, bus))
    async with database.transaction(OWNER) as session:
        await outbox.append(session, SUBJECT, Money(currency="LOST"), aggregate_id="a", occurred_at=NOW)
        await session.rollback()
    await post(database, "a", "KEPT")
    await until(lambda: effects.is_count(1))
    assert effects.seen == ["KEPT"]


async def test_events_of_one_aggregate_arrive_in_order_under_concurrent_writers(
    database: Database, bus: EventBus, start: Start
) -> None:
    effects = Effects(database)
    start(Relay(database, bus).run())
    start(effects.consumer(prefetch=8).run(database, bus))
    versions: list[int] = []

    async def write(writer: int) -> None:
        for number in range(15):
            await post(database, "one-account", f"{writer}-{number}")

    await asyncio.gather(*(write(writer) for writer in range(6)))
    await until(lambda: effects.is_count(90))
    async with database.system_transaction() as session:
        versions = [int(v) for v in await session.scalars(text("SELECT amount FROM entry ORDER BY ctid"))]
    assert versions == list(range(1, 91))


async def test_the_stream_has_an_aggregates_events_in_the_order_of_their_versions(
    database: Database, bus: EventBus, start: Start
) -> None:
    for batch in range(4):
        await post(database, "a", *(f"{batch}-{number}" for number in range(5)))
    start(Relay(database, bus).run())
    await until(lambda: unpublished(database, 0))
    stream = await patient(bus).stream_info("qm-ledger")
    versions = []
    for sequence in range(1, stream.state.last_seq + 1):
        message = await patient(bus).get_msg("qm-ledger", seq=sequence)
        versions.append(EventEnvelope.FromString(message.data or b"").aggregate_version)
    assert versions == list(range(1, 21))


async def test_a_transaction_that_commits_late_is_not_skipped(database: Database, bus: EventBus, start: Start) -> None:
    effects = Effects(database)
    start(Relay(database, bus).run())
    start(effects.consumer().run(database, bus))
    async with database.transaction(OWNER) as late:
        await outbox.append(late, SUBJECT, Money(currency="LATE"), aggregate_id="late", occurred_at=NOW, owner_id=OWNER)
        await post(database, "early", "EARLY")
        await until(lambda: effects.seen == ["EARLY"])
        await until(lambda: unpublished(database, 0))
    await until(lambda: effects.is_count(2))
    assert effects.seen == ["EARLY", "LATE"]


async def test_two_relays_take_turns(database: Database, bus: EventBus, start: Start) -> None:
    first = start(Relay(database, bus).run())
    await post(database, "a", "ONE")
    await until(lambda: unpublished(database, 0))
    start(Relay(database, bus).run())
    await asyncio.sleep(0.3)
    async with database.system_transaction() as session:
        held = await session.scalar(text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted"))
    assert held == 1
    first.cancel()
    await post(database, "a", "TWO")
    await until(lambda: unpublished(database, 0))


@pytest.mark.parametrize("where", ["leading", "following"])
async def test_what_is_written_is_published_at_once_by_whichever_replica_leads(
    ledger: ServiceDatabase,
    open_database: Callable[..., Database],
    nats_server: RunningServer,
    start: Start,
    where: str,
) -> None:
    replicas = {name: open_database(ledger.url) for name in ("leading", "following")}
    async with AsyncExitStack() as stack:
        for database in replicas.values():
            bus = EventBus(nats_server.url, "ledger")
            stack.push_async_callback(bus.close)
            await bus.connect(patience_seconds=PATIENCE_SECONDS)
            start(Relay(database, bus).run())
            await post(database, "a", "FIRST")
            await until(lambda: unpublished(replicas["leading"], 0))
        rounds = []
        for _ in range(8):
            began = time.monotonic()
            await post(replicas[where], "a", "NEXT")
            await until(lambda: unpublished(replicas["leading"], 0))
            rounds.append(time.monotonic() - began)
    # Found by looking once a second each would take about one; the machine may hold up some of them.
    assert sorted(rounds)[2] < 0.7


async def test_the_trace_and_the_envelope_travel_with_the_event(
    database: Database, bus: EventBus, start: Start
) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    got: list[tuple[EventEnvelope, str, UUID]] = []

    async def handle(_session: Session, envelope: EventEnvelope, _message: Money) -> None:
        got.append((envelope, current_call().traceparent, current_caller().user_id))

    start(Relay(database, bus).run())
    start(Consumer("tracing", subject=f"qm.{SUBJECT}", message=Money, handle=handle, as_owner=True).run(database, bus))
    set_call(CallContext(traceparent=trace))
    (event_id,) = await post(database, "account-7", "EUR")
    await until(lambda: bool(got))
    envelope, traceparent, owner = got[0]
    assert (envelope.event_id, envelope.aggregate_id, envelope.type) == (
        str(event_id),
        "account-7",
        "quantmesh.api.common.v1.Money",
    )
    assert envelope.occurred_at.ToDatetime(UTC) == NOW
    assert (traceparent, owner) == (trace, OWNER)


async def test_a_series_arrives_in_order_and_only_grows(database: Database, bus: EventBus, start: Start) -> None:
    effects = Effects(database)
    start(Relay(database, bus).run())
    start(effects.consumer().run(database, bus))
    await post(database, "a", "ONE")
    series = [outbox.SeriesEvent(Money(currency=f"C{number}"), number, NOW) for number in (3, 7, 8)]
    async with database.transaction(OWNER) as session:
        await outbox.append_series(session, SUBJECT, series, aggregate_id="a", owner_id=OWNER)
    await until(lambda: effects.is_count(4))
    assert effects.seen == ["ONE", "C3", "C7", "C8"]
    async with database.transaction(OWNER) as session:
        with pytest.raises(ValueError, match="version 8 is not newer"):
            await outbox.append_series(session, SUBJECT, series[2:], aggregate_id="a")
        with pytest.raises(ValueError, match="versions grow"):
            await outbox.append_series(session, SUBJECT, series[::-1], aggregate_id="a")


async def test_a_version_that_does_not_grow_is_refused_where_it_is_written(database: Database) -> None:
    async with database.transaction(OWNER) as session:
        await outbox.append(session, SUBJECT, Money(), aggregate_id="a", aggregate_version=5, occurred_at=NOW)
        with pytest.raises(ValueError, match="version 5 is not newer"):
            await outbox.append(session, SUBJECT, Money(), aggregate_id="a", aggregate_version=5, occurred_at=NOW)


async def test_what_was_published_stays_for_seven_days(database: Database, bus: EventBus, start: Start) -> None:
    """For a broker that is restored to an old state, and for nobody after that."""
    for days in (0, 6, 8):
        await post(database, f"{days} days ago", "C")
    relay = start(Relay(database, bus).run())
    await until(lambda: unpublished(database, 0))
    relay.cancel()
    async with database.system_transaction() as session:
        await session.execute(
            text("UPDATE outbox SET published_at = now() - CAST(replace(aggregate_id, ' ago', '') AS interval)")
        )
    start(Relay(database, bus).run())
    left = text("SELECT string_agg(aggregate_id, ', ' ORDER BY aggregate_id) FROM outbox")

    async def is_swept() -> bool:
        async with database.system_transaction() as session:
            return bool(await session.scalar(left) == "0 days ago, 6 days ago")

    await until(is_swept)


async def test_however_much_is_old_it_is_forgotten_within_seconds_and_what_is_new_published(
    database: Database, bus: EventBus, start: Start
) -> None:
    async with database.system_transaction() as session:
        await session.execute(
            text(
                """
                INSERT INTO outbox (id, subject, partition, aggregate_id, aggregate_version, previous_version,
                                    occurred_at, schema_version, type, payload, traceparent, published_at,
                                    stream_sequence)
                SELECT uuidv7(), 'ledger.entry.posted', 0, 'old', number, number - 1,
                       now(), 1, 'Money', '', '', now() - interval '8 days', 0
                FROM generate_series(1, 12000) AS number
                """
            )
        )
    start(Relay(database, bus).run())
    await post(database, "new", "C")
    await until(lambda: unpublished(database, 0))

    async def is_forgotten() -> bool:
        async with database.system_transaction() as session:
            return bool(await session.scalar(text("SELECT count(*) = 1 FROM outbox")))

    await until(is_forgotten)


async def test_an_event_that_the_broker_would_never_take_is_refused_where_it_is_written(
    database: Database, bus: EventBus, start: Start
) -> None:
    largest, too_large = (Money(currency="X" * length) for length in (MOST_BYTES - 4, MOST_BYTES - 3))
    assert largest.ByteSize() == MOST_BYTES
    async with database.transaction(OWNER) as session:
        with pytest.raises(EventTooLarge, match=r"ledger\.entry\.posted: an event has 1000001 bytes"):
            await outbox.append(session, SUBJECT, too_large, aggregate_id="a", occurred_at=NOW)
        series = [outbox.SeriesEvent(too_large, 1, NOW)]
        with pytest.raises(EventTooLarge):
            await outbox.append_series(session, SUBJECT, series, aggregate_id="a")
        await outbox.append(session, SUBJECT, largest, aggregate_id="a", occurred_at=NOW)
    start(Relay(database, bus).run())
    await until(lambda: unpublished(database, 0))
