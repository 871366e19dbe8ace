"""An event of the outbox as it travels: in its envelope, with headers, in one message of the broker."""

from typing import Any

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from quantmesh.api.common.v1.common_pb2 import EventEnvelope
from quantmesh.chassis.errors import InvalidInput
from quantmesh.chassis.events.streams import SUBJECT_ROOT

# The broker takes messages of up to 1 MiB: with the headers, the envelope, and the error of a dead letter.
MOST_BYTES = 1_000_000


class EventTooLarge(InvalidInput):
    """Refused where it would be written: the broker never takes it, and it would hold up all events behind it."""

    def __init__(self, subject: str, size: int) -> None:
        super().__init__(f"{subject}: an event has {size} bytes, and {MOST_BYTES} at most.")


def serialized(subject: str, message: Message) -> bytes:
    """What the envelope will carry. Raises EventTooLarge."""
    payload = message.SerializeToString(deterministic=True)
    if len(payload) > MOST_BYTES:
        raise EventTooLarge(subject, len(payload))
    return payload


def message_of(row: Any) -> tuple[str, bytes, dict[str, str]]:
    """Its subject, what it carries, and its headers."""
    headers = {"Nats-Msg-Id": row.id, "Content-Type": "application/protobuf"}
    if row.traceparent:
        headers["traceparent"] = row.traceparent
    envelope = EventEnvelope(
        event_id=row.id,
        aggregate_id=row.aggregate_id,
        aggregate_version=row.aggregate_version,
        previous_version=row.previous_version,
        owner_id=row.owner_id,
        occurred_at=_timestamp(row.occurred_micros),
        recorded_at=_timestamp(row.recorded_micros),
        schema_version=row.schema_version,
        type=row.type,
        payload=row.payload,
    )
    return f"{SUBJECT_ROOT}.{row.subject}.{row.partition}", envelope.SerializeToString(), headers


def _timestamp(micros: int) -> Timestamp:
    seconds, rest = divmod(micros, 1_000_000)
    return Timestamp(seconds=seconds, nanos=rest * 1000)
