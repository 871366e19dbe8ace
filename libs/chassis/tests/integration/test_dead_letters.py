"""What a consumer gave up is listed with its error, and has its effect once when it is replayed."""

import pytest
from prometheus_client import REGISTRY

from quantmesh.api.common.v1.common_pb2 import EventEnvelope, Money
from quantmesh.chassis.database import Database
from quantmesh.chassis.events import Consumer, EventBus
from quantmesh.chassis.events.dead_letters import DeadLetter, DeadLetterNotFound, DeadLetters, NotReplayable
from quantmesh.chassis.events.streams import ensure_stream
from quantmesh.chassis.sql import Session

from .events import SUBJECT, Effects, Start, empty_stream, envelope_of, patient, send, until


class Picky:
    """A consumer that refuses one currency until it is mended."""

    def __init__(self, database: Database, name: str = "picky") -> None:
        self.effects = Effects(database)
        self.is_mended = False
        self.consumer = Consumer(name, subject=f"qm.{SUBJECT}", message=Money, handle=self._handle, max_deliver=1)

    async def _handle(self, session: Session, envelope: EventEnvelope, message: Money) -> None:
        if message.currency == "BAD" and not self.is_mended:
            msg = "no such currency"
            raise LookupError(msg)
        await self.effects.handle(session, envelope, message)


def waiting() -> float | None:
    return REGISTRY.get_sample_value("quantmesh_dead_letters", {"consumer": "ledger-picky"})


async def letters(bus: EventBus, count: int = 1) -> list[DeadLetter]:
    await ensure_stream(patient(bus), "dead")
    found: list[DeadLetter] = []

    async def are_there() -> bool:
        found[:] = await DeadLetters(bus).after(0, 10)
        return len(found) == count

    await until(are_there)
    return found


async def test_a_dead_letter_tells_its_error_and_raises_the_alert(
    database: Database, bus: EventBus, start: Start
) -> None:
    picky = Picky(database)
    start(picky.consumer.run(database, bus))
    bad = envelope_of(1, "BAD")
    await send(bus, bad)
    (letter,) = await letters(bus)
    assert (letter.consumer, letter.subject, letter.event_id) == ("ledger-picky", f"qm.{SUBJECT}.0", bad.event_id)
    assert letter.error == "LookupError: no such currency"
    await until(lambda: waiting() == 1)


async def test_a_replay_has_its_effect_once_though_later_events_went_on(
    database: Database, bus: EventBus, start: Start
) -> None:
    picky, other = Picky(database), Picky(database, "tolerant")
    other.is_mended = True
    start(picky.consumer.run(database, bus))
    start(other.consumer.run(database, bus))
    await send(bus, envelope_of(1, "BAD"), envelope_of(2, "GOOD"))
    (letter,) = await letters(bus)
    await until(lambda: other.effects.is_count(3))
    picky.is_mended = True
    assert await DeadLetters(bus).replay(letter.number) == letter
    await until(lambda: picky.effects.is_count(4))
    # Asked for again, and sent again by somebody who does not know: nothing more happens.
    with pytest.raises(DeadLetterNotFound):
        await DeadLetters(bus).replay(letter.number)
    await send(bus, envelope_of(1, "BAD"), envelope_of(3, "LAST"))
    await until(lambda: picky.effects.is_count(6))
    assert list(dict.fromkeys(picky.effects.seen)) == ["GOOD", "BAD", "LAST"]


async def test_a_stream_that_begins_anew_gives_its_numbers_to_other_dead_letters(
    database: Database, bus: EventBus, start: Start
) -> None:
    """Within the time in which the broker takes what has the same id for a repetition."""
    start(Picky(database).consumer.run(database, bus))
    await send(bus, envelope_of(1, "BAD"))
    await letters(bus)
    await empty_stream(bus)
    other = envelope_of(1, "BAD", aggregate="b")
    await send(bus, other)
    assert (await letters(bus, 2))[1].event_id == other.event_id


@pytest.mark.parametrize("times", [1, 3])
async def test_a_replay_that_fails_again_is_a_dead_letter_again(
    database: Database, bus: EventBus, start: Start, times: int
) -> None:
    picky = Picky(database)
    start(picky.consumer.run(database, bus))
    await send(bus, envelope_of(1, "BAD"))
    (letter,) = await letters(bus)
    for _ in range(times):
        await DeadLetters(bus).replay(letter.number)
        number = letter.number

        async def is_back(known: int = number) -> bool:
            found = await DeadLetters(bus).after(known, 10)
            return len(found) == 1

        await until(is_back)
        (letter,) = await letters(bus)
    picky.is_mended = True
    await DeadLetters(bus).replay(letter.number)
    await until(lambda: picky.effects.is_count(1))
    assert await DeadLetters(bus).after(0, 10) == []


async def test_two_operators_who_replay_the_same_letter_cause_one_effect(
    database: Database, bus: EventBus, start: Start
) -> None:
    picky = Picky(database)
    start(picky.consumer.run(database, bus))
    await send(bus, envelope_of(1, "BAD"))
    (letter,) = await letters(bus)
    found = await patient(bus).get_msg("qm-dead", seq=letter.number)
    assert found.data is not None
    picky.is_mended = True
    # What the second one, who read the letter before the first had forgotten it, publishes.
    twin = {"Nats-Msg-Id": "the second", "Qm-Replay-For": "ledger-picky"}
    await DeadLetters(bus).replay(letter.number)
    await patient(bus).publish(letter.subject, found.data, headers=twin)
    await send(bus, envelope_of(2, "GOOD"))
    await until(lambda: picky.effects.is_count(2))
    assert sorted(set(picky.effects.seen)) == ["BAD", "GOOD"]


async def test_what_is_no_event_cannot_be_replayed(database: Database, bus: EventBus, start: Start) -> None:
    start(Picky(database).consumer.run(database, bus))
    await ensure_stream(patient(bus), "ledger")
    await patient(bus).publish(f"qm.{SUBJECT}.0", b"\xff no envelope")
    (letter,) = await letters(bus)
    with pytest.raises(NotReplayable, match="no envelope"):
        await DeadLetters(bus).replay(letter.number)
    assert len(await letters(bus)) == 1
