"""Events as rows, written in the transaction that made them true (architecture.md, rules that keep data safe, 2)."""

import json
import zlib
from base64 import b64encode
from collections.abc import Sequence
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

# The same for many events of one aggregate on one subject, in one statement; each names the one before it.
_APPEND_SERIES = text(
    """
    WITH event AS (
        SELECT * FROM json_to_recordset(CAST(:events AS json))
            AS e (id uuid, version bigint, occurred_at timestamptz, payload text)
    ), head AS (
        INSERT INTO outbox_version AS v (subject, aggregate_id, version)
        SELECT :subject, :aggregate_id, max(version) FROM event
        ON CONFLICT (subject, aggregate_id) DO UPDATE SET version = excluded.version
        WHERE (SELECT min(version) FROM event) > v.version
        RETURNING coalesce(old.version, 0) AS previous
    ), written AS (
    INSERT INTO outbox (id, subject, partition, aggregate_id, aggregate_version, previous_version, owner_id,
                        occurred_at, schema_version, type, payload, traceparent)
    SELECT id, :subject, :partition, :aggregate_id, version,
           coalesce(lag(version) OVER (ORDER BY version), previous), CAST(:owner_id AS uuid),
           occurred_at, :schema_version, :type, decode(payload, 'base64'), :traceparent
    FROM event, head
    ORDER BY version
    )
    SELECT previous FROM head
    """
)


@dataclass(frozen=True, slots=True)
class SeriesEvent:
    message: Message
    version: int
    occurred_at: datetime


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
    versions = [event.version for event in events]
    if not versions or any(later <= earlier for earlier, later in pairwise(versions)):
        msg = f"{subject} of {aggregate_id}: a series has events, and their versions grow"
        raise ValueError(msg)
    rows = [
        {
            "id": str(uuid7()),
            "version": event.version,
            "occurred_at": event.occurred_at.isoformat(),
            "payload": b64encode(event.message.SerializeToString(deterministic=True)).decode(),
        }
        for event in events
    ]
    previous: int | None = await session.scalar(
        _APPEND_SERIES,
        {
            "events": json.dumps(rows),
            "subject": subject,
            "partition": partition_of(str(aggregate_id)),
            "aggregate_id": str(aggregate_id),
            "owner_id": None if owner_id is None else str(owner_id),
            "schema_version": schema_version,
            "type": events[0].message.DESCRIPTOR.full_name,
            "traceparent": current_call().traceparent,
        },
    )
    if previous is None:
        msg = f"{subject} of {aggregate_id}: version {versions[0]} is not newer than what was written before"
        raise ValueError(msg)
