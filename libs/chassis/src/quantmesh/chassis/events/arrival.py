"""A message as a consumer sees it: the envelope read, and whose event it is."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from google.protobuf.message import DecodeError
from nats.aio.msg import Msg
from prometheus_client import Histogram

from quantmesh.api.common.v1.common_pb2 import EventEnvelope
from quantmesh.chassis.context import CallContext, set_call
from quantmesh.chassis.events.parking import Aggregate
from quantmesh.chassis.telemetry import tracing

_SECONDS = Histogram("quantmesh_consumer_seconds", "Time an event was handled in", ["consumer"])
_LAG = Histogram(
    "quantmesh_consumer_lag_seconds",
    "Time from an event's recording to the end of its handling",
    ["consumer"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0, 600.0),
)


# On a dead letter that is published again: the consumer that is to handle it once more.
REPLAY_FOR = "Qm-Replay-For"


class PoisonError(Exception):
    """The message can never be handled: not an envelope, or not of the type this consumer takes."""


@dataclass(frozen=True, slots=True)
class Arrival:
    message: Msg
    envelope: EventEnvelope
    event_id: UUID
    owner_id: UUID | None

    @classmethod
    def of(cls, message: Msg) -> "Arrival":
        """Raises PoisonError."""
        try:
            envelope = EventEnvelope.FromString(message.data)
            owner_id = UUID(envelope.owner_id) if envelope.owner_id else None
            return cls(message, envelope, UUID(envelope.event_id), owner_id)
        except (DecodeError, ValueError) as error:
            msg = f"the message is no envelope: {error}"
            raise PoisonError(msg) from error

    @property
    def subject(self) -> str:
        """Without its partition."""
        return str(self.message.subject.rpartition(".")[0])

    @property
    def aggregate(self) -> Aggregate:
        return self.subject, self.envelope.aggregate_id

    @property
    def traceparent(self) -> str:
        """Of the call that recorded the event; empty where none is known."""
        return (self.message.headers or {}).get("traceparent", "")

    def is_replay_for(self, consumer: str) -> bool:
        return (self.message.headers or {}).get(REPLAY_FOR) == consumer

    @contextmanager
    def in_call(self, consumer: str) -> Iterator[None]:
        """What is done here is done for the event's owner, in its trace, and timed."""
        attributes = {**_attributes(self.subject, consumer), "messaging.message.id": self.envelope.event_id}
        with tracing.consumer_span(f"process {self.subject}", self.traceparent, attributes) as span:
            context = CallContext(request_id=self.envelope.event_id, traceparent=span)
            set_call(context if self.owner_id is None else context.on_behalf_of(self.owner_id))
            started = time.perf_counter()
            try:
                yield
            finally:
                _SECONDS.labels(consumer).observe(time.perf_counter() - started, tracing.exemplar(span))

    def observe_lag(self, consumer: str) -> None:
        _LAG.labels(consumer).observe(max(0.0, time.time() - self.envelope.recorded_at.ToNanoseconds() / 1e9))


@contextmanager
def in_batch(consumer: str, arrivals: Sequence[Arrival]) -> Iterator[None]:
    """What is done here is done for all of them at once: a span in the trace of each, and the time shared out."""
    began = datetime.now(UTC)
    yield
    ended = datetime.now(UTC)
    subject = arrivals[0].subject
    attributes = {**_attributes(subject, consumer), "messaging.batch.message_count": len(arrivals)}
    seconds = _SECONDS.labels(consumer)
    for arrival in arrivals:
        seconds.observe((ended - began).total_seconds() / len(arrivals), tracing.exemplar(arrival.traceparent))
        tracing.add_span(f"process {subject}", arrival.traceparent, began, ended, attributes)


def _attributes(subject: str, consumer: str) -> dict[str, str | int]:
    return {
        "messaging.system": "nats",
        "messaging.destination.name": subject,
        "messaging.consumer.group.name": consumer,
    }
