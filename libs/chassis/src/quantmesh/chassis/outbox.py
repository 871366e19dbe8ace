"""Events as rows, written in the transaction that made them true (architecture.md, rules that keep data safe, 2)."""

import zlib
from datetime import datetime
from uuid import UUID

from google.protobuf.message import Message
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from quantmesh.chassis.context import current_call
from quantmesh.chassis.ids import uuid7

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


def partition_of(aggregate_id: str) -> int:
    """0 to 15; the same for an aggregate for ever, since it is part of its events' subject."""
    return zlib.crc32(aggregate_id.encode()) % PARTITIONS


async def append(
    session: AsyncSession,
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
