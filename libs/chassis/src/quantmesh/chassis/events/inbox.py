"""What a consumer has handled, kept in the transaction of the effect."""

from collections.abc import Sequence
from enum import Enum
from uuid import UUID

from quantmesh.api.common.v1.common_pb2 import EventEnvelope
from quantmesh.chassis.database import Database
from quantmesh.chassis.database_errors import ConcurrentUpdate
from quantmesh.chassis.sql import Session, plain_array, text

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
        DO UPDATE SET version = excluded.version
        WHERE v.version < excluded.version AND (v.version >= :previous OR CAST(:accept_unseen AS boolean))
        RETURNING coalesce(old.version, 0) AS before
    )
    SELECT EXISTS (SELECT FROM claimed) AS claimed, (SELECT before FROM advanced) AS before
    """
)
_VERSION = text(
    "SELECT version FROM inbox_version"
    " WHERE consumer = :consumer AND subject = :subject AND aggregate_id = :aggregate_id"
)
# A row without `handled_at` behind the aggregate's version is an event that was given up.
_SKIP = text(
    """
    WITH known AS (
        INSERT INTO inbox (consumer, event_id) VALUES (:consumer, :event_id) ON CONFLICT DO NOTHING
    )
    INSERT INTO inbox_version AS v (consumer, subject, aggregate_id, version)
    VALUES (:consumer, :subject, :aggregate_id, :version)
    ON CONFLICT (consumer, subject, aggregate_id) DO UPDATE SET version = greatest(v.version, :version)
    """
)
_RECLAIM = text(
    """
    WITH claimed AS (
        INSERT INTO inbox AS i (consumer, event_id, handled_at) VALUES (:consumer, :event_id, now())
        ON CONFLICT (consumer, event_id) DO UPDATE SET handled_at = now() WHERE i.handled_at IS NULL
        RETURNING consumer
    )
    INSERT INTO inbox_version AS v (consumer, subject, aggregate_id, version)
    SELECT consumer, :subject, :aggregate_id, CAST(:version AS bigint) FROM claimed
    ON CONFLICT (consumer, subject, aggregate_id) DO UPDATE SET version = greatest(v.version, excluded.version)
    RETURNING version
    """
)
# What is known of several events of one subject; the versions stay locked, so that nobody handles these meanwhile.
_KNOWN = text(
    """
    WITH newest AS (
        SELECT aggregate_id, version FROM inbox_version
        WHERE consumer = :consumer AND subject = :subject AND aggregate_id = ANY(CAST(:aggregates AS text[]))
        ORDER BY aggregate_id
        FOR UPDATE
    )
    SELECT aggregate_id, version, NULL::uuid AS event_id FROM newest
    UNION ALL
    SELECT NULL, NULL, event_id FROM inbox
    WHERE consumer = :consumer AND event_id = ANY(CAST(:events AS uuid[])) AND handled_at IS NOT NULL
    """
)
_CLAIM_TOGETHER = text(
    """
    WITH claimed AS (
        INSERT INTO inbox AS i (consumer, event_id, handled_at)
        SELECT :consumer, event_id, now() FROM unnest(CAST(:events AS uuid[])) AS event_id
        ON CONFLICT (consumer, event_id) DO UPDATE SET handled_at = now() WHERE i.handled_at IS NULL
        RETURNING event_id
    ), advanced AS (
        INSERT INTO inbox_version (consumer, subject, aggregate_id, version)
        SELECT :consumer, :subject, aggregate_id, version
        FROM unnest(CAST(:aggregates AS text[]), CAST(:versions AS bigint[])) AS newest (aggregate_id, version)
        ON CONFLICT (consumer, subject, aggregate_id) DO UPDATE SET version = excluded.version
    )
    SELECT count(*) FROM claimed
    """
)
_COUNT_FAILURE = text(
    """
    INSERT INTO inbox AS i (consumer, event_id, failures) VALUES (:consumer, :event_id, 1)
    ON CONFLICT (consumer, event_id) DO UPDATE SET failures = i.failures + 1
    RETURNING failures
    """
)


class Verdict(Enum):
    """Its value names the outcome in metrics."""

    HANDLE = "handled"
    # The event before this one was never handled here, and never will be.
    ORPHAN = "orphaned"
    DUPLICATE = "duplicate"
    # The event before this one has not been handled.
    GAP = "gap"

    @property
    def takes_effect(self) -> bool:
        return self in {Verdict.HANDLE, Verdict.ORPHAN}


async def claim(
    session: Session, consumer: str, subject: str, envelope: EventEnvelope, *, accept_unseen: bool
) -> Verdict:
    """Mark the event as handled. Where it takes effect that follows in this transaction; all else must roll it back.

    `accept_unseen`: the broker has dropped what came before. An aggregate's first sight is its beginning then, and of
    an aggregate that is known the event follows on whatever was handled last.
    """
    previous = envelope.previous_version
    event = {**_place(consumer, subject, envelope), "previous": previous, "accept_unseen": accept_unseen}
    claimed, before = (await session.execute(_CLAIM, event)).one()
    if not claimed:
        return Verdict.DUPLICATE
    if before is None:
        version: int = await session.scalar(_VERSION, event) or 0
        return Verdict.DUPLICATE if version >= envelope.aggregate_version else Verdict.GAP
    if before == 0 and previous > 0 and not accept_unseen:
        return Verdict.GAP
    return Verdict.ORPHAN if 0 < before < previous else Verdict.HANDLE


async def claim_together(
    session: Session, consumer: str, subject: str, envelopes: Sequence[EventEnvelope]
) -> list[Verdict]:
    """As `claim` of one after the other, in two statements; whatever the verdicts, the transaction may be committed.

    Raises ConcurrentUpdate where another replica has come in between.
    """
    aggregates = sorted({envelope.aggregate_id for envelope in envelopes})
    events = plain_array(envelope.event_id for envelope in envelopes)
    found = await session.execute(
        _KNOWN, {"consumer": consumer, "subject": subject, "aggregates": aggregates, "events": events}
    )
    versions: dict[str, int] = {}
    handled: set[str] = set()
    for row in found:
        if row.event_id is None:
            versions[row.aggregate_id] = row.version
        else:
            handled.add(str(row.event_id))
    verdicts = [_judge(envelope, versions, handled) for envelope in envelopes]
    chosen = [envelope for envelope, verdict in zip(envelopes, verdicts, strict=True) if verdict is Verdict.HANDLE]
    if not chosen:
        return verdicts
    # In one order, so that two replicas with the same events wait for each other and not both.
    newest = {aggregate: versions[aggregate] for aggregate in sorted({envelope.aggregate_id for envelope in chosen})}
    claimed = await session.scalar(
        _CLAIM_TOGETHER,
        {
            "consumer": consumer,
            "subject": subject,
            "events": plain_array(sorted(envelope.event_id for envelope in chosen)),
            "aggregates": list(newest),
            "versions": plain_array(newest.values()),
        },
    )
    if claimed != len(chosen):
        msg = "Another replica handles the same events."
        raise ConcurrentUpdate(msg)
    return verdicts


def _judge(envelope: EventEnvelope, versions: dict[str, int], handled: set[str]) -> Verdict:
    """By what is known so far, to which an event that may be handled is added."""
    version = versions.get(envelope.aggregate_id, 0)
    if envelope.event_id in handled or version >= envelope.aggregate_version:
        return Verdict.DUPLICATE
    if version < envelope.previous_version:
        return Verdict.GAP
    versions[envelope.aggregate_id] = envelope.aggregate_version
    handled.add(envelope.event_id)
    return Verdict.HANDLE


async def reclaim(session: Session, consumer: str, subject: str, envelope: EventEnvelope) -> Verdict:
    """As `claim`, for an event that was given up: those behind it have gone on without it."""
    version = await session.scalar(_RECLAIM, _place(consumer, subject, envelope))
    return Verdict.DUPLICATE if version is None else Verdict.HANDLE


async def skip(session: Session, consumer: str, subject: str, envelope: EventEnvelope) -> None:
    """The event went to the dead letters: those behind it need not wait for it."""
    await session.execute(_SKIP, _place(consumer, subject, envelope))


def _place(consumer: str, subject: str, envelope: EventEnvelope) -> dict[str, object]:
    return {
        "consumer": consumer,
        "subject": subject,
        "aggregate_id": envelope.aggregate_id,
        "event_id": UUID(envelope.event_id),
        "version": envelope.aggregate_version,
    }


async def count_failure(database: Database, consumer: str, event_id: UUID) -> int:
    """How often handling has failed by now, this time included; survives restarts."""
    async with database.system_transaction() as session:
        return int(await session.scalar(_COUNT_FAILURE, {"consumer": consumer, "event_id": event_id}) or 0)
