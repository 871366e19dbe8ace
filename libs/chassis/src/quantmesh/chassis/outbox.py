"""Events as rows, written in the transaction that made them true (architecture.md, rules that keep data safe, 2)."""

import json
import zlib
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from uuid import UUID

from google.protobuf.message import Message

from quantmesh.chassis.context import current_call
from quantmesh.chassis.ids import uuid7
from quantmesh.chassis.sql import Session, text

PARTITIONS = 16

# The version row is locked until commit: events of one aggregate on one subject get their positions in the order of
# their versions, so that the relay can publish by position. Each event names the version before it, which is how a
# consumer of this subject alone can tell a gap from a version that went to another subject.
_APPEND = text(
    """
    WITH head AS (
        INSERT INTO outbox_version AS v (subject, aggregate_id, version)
        VALUES (:subject, :aggregate_id, coalesce(CAST(:aggregate_version AS bigint), 1))
        ON CONFLICT (subject, aggregate_id)
        DO UPDATE SET version = coalesce(CAST(:aggregate_version AS bigint), v.version + 1)
        WHERE CAST(:aggregate_version AS bigint) IS NULL OR CAST(:aggregate_version AS bigint) > v.version
        RETURNING new.version, coalesce(old.version, 0) AS previous
    ), written AS (
    INSERT INTO outbox (id, subject, partition, aggregate_id, aggregate_version, previous_version, owner_id,
                        occurred_at, schema_version, type, payload, traceparent)
    SELECT :id, :subject, :partition, :aggregate_id, version, previous, CAST(:owner_id AS uuid),
           :occurred_at, :schema_version, :type, :payload, :traceparent
    FROM head
    )
    SELECT version FROM head
    """
)

# The same for many events of one or more aggregates on one subject, as parts of a WITH, so that an effect and what
# tells of it can be one statement; `head` has a row per aggregate whose versions grew. Each event names the one before.
SERIES = """
    event AS (
        SELECT * FROM json_to_recordset(CAST(:series AS json)) AS e (
            id uuid, aggregate_id text, partition smallint, version bigint, occurred_at timestamptz, payload text,
            traceparent text
        )
    ), span AS (
        SELECT aggregate_id, min(version) AS first, max(version) AS last FROM event GROUP BY aggregate_id
    ), head AS (
        INSERT INTO outbox_version AS v (subject, aggregate_id, version)
        SELECT :subject, aggregate_id, last FROM span ORDER BY aggregate_id
        ON CONFLICT (subject, aggregate_id) DO UPDATE SET version = excluded.version
        WHERE v.version < (SELECT first FROM span WHERE span.aggregate_id = excluded.aggregate_id)
        RETURNING v.aggregate_id, coalesce(old.version, 0) AS previous
    ), written AS (
        INSERT INTO outbox (id, subject, partition, aggregate_id, aggregate_version, previous_version, owner_id,
                            occurred_at, schema_version, type, payload, traceparent)
        SELECT id, :subject, partition, aggregate_id, version,
               coalesce(lag(version) OVER (PARTITION BY aggregate_id ORDER BY version), previous),
               CAST(:event_owner_id AS uuid), occurred_at, :schema_version, :message_type, decode(payload, 'base64'),
               traceparent
        FROM event JOIN head USING (aggregate_id)
        ORDER BY aggregate_id, version
    )
"""
APPEND_SERIES = text(f"WITH {SERIES} SELECT count(*) FROM head")  # noqa: S608  our own parts


@dataclass(frozen=True, slots=True)
class SeriesEvent:
    """`traceparent` where it is not this call that caused it."""

    message: Message
    version: int
    occurred_at: datetime
    traceparent: str | None = None


def partition_of(aggregate_id: str) -> int:
    """0 to 15; the same for an aggregate for ever, since it is part of its events' subject."""
    return zlib.crc32(aggregate_id.encode()) % PARTITIONS


async def append(
    session: Session,
    subject: str,
    message: Message,
    *,
    aggregate_id: str | UUID,
    occurred_at: datetime,
    aggregate_version: int | None = None,
    owner_id: UUID | None = None,
    schema_version: int = 1,
) -> UUID:
    """Write an event with the effect that it tells of; the id of the event.

    `subject` is "<service>.<noun>.<past-tense verb>". `aggregate_version` grows with each event of an aggregate on a
    subject; left out, it counts by itself. Raises ValueError where it does not grow.
    """
    event_id = uuid7()
    version: int | None = await session.scalar(
        _APPEND,
        {
            "id": event_id,
            "subject": subject,
            "partition": partition_of(str(aggregate_id)),
            "aggregate_id": str(aggregate_id),
            "aggregate_version": aggregate_version,
            "owner_id": None if owner_id is None else str(owner_id),
            "occurred_at": occurred_at,
            "schema_version": schema_version,
            "type": message.DESCRIPTOR.full_name,
            "payload": message.SerializeToString(deterministic=True),
            "traceparent": current_call().traceparent,
        },
    )
    if version is None:
        msg = f"{subject} of {aggregate_id}: version {aggregate_version} is not newer than what was written before"
        raise ValueError(msg)
    return event_id


async def append_series(
    session: Session,
    subject: str,
    events: Sequence[SeriesEvent],
    *,
    aggregate_id: str | UUID,
    owner_id: UUID | None = None,
    schema_version: int = 1,
) -> None:
    """Write many events of one aggregate in one round trip, all of one type, their versions growing.

    Raises ValueError where the versions do not grow, or not past what was written before.
    """
    own = {str(aggregate_id): events}
    values = series(subject, own, owner_id=owner_id, schema_version=schema_version)
    check_series(await session.scalar(APPEND_SERIES, values), subject, own)


def series(
    subject: str,
    events: Mapping[str, Sequence[SeriesEvent]],
    *,
    owner_id: UUID | None = None,
    schema_version: int = 1,
) -> dict[str, object]:
    """The values of SERIES for events by aggregate. Raises ValueError where an aggregate's versions do not grow."""
    traceparent = current_call().traceparent
    rows = []
    for aggregate_id, own in events.items():
        if not own or any(later.version <= earlier.version for earlier, later in pairwise(own)):
            msg = f"{subject} of {aggregate_id}: a series has events, and their versions grow"
            raise ValueError(msg)
        partition = partition_of(aggregate_id)
        rows += [
            {
                "id": str(uuid7()),
                "aggregate_id": aggregate_id,
                "partition": partition,
                "version": event.version,
                "occurred_at": event.occurred_at.isoformat(),
                "payload": b64encode(event.message.SerializeToString(deterministic=True)).decode(),
                "traceparent": traceparent if event.traceparent is None else event.traceparent,
            }
            for event in own
        ]
    return {
        "series": json.dumps(rows),
        "subject": subject,
        "event_owner_id": None if owner_id is None else str(owner_id),
        "schema_version": schema_version,
        "message_type": next((own[0].message.DESCRIPTOR.full_name for own in events.values()), ""),
    }


def check_series(grown: int, subject: str, events: Mapping[str, Sequence[SeriesEvent]]) -> None:
    """Raises ValueError where `head` had fewer rows than there are aggregates."""
    if grown != len(events):
        firsts = ", ".join(f"{aggregate_id}: version {own[0].version}" for aggregate_id, own in events.items())
        msg = f"{subject} of {firsts} is not newer than what was written before"
        raise ValueError(msg)
