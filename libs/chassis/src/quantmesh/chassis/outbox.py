"""Events as rows, written in the transaction that made them true (architecture.md, rules that keep data safe, 2)."""

import json
import zlib
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from uuid import UUID

from google.protobuf.message import Message
from psycopg.errors import NotNullViolation

from quantmesh.chassis.context import current_call
from quantmesh.chassis.envelopes import serialized
from quantmesh.chassis.ids import uuid7
from quantmesh.chassis.sql import Executor, text

PARTITIONS = 16
_dump = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode

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


def series_parts(condition: str = "true") -> str:
    """The same for many events of one or more aggregates on one subject, as parts of a WITH.

    So an effect and what tells of it can be one statement. Each event names the one before it; the table refuses the
    first of an aggregate whose versions did not grow. Nothing is written unless `condition` is so.
    """
    given = f"CASE WHEN {condition} THEN"
    return f"""
    head AS (
        INSERT INTO outbox_version AS v (subject, aggregate_id, version)
        SELECT :subject, aggregate_id, last
        FROM json_to_recordset({given} CAST(:heads AS json) END) AS s (aggregate_id text, last bigint)
        ON CONFLICT (subject, aggregate_id) DO UPDATE SET version = excluded.version
        RETURNING v.aggregate_id, coalesce(old.version, 0) AS previous
    ), written AS (
        INSERT INTO outbox (id, subject, partition, aggregate_id, aggregate_version, previous_version, owner_id,
                            occurred_at, schema_version, type, payload, traceparent)
        SELECT id, :subject, partition, aggregate_id, version,
               coalesce(follows, (
                   SELECT previous FROM head WHERE head.aggregate_id = e.aggregate_id AND head.previous < e.version
               )),
               CAST(:event_owner_id AS uuid), occurred_at, :schema_version, :message_type, decode(payload, 'base64'),
               traceparent
        FROM json_to_recordset({given} CAST(:series AS json) END) AS e (
            place bigint, id uuid, aggregate_id text, partition smallint, version bigint, follows bigint,
            occurred_at timestamptz, payload text, traceparent text
        )
        ORDER BY place
    )
"""  # noqa: S608  our own names


APPEND_SERIES = text(f"WITH {series_parts()} SELECT 1")


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
    session: Executor,
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
    subject; left out, it counts by itself. Raises ValueError where it does not grow, and EventTooLarge.
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
            "payload": serialized(subject, message),
            "traceparent": current_call().traceparent,
        },
    )
    if version is None:
        msg = f"{subject} of {aggregate_id}: version {aggregate_version} is not newer than what was written before"
        raise ValueError(msg)
    return event_id


async def append_series(
    session: Executor,
    subject: str,
    events: Sequence[SeriesEvent],
    *,
    aggregate_id: str | UUID,
    owner_id: UUID | None = None,
    schema_version: int = 1,
) -> None:
    """Write many events of one aggregate in one round trip, all of one type, their versions growing.

    Raises ValueError where the versions do not grow, or not past what was written before, and EventTooLarge.
    """
    own = {str(aggregate_id): events}
    values = series(subject, own, owner_id=owner_id, schema_version=schema_version)
    with versions_grow(subject, own):
        await session.execute(APPEND_SERIES, values)


def series(
    subject: str,
    events: Mapping[str, Sequence[SeriesEvent]],
    *,
    owner_id: UUID | None = None,
    schema_version: int = 1,
) -> dict[str, object]:
    """The values of series_parts for events by aggregate.

    Raises ValueError where an aggregate's versions shrink, and EventTooLarge.
    """
    traceparent = current_call().traceparent
    rows: list[dict[str, object]] = []
    heads = []
    # Always in one order, so that no two transactions wait for each other's versions.
    for aggregate_id, own in sorted(events.items()):
        if not own or any(later.version <= earlier.version for earlier, later in pairwise(own)):
            msg = f"{subject} of {aggregate_id}: a series has events, and their versions grow"
            raise ValueError(msg)
        partition = partition_of(aggregate_id)
        heads.append({"aggregate_id": aggregate_id, "last": own[-1].version})
        follows = None
        for event in own:
            rows.append(
                {
                    "place": len(rows),
                    "id": str(uuid7()),
                    "aggregate_id": aggregate_id,
                    "partition": partition,
                    "version": event.version,
                    "follows": follows,
                    "occurred_at": event.occurred_at.isoformat(),
                    "payload": b64encode(serialized(subject, event.message)).decode(),
                    "traceparent": traceparent if event.traceparent is None else event.traceparent,
                }
            )
            follows = event.version
    return {
        "series": _dump(rows),
        "heads": _dump(heads),
        "subject": subject,
        "event_owner_id": None if owner_id is None else str(owner_id),
        "schema_version": schema_version,
        "message_type": next((own[0].message.DESCRIPTOR.full_name for own in events.values()), ""),
    }


@contextmanager
def versions_grow(subject: str, events: Mapping[str, Sequence[SeriesEvent]]) -> Iterator[None]:
    """Around a statement with series_parts. Raises ValueError where the table refused a version, and all with it."""
    try:
        yield
    except NotNullViolation as error:
        if error.diag.column_name != "previous_version":
            raise
        firsts = ", ".join(f"{aggregate_id}: version {own[0].version}" for aggregate_id, own in events.items())
        msg = f"{subject} of {firsts} is not newer than what was written before"
        raise ValueError(msg) from error
