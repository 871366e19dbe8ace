"""What a consumer makes of what comes: duplicates, gaps, poison, faults of its own."""

import asyncio

import pytest

from quantmesh.api.common.v1.common_pb2 import EventEnvelope, Money
from quantmesh.chassis.database import Database
from quantmesh.chassis.errors import Unavailable
from quantmesh.chassis.events import Consumer, EventBus
from quantmesh.chassis.events.streams import ensure_stream
from quantmesh.chassis.sql import Session

from .events import SUBJECT, Effects, Start, envelope_of, patient, send, until


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

    async def handle(session: Session, envelope: EventEnvelope, message: Money) -> None:
        nonlocal attempts
        if message.currency == "BAD":
            attempts += 1
            msg = "no such currency"
            raise LookupError(msg)
        await effects.handle(session, envelope, message)

    start(Consumer("picky", subject=f"qm.{SUBJECT}", message=Money, handle=handle, max_deliver=3).run(database, bus))
    await send(bus, envelope_of(1, "GOOD"), envelope_of(2, "BAD"), envelope_of(3, "FINE"))
    await until(lambda: effects.is_count(2))
    # Where it came together with the others, all were tried once more, by halves.
    assert list(dict.fromkeys(effects.seen)) == ["GOOD", "FINE"]
    assert attempts in {3, 4, 5}
    letter = await patient(bus).get_last_msg("qm-dead", "qm.dead.ledger.picky")
    assert letter.headers is not None
    assert letter.headers["Qm-Error"] == "LookupError: no such currency"
    assert letter.headers["Qm-Subject"] == f"qm.{SUBJECT}.0"


async def test_a_poison_event_waits_for_the_one_before_it(database: Database, bus: EventBus, start: Start) -> None:
    effects = Effects(database)
    refusals = 4

    async def handle(session: Session, envelope: EventEnvelope, message: Money) -> None:
        nonlocal refusals
        if message.currency == "TWO" and refusals:
            refusals -= 1
            msg = "the peer that it needs is away"
            raise Unavailable(msg)
        await effects.handle(session, envelope, message)

    poison = envelope_of(3, "THREE")
    poison.type = "quantmesh.api.common.v1.Decimal"
    start(Consumer("patient", subject=f"qm.{SUBJECT}", message=Money, handle=handle).run(database, bus))
    await send(bus, envelope_of(1, "ONE"), envelope_of(2, "TWO"), poison, envelope_of(4, "FOUR"))
    await until(lambda: effects.is_count(3))
    assert list(dict.fromkeys(effects.seen)) == ["ONE", "TWO", "FOUR"]
    assert (await patient(bus).stream_info("qm-dead")).state.messages == 1


@pytest.mark.parametrize(
    "data",
    [b"\xff no envelope", EventEnvelope(event_id="x").SerializeToString(), b""],
)
async def test_what_is_no_envelope_becomes_a_dead_letter(
    database: Database, bus: EventBus, start: Start, data: bytes
) -> None:
    effects = Effects(database)
    start(effects.consumer().run(database, bus))
    await ensure_stream(patient(bus), "ledger")
    await patient(bus).publish(f"qm.{SUBJECT}.0", data)
    await send(bus, envelope_of(1, "GOOD"))
    await until(lambda: effects.is_count(1))
    assert (await patient(bus).stream_info("qm-dead")).state.messages == 1


async def test_an_unavailable_part_does_not_use_up_an_events_chances(
    database: Database, bus: EventBus, start: Start
) -> None:
    effects = Effects(database)
    refusals = 4

    async def handle(session: Session, envelope: EventEnvelope, message: Money) -> None:
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
    database: Database, bus: EventBus, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Nobody gets it for having waited so long.
    monkeypatch.setattr("quantmesh.chassis.events.consumer.ACK_WAIT_SECONDS", 60.0)
    effects = Effects(database)
    entered = asyncio.Event()

    async def handle_for_ever(session: Session, envelope: EventEnvelope, message: Money) -> None:
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
    await until(lambda: effects.is_count(1))
