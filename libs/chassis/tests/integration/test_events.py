"""Outbox, relay, broker and consumer together: once in effect, in order, whatever dies meanwhile."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from quantmesh.api.common.v1.common_pb2 import EventEnvelope, Money
from quantmesh.chassis import outbox
from quantmesh.chassis.context import CallContext, current_call, current_caller, set_call
from quantmesh.chassis.database import Database
from quantmesh.chassis.errors import Unavailable
from quantmesh.chassis.events import Consumer, EventBus
from quantmesh.chassis.events.streams import ensure_stream
from quantmesh.chassis.migration import run_migrations
from quantmesh.chassis.provision import provision
from quantmesh.chassis.relay import Relay
from quantmesh.local.testing import RunningServer

from .conftest import MIGRATIONS

OWNER = uuid4()
NOW = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
SUBJECT = "ledger.entry.posted"
Start = Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]


@pytest.fixture
async def bus(nats_server: RunningServer) -> AsyncIterator[EventBus]:
    bus = EventBus(nats_server.url, "ledger")
    await bus.connect()
    yield bus
    await bus.close()


async def post(database: Database, aggregate: str, *currencies: str) -> list[UUID]:
    """One event per currency, in one transaction."""
    async with database.transaction(OWNER) as session:
        return [
            await outbox.append(
                session, SUBJECT, Money(currency=currency), aggregate_id=aggregate, occurred_at=NOW, owner_id=OWNER
            )
            for currency in currencies
        ]


async def until(condition: Callable[[], Awaitable[bool] | bool], seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while True:
            answer = condition()
            if answer if isinstance(answer, bool) else await answer:
                return
            await asyncio.sleep(0.02)


class Effects:
    """What a consumer did, as rows of its own database, so that a rollback takes them back."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.seen: list[str] = []

    async def handle(self, session: AsyncSession, envelope: EventEnvelope, message: Money) -> None:
        self.seen.append(message.currency)
        await session.execute(
            text("INSERT INTO entry (owner_id, amount) VALUES (:owner, :version)"),
            {"owner": envelope.owner_id, "version": envelope.aggregate_version},
        )

    async def count(self) -> int:
        async with self._database.system_transaction() as session:
            return int(await session.scalar(text("SELECT count(*) FROM entry")) or 0)

    async def is_count(self, wanted: int) -> bool:
        return await self.count() == wanted

    def consumer(self, **options: Any) -> Consumer[Money]:
        return Consumer("post-entries", subject=f"qm.{SUBJECT}", message=Money, handle=self.handle, **options)


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


async def test_a_transaction_that_commits_late_is_not_skipped(database: Database, bus: EventBus, start: Start) -> None:
    effects = Effects(database)
    start(Relay(database, bus).run())
    start(effects.consumer().run(database, bus))
    async with database.transaction(OWNER) as late:
        await outbox.append(late, SUBJECT, Money(currency="LATE"), aggregate_id="late", occurred_at=NOW, owner_id=OWNER)
        await post(database, "early", "EARLY")
        await until(lambda: effects.seen == ["EARLY"])
    await until(lambda: effects.is_count(2))
    assert effects.seen == ["EARLY", "LATE"]


async def test_an_event_survives_a_relay_that_dies_between_commit_and_publish(
    database: Database, bus: EventBus, start: Start
) -> None:
    effects = Effects(database)
    first = start(Relay(database, bus).run())
    await asyncio.sleep(0.2)
    first.cancel()
    with suppress(asyncio.CancelledError):
        await first
    await post(database, "a", "ONE", "TWO")
    start(effects.consumer().run(database, bus))
    start(Relay(database, bus).run())
    await until(lambda: effects.is_count(2))
    assert effects.seen == ["ONE", "TWO"]


async def test_rows_published_but_not_marked_are_published_again_and_take_effect_once(
    database: Database, bus: EventBus, start: Start
) -> None:
    effects = Effects(database)
    start(Relay(database, bus).run())
    start(effects.consumer().run(database, bus))
    await post(database, "a", "ONE", "TWO")
    await until(lambda: effects.is_count(2))
    async with database.system_transaction() as session:
        await session.execute(text("UPDATE outbox SET published_at = NULL, stream_sequence = NULL"))
    await post(database, "a", "THREE")
    await until(lambda: effects.is_count(3))
    assert effects.seen == ["ONE", "TWO", "THREE"]


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


async def unpublished(database: Database, wanted: int) -> bool:
    async with database.system_transaction() as session:
        return bool(
            await session.scalar(
                text("SELECT count(*) = :wanted FROM outbox WHERE published_at IS NULL"), {"wanted": wanted}
            )
        )


async def test_a_broker_restored_to_an_older_state_gets_its_lost_tail_again(
    database: Database, bus: EventBus, start: Start
) -> None:
    relay = start(Relay(database, bus).run())
    await post(database, "a", *(f"C{number}" for number in range(10)))
    await until(lambda: unpublished(database, 0))
    relay.cancel()
    # What a restored store looks like: the same stream, with fewer messages in it.
    await bus.jetstream.delete_stream("qm-ledger")
    await ensure_stream(bus.jetstream, "ledger")
    start(Relay(database, bus).run())
    effects = Effects(database)
    start(effects.consumer().run(database, bus))
    await until(lambda: effects.is_count(10))


async def test_a_brokers_folder_put_back_to_an_older_copy_loses_and_doubles_nothing(
    database: Database, bus: EventBus, start: Start, nats_server: RunningServer, tmp_path: Path
) -> None:
    effects = Effects(database)
    start(Relay(database, bus).run())
    start(effects.consumer().run(database, bus))
    await post(database, "a", "ONE", "TWO")
    await until(lambda: effects.is_count(2))
    nats_server.stop()
    await asyncio.to_thread(shutil.copytree, tmp_path / "nats", tmp_path / "copy")
    nats_server.start_again()
    await post(database, "a", "THREE", "FOUR")
    await until(lambda: effects.is_count(4))
    nats_server.kill()
    await asyncio.to_thread(shutil.rmtree, tmp_path / "nats")
    (tmp_path / "copy").rename(tmp_path / "nats")
    nats_server.start_again()
    await post(database, "a", "FIVE")
    await until(lambda: effects.is_count(5))
    await until(lambda: unpublished(database, 0))
    assert effects.seen == ["ONE", "TWO", "THREE", "FOUR", "FIVE"]
    assert (await bus.jetstream.stream_info("qm-ledger")).state.messages == 5


async def test_a_sequence_given_twice_shows_the_loss_of_what_had_it_before(
    database: Database, bus: EventBus, start: Start
) -> None:
    start(Relay(database, bus).run())
    await post(database, "a", "ONE", "TWO", "THREE")
    await until(lambda: unpublished(database, 0))
    await bus.jetstream.delete_stream("qm-ledger")
    await ensure_stream(bus.jetstream, "ledger")
    await post(database, "b", "FOUR")
    effects = Effects(database)
    start(effects.consumer().run(database, bus))
    await until(lambda: effects.is_count(4))


def envelope_of(version: int, currency: str, *, previous: int | None = None, aggregate: str = "a") -> EventEnvelope:
    return EventEnvelope(
        event_id=str(uuid4()),
        aggregate_id=aggregate,
        aggregate_version=version,
        previous_version=version - 1 if previous is None else previous,
        owner_id=str(OWNER),
        type=Money.DESCRIPTOR.full_name,
        payload=Money(currency=currency).SerializeToString(),
    )


async def send(bus: EventBus, *envelopes: EventEnvelope) -> None:
    await ensure_stream(bus.jetstream, "ledger")
    for envelope in envelopes:
        await bus.jetstream.publish(f"qm.{SUBJECT}.0", envelope.SerializeToString())


async def test_duplicates_are_dropped(database: Database, bus: EventBus, start: Start) -> None:
    effects = Effects(database)
    start(effects.consumer().run(database, bus))
    event = envelope_of(1, "ONE")
    await send(bus, event, event, event, envelope_of(2, "TWO"))
    await until(lambda: effects.is_count(2))
    assert effects.seen == ["ONE", "TWO"]


async def test_an_older_version_under_a_new_event_id_is_dropped(
    database: Database, bus: EventBus, start: Start
) -> None:
    effects = Effects(database)
    start(effects.consumer().run(database, bus))
    await send(bus, envelope_of(1, "ONE"), envelope_of(2, "TWO"), envelope_of(1, "AGAIN"), envelope_of(3, "THREE"))
    await until(lambda: effects.is_count(3))
    assert effects.seen == ["ONE", "TWO", "THREE"]


async def test_reordered_events_wait_for_the_missing_one(database: Database, bus: EventBus, start: Start) -> None:
    effects = Effects(database)
    start(effects.consumer().run(database, bus))
    await send(bus, envelope_of(3, "THREE"), envelope_of(2, "TWO"), envelope_of(1, "ONE"))
    await until(lambda: effects.is_count(3))
    assert effects.seen == ["ONE", "TWO", "THREE"]


async def test_versions_that_went_to_other_subjects_are_no_gap(database: Database, bus: EventBus, start: Start) -> None:
    effects = Effects(database)
    start(effects.consumer().run(database, bus))
    await send(bus, envelope_of(4, "FOUR", previous=0), envelope_of(9, "NINE", previous=4))
    await until(lambda: effects.is_count(2))
    assert effects.seen == ["FOUR", "NINE"]


async def test_a_poison_event_becomes_a_dead_letter_with_its_error_and_the_next_go_on(
    database: Database, bus: EventBus, start: Start
) -> None:
    effects = Effects(database)
    attempts = 0

    async def handle(session: AsyncSession, envelope: EventEnvelope, message: Money) -> None:
        nonlocal attempts
        if message.currency == "BAD":
            attempts += 1
            msg = "no such currency"
            raise LookupError(msg)
        await effects.handle(session, envelope, message)

    start(Consumer("picky", subject=f"qm.{SUBJECT}", message=Money, handle=handle, max_deliver=3).run(database, bus))
    await send(bus, envelope_of(1, "GOOD"), envelope_of(2, "BAD"), envelope_of(3, "FINE"))
    await until(lambda: effects.is_count(2))
    assert effects.seen == ["GOOD", "FINE"]
    assert attempts == 3
    letter = await bus.jetstream.get_last_msg("qm-dead", "qm.dead.ledger.picky")
    assert letter.headers is not None
    assert letter.headers["Qm-Error"] == "LookupError: no such currency"
    assert letter.headers["Qm-Subject"] == f"qm.{SUBJECT}.0"


@pytest.mark.parametrize(
    "data",
    [b"\xff no envelope", EventEnvelope(event_id="x").SerializeToString(), b""],
)
async def test_what_is_no_envelope_becomes_a_dead_letter(
    database: Database, bus: EventBus, start: Start, data: bytes
) -> None:
    effects = Effects(database)
    start(effects.consumer().run(database, bus))
    await ensure_stream(bus.jetstream, "ledger")
    await bus.jetstream.publish(f"qm.{SUBJECT}.0", data)
    await send(bus, envelope_of(1, "GOOD"))
    await until(lambda: effects.is_count(1))
    assert (await bus.jetstream.stream_info("qm-dead")).state.messages == 1


async def test_an_unavailable_part_does_not_use_up_an_events_chances(
    database: Database, bus: EventBus, start: Start
) -> None:
    effects = Effects(database)
    refusals = 4

    async def handle(session: AsyncSession, envelope: EventEnvelope, message: Money) -> None:
        nonlocal refusals
        if refusals:
            refusals -= 1
            msg = "the chain is away"
            raise Unavailable(msg)
        await effects.handle(session, envelope, message)

    start(Consumer("patient", subject=f"qm.{SUBJECT}", message=Money, handle=handle, max_deliver=1).run(database, bus))
    await send(bus, envelope_of(1, "ONE"))
    await until(lambda: effects.is_count(1))


async def test_a_consumer_stopped_in_mid_handling_leaves_the_event_to_the_next(
    database: Database, bus: EventBus, start: Start
) -> None:
    effects = Effects(database)
    entered = asyncio.Event()

    async def handle_for_ever(session: AsyncSession, envelope: EventEnvelope, message: Money) -> None:
        await effects.handle(session, envelope, message)
        entered.set()
        await asyncio.sleep(3600)

    consumer = Consumer("post-entries", subject=f"qm.{SUBJECT}", message=Money, handle=handle_for_ever)
    slow = start(consumer.run(database, bus))
    await send(bus, envelope_of(1, "ONE"))
    await entered.wait()
    slow.cancel()
    await asyncio.gather(slow, return_exceptions=True)
    assert await effects.count() == 0
    start(effects.consumer().run(database, bus))
    await until(lambda: effects.is_count(1), seconds=5)


async def test_nats_killed_and_started_again_loses_and_doubles_nothing(
    database: Database, bus: EventBus, start: Start, nats_server: RunningServer
) -> None:
    effects = Effects(database)
    start(Relay(database, bus).run())
    start(effects.consumer().run(database, bus))
    await post(database, "a", "ONE")
    await until(lambda: effects.is_count(1))
    nats_server.kill()
    await post(database, "a", "TWO", "THREE")
    await asyncio.sleep(0.5)
    nats_server.start_again()
    await until(lambda: effects.is_count(3), seconds=5)
    assert effects.seen == ["ONE", "TWO", "THREE"]


async def test_postgres_killed_and_started_again_loses_and_doubles_nothing(
    own_postgres: RunningServer, bus: EventBus, start: Start, open_database: Callable[..., Database]
) -> None:
    await provision(own_postgres.url, ["ledger"], {"ledger": "ledger", "migrator": "migrator"})
    at = f"127.0.0.1:{own_postgres.port}/quantmesh"
    await asyncio.to_thread(run_migrations, "ledger", f"postgresql://quantmesh_migrator:migrator@{at}", MIGRATIONS)
    database = open_database(f"postgresql://quantmesh_ledger:ledger@{at}")
    effects = Effects(database)
    start(Relay(database, bus).run())
    start(effects.consumer().run(database, bus))
    await post(database, "a", "ONE")
    await until(lambda: effects.is_count(1))
    await post(database, "a", "TWO", "THREE")
    own_postgres.kill()
    await asyncio.sleep(0.5)
    own_postgres.start_again()
    await until(lambda: effects.is_count(3), seconds=5)


async def test_the_trace_and_the_envelope_travel_with_the_event(
    database: Database, bus: EventBus, start: Start
) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    got: list[tuple[EventEnvelope, str, UUID]] = []

    async def handle(_session: AsyncSession, envelope: EventEnvelope, _message: Money) -> None:
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


async def test_a_bus_made_before_the_broker_is_up_connects_when_it_comes(
    nats_server: RunningServer,
) -> None:
    nats_server.kill()
    bus = EventBus(nats_server.url, "ledger")
    got: list[tuple[str, bytes]] = []

    async def handle(subject: str, payload: bytes) -> None:
        got.append((subject, payload))

    await bus.subscribe("quotes.*", handle)
    await bus.connect(patience_seconds=0.3)
    assert not bus.is_connected
    assert not await bus.publish("quotes.AAPL", b"dropped")
    nats_server.start_again()
    assert await bus.wait_connected(5.0)
    assert await bus.publish("quotes.AAPL", b"1.5")
    await until(lambda: bool(got))
    await bus.close()
    assert got == [("quotes.AAPL", b"1.5")]
