"""Events that a consumer gave up, kept with their error for 30 days, or until an operator replays them."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime

import nats.errors
from nats.aio.msg import Msg
from nats.js.api import RawStreamMsg
from nats.js.errors import NotFoundError
from prometheus_client import Gauge

from quantmesh.chassis.errors import NotFound, RuleBroken, Unavailable
from quantmesh.chassis.events.arrival import REPLAY_FOR, Arrival
from quantmesh.chassis.events.bus import REQUEST_SECONDS, EventBus
from quantmesh.chassis.events.streams import DEAD_LETTERS, SUBJECT_ROOT, stream_name

_STREAM = stream_name(DEAD_LETTERS)
_SUBJECT, _ERROR, _EVENT = "Qm-Subject", "Qm-Error", "Qm-Event-Id"

_WAITING = Gauge("quantmesh_dead_letters", "Events that were given up and not replayed", ["consumer"])


class DeadLetterNotFound(NotFound):
    problem = "dead-letter-not-found"


class NotReplayable(RuleBroken):
    problem = "dead-letter-not-replayable"


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """`number` is its place in the stream of dead letters; `event_id` is empty where the message was no event."""

    number: int
    consumer: str
    subject: str
    event_id: str
    error: str
    died_at: datetime | None


class DeadLetters:
    def __init__(self, bus: EventBus) -> None:
        self._bus = bus

    async def bury(self, message: Msg, arrival: Arrival | None, service: str, consumer: str, error: Exception) -> None:
        """`arrival` is None for what is no event."""
        await self._bus.ensure_stream(DEAD_LETTERS)
        event_id = str(arrival.event_id) if arrival is not None else ""
        await self._bus.jetstream.publish(
            _subject(service, consumer),
            message.data,
            timeout=REQUEST_SECONDS,
            headers={
                **(message.headers or {}),
                # The same delivery is buried once; a replay that fails again is a new one, and so is what a stream
                # that began anew has at the same place.
                "Nats-Msg-Id": f"{service}-{consumer}-{message.metadata.sequence.stream}-{event_id}",
                _SUBJECT: message.subject,
                _ERROR: f"{type(error).__name__}: {error}"[:1024],
                _EVENT: event_id,
            },
        )
        await self.measure(service, consumer)

    async def measure(self, service: str, consumer: str) -> None:
        subject = _subject(service, consumer)
        try:
            state = (await self._bus.jetstream.stream_info(_STREAM, subjects_filter=subject)).state
        except NotFoundError:
            # Nothing has ever died.
            waiting = 0
        else:
            waiting = (state.subjects or {}).get(subject, 0)
        _WAITING.labels(f"{service}-{consumer}").set(waiting)

    def forget(self, service: str, consumer: str) -> None:
        """Show no number any more, where another process goes on measuring."""
        _WAITING.remove(f"{service}-{consumer}")

    async def after(self, number: int, limit: int) -> list[DeadLetter]:
        """Oldest first. Raises Unavailable."""
        letters: list[DeadLetter] = []
        with _reaching_the_broker(), suppress(NotFoundError):
            while len(letters) < limit:
                found = await self._bus.jetstream.get_msg(
                    _STREAM, seq=number + 1, subject=f"{SUBJECT_ROOT}.{DEAD_LETTERS}.>", next=True
                )
                letters.append(_letter(found))
                number = letters[-1].number
        return letters

    async def replay(self, number: int) -> DeadLetter:
        """Publish the event again, for the consumer that gave it up alone, and forget the letter.

        Its inbox gives a replay one effect, however often it is asked for.
        Raises DeadLetterNotFound, NotReplayable, Unavailable.
        """
        with _reaching_the_broker():
            try:
                found = await self._bus.jetstream.get_msg(_STREAM, seq=number)
            except NotFoundError as error:
                msg = f"There is no dead letter {number}; it was replayed, or is older than 30 days."
                raise DeadLetterNotFound(msg) from error
            letter = _letter(found)
            if not letter.event_id or found.data is None:
                msg = f"Dead letter {number} is no event, so that nobody could handle it: {letter.error}"
                raise NotReplayable(msg)
            kept = {name: value for name, value in (found.headers or {}).items() if name == "traceparent"}
            await self._bus.jetstream.publish(
                letter.subject,
                found.data,
                timeout=REQUEST_SECONDS,
                headers={
                    **kept,
                    "Nats-Msg-Id": f"replay-{number}-{letter.event_id}",
                    "Content-Type": "application/protobuf",
                    REPLAY_FOR: letter.consumer,
                },
            )
            await self._bus.jetstream.delete_msg(_STREAM, number)
        return letter


@contextmanager
def _reaching_the_broker() -> Iterator[None]:
    try:
        yield
    except (nats.errors.Error, OSError, TimeoutError) as error:
        msg = "The event broker does not answer."
        raise Unavailable(msg, retry_after_seconds=1.0) from error


def _subject(service: str, consumer: str) -> str:
    return f"{SUBJECT_ROOT}.{DEAD_LETTERS}.{service}.{consumer}"


def _letter(found: RawStreamMsg) -> DeadLetter:
    headers = found.headers or {}
    service, _, consumer = (found.subject or "").removeprefix(f"{SUBJECT_ROOT}.{DEAD_LETTERS}.").partition(".")
    return DeadLetter(
        number=found.seq or 0,
        consumer=f"{service}-{consumer}",
        subject=headers.get(_SUBJECT, ""),
        event_id=headers.get(_EVENT, ""),
        error=headers.get(_ERROR, ""),
        died_at=found.time,
    )
