"""What a consumer has handled, kept in the transaction of the effect."""

from enum import Enum
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from quantmesh.api.common.v1.common_pb2 import EventEnvelope
from quantmesh.chassis.database import Database

KEPT_DAYS = 30

# One round trip. The claim waits for a replica that holds the same event, and then sees whether it committed.
_CLAIM = text(
    """
    WITH claimed AS (
        INSERT INTO inbox AS i (consumer, event_id, handled_at) VALUES (:consumer, :event_id, now())
        ON CONFLICT (consumer, event_id) DO UPDATE SET handled_at = now() WHERE i.handled_at IS NULL
        RETURNING consumer
    ), advanced AS (
        INSERT INTO inbox_version AS v (consumer, subject, aggregate_id, version)
        SELECT consumer, :subject, :aggregate_id, CAST(:version AS bigint) FROM claimed
        ON CONFLICT (consumer, subject, aggregate_id)
        DO UPDATE SET version = excluded.version WHERE v.version BETWEEN :previous AND excluded.version - 1
        RETURNING coalesce(old.version, 0) AS before
    )
    SELECT EXISTS (SELECT FROM claimed) AS claimed, (SELECT before FROM advanced) AS before
    """
)
_VERSION = text(
    "SELECT version FROM inbox_version"
    " WHERE consumer = :consumer AND subject = :subject AND aggregate_id = :aggregate_id"
)
_SKIP = text(
    """
    WITH settled AS (
        INSERT INTO inbox AS i (consumer, event_id, handled_at) VALUES (:consumer, :event_id, now())
        ON CONFLICT (consumer, event_id) DO UPDATE SET handled_at = now()
    )
    INSERT INTO inbox_version AS v (consumer, subject, aggregate_id, version)
    VALUES (:consumer, :subject, :aggregate_id, :version)
    ON CONFLICT (consumer, subject, aggregate_id) DO UPDATE SET version = greatest(v.version, :version)
    """
)
_COUNT_FAILURE = text(
    """
    INSERT INTO inbox AS i (consumer, event_id, failures) VALUES (:consumer, :event_id, 1)
    ON CONFLICT (consumer, event_id) DO UPDATE SET failures = i.failures + 1
    RETURNING failures
    """
)
_SWEEP = text("DELETE FROM inbox WHERE handled_at < now() - make_interval(days => :days)")


class Verdict(Enum):
    """Its value names the outcome in metrics."""

    HANDLE = "handled"
    DUPLICATE = "duplicate"
    # The event before this one has not been handled.
    GAP = "gap"


async def claim(
    session: AsyncSession, consumer: str, subject: str, envelope: EventEnvelope, *, accept_unseen: bool
) -> Verdict:
    """Mark the event as handled. After HANDLE the effect follows in this transaction; a gap must roll it back.

    `accept_unseen` takes an aggregate's first sight for its beginning: the broker has dropped what came before.
    """
    aggregate = {"consumer": consumer, "subject": subject, "aggregate_id": envelope.aggregate_id}
    event = {
        "event_id": UUID(envelope.event_id),
        "version": envelope.aggregate_version,
        "previous": envelope.previous_version,
    }
    claimed, before = (await session.execute(_CLAIM, {**aggregate, **event})).one()
    if not claimed:
        return Verdict.DUPLICATE
    if before is None:
        version: int = await session.scalar(_VERSION, aggregate) or 0
        return Verdict.DUPLICATE if version >= envelope.aggregate_version else Verdict.GAP
    if before == 0 and envelope.previous_version > 0 and not accept_unseen:
        return Verdict.GAP
    return Verdict.HANDLE


async def skip(session: AsyncSession, consumer: str, subject: str, envelope: EventEnvelope) -> None:
    """The event went to the dead letters: those behind it need not wait for it."""
    await session.execute(
        _SKIP,
        {
            "consumer": consumer,
            "event_id": UUID(envelope.event_id),
            "subject": subject,
            "aggregate_id": envelope.aggregate_id,
            "version": envelope.aggregate_version,
        },
    )


async def count_failure(database: Database, consumer: str, event_id: UUID) -> int:
    """How often handling has failed by now, this time included; survives restarts."""
    async with database.system_transaction() as session:
        return int(await session.scalar(_COUNT_FAILURE, {"consumer": consumer, "event_id": event_id}) or 0)


async def sweep(database: Database) -> None:
    """Forget single events after 30 days; their aggregates' versions go on refusing them."""
    async with database.system_transaction() as session:
        await session.execute(_SWEEP, {"days": KEPT_DAYS})
