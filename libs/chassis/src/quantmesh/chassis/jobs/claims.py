"""What a worker and the table of jobs say to each other: a claim is taken, kept, and given back or ended."""

import asyncio
import json
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from quantmesh.chassis.sql import Session, text

_DEAD_AFTER_SECONDS = 15.0

# A worker that fell silent loses its claim; `attempts` tells a claim from the next one of the same job. What was asked
# goes where a job ends: it may be a whole file, and nobody will do it again. Nobody waits for all that another has
# queued: the owner of whom the fewest are running comes first, then who was served longest ago. Only open jobs are read
# for that, which an index holds.
_CLAIM = text(
    """
    UPDATE job SET
        -- Nobody has worked on it since its owner cancelled it.
        status = CASE WHEN cancel_requested THEN 'cancelled' ELSE 'running' END,
        parameters = CASE WHEN cancel_requested THEN '' ELSE parameters END,
        attempts = attempts + 1, heartbeat_at = now(), updated_at = now()
    WHERE id = (
        SELECT waiting.id FROM job AS waiting
        LEFT JOIN (
            SELECT owner_id, count(*) AS jobs FROM job
            WHERE status = 'running' AND heartbeat_at >= now() - make_interval(secs => :dead_after)
            GROUP BY owner_id
        ) AS worked_on ON worked_on.owner_id = waiting.owner_id
        WHERE kind = ANY(:kinds) AND (
            status = 'queued' AND updated_at <= now() - attempts * make_interval(secs => :pause)
            OR status = 'running' AND heartbeat_at < now() - make_interval(secs => :dead_after)
        )
        ORDER BY coalesce(worked_on.jobs, 0),
                 coalesce(array_position(CAST(:served AS uuid[]), waiting.owner_id), 0), created_at
        LIMIT 1 FOR UPDATE OF waiting SKIP LOCKED
    )
    RETURNING id, owner_id, kind, parameters, attempts, status
    """
)
_HEARTBEAT = text(
    """
    UPDATE job SET heartbeat_at = now(), updated_at = now(), progress = :progress, message = :message
    WHERE id = :id AND attempts = :attempts AND status = 'running' RETURNING cancel_requested
    """
)
_FINISH = text(
    """
    UPDATE job SET
        -- Its owner was told of no end, and then cancelled it.
        status = CASE WHEN cancel_requested AND :status = 'succeeded' THEN 'cancelled' ELSE :status END,
        result = CASE WHEN cancel_requested THEN NULL ELSE CAST(:result AS jsonb) END,
        problem = CAST(:problem AS jsonb), message = :message, progress = :progress, parameters = '', updated_at = now()
    WHERE id = :id AND attempts = :attempts AND status = 'running'
    RETURNING status
    """
)
_HOLD = text(
    "SELECT cancel_requested FROM job WHERE id = :id AND attempts = :attempts AND status = 'running' FOR UPDATE"
)
_SUCCEED = text(
    """
    UPDATE job SET status = 'succeeded', result = CAST(:result AS jsonb), message = :message, progress = 1,
        parameters = '', updated_at = now()
    WHERE id = :id AND attempts = :attempts
    """
)
_GIVE_BACK = text(
    """
    UPDATE job SET status = 'queued', attempts = :spent, heartbeat_at = NULL, progress = 0, message = :message,
        updated_at = now()
    WHERE id = :id AND attempts = :attempts AND status = 'running'
    """
)


Result = Mapping[str, Any]


@dataclass(eq=False)
class RunningJob:
    """What a job's function gets; `report` costs nothing, the next heartbeat carries it."""

    id: str
    owner_id: UUID
    kind: str
    parameters: bytes
    attempts: int
    progress: float = 0.0
    message: str = ""
    ended_by: str = field(default="", init=False)

    def report(self, progress: float, message: str) -> None:
        """`progress` from 0 to 1; may be called from another thread. Raises ValueError where it is no number."""
        if math.isnan(progress):
            msg = f"{self.kind}: progress is a number"
            raise ValueError(msg)
        self.progress = min(max(progress, 0.0), 1.0)
        self.message = as_text(message)

    @property
    def claim(self) -> dict[str, object]:
        return {"id": self.id, "attempts": self.attempts}

    @property
    def shown(self) -> dict[str, object]:
        return {"progress": self.progress, "message": self.message}


async def take(
    session: Session, kinds: Collection[str], served: Sequence[UUID], pause_seconds: float
) -> RunningJob | None:
    """The next one to be begun; None where nothing waits.

    `served` are owners who had their turn, the latest last: all others come before them. What was given back waits for
    `pause_seconds` times its attempts. One that was cancelled before anybody took it up has ended by that.
    """
    wanted = {"kinds": list(kinds), "served": list(served), "pause": pause_seconds, "dead_after": _DEAD_AFTER_SECONDS}
    row = (await session.execute(_CLAIM, wanted)).one_or_none()
    if row is None:
        return None
    job = RunningJob(row.id, row.owner_id, row.kind, bytes(row.parameters), row.attempts)
    if row.status == "cancelled":
        job.ended_by = "owner"
    return job


async def keep(session: Session, job: RunningJob) -> None:
    """Says that it is being done; where its owner or another worker ended that, so does the job."""
    _note_end(job, await session.scalar(_HEARTBEAT, job.claim | job.shown))


async def succeed(session: Session, job: RunningJob, result: Result) -> None:
    """End a job in the transaction of its effect, so that neither is without the other, whoever dies or cancels.

    A job that was cancelled, or is another worker's by now, ends the work here as the next heartbeat would have.
    """
    _note_end(job, await session.scalar(_HOLD, job.claim))
    if job.ended_by:
        raise asyncio.CancelledError
    ended = {"message": job.message, "result": json.dumps(dict(result), allow_nan=False)}
    await session.execute(_SUCCEED, job.claim | ended)


async def finish(
    session: Session, job: RunningJob, status: str, *, result: Result | None = None, problem: Result | None = None
) -> str:
    """As what it has ended: `cancelled` where its owner asked for that before it succeeded.

    Nothing is written where it has ended, or is another worker's. Raises TypeError or ValueError where `result` is no
    JSON.
    """
    ended = {
        "status": status,
        "result": None if result is None else json.dumps(dict(result), allow_nan=False),
        "problem": None if problem is None else json.dumps(dict(problem)),
    }
    return await session.scalar(_FINISH, job.claim | job.shown | ended) or status


async def give_back(session: Session, job: RunningJob, spent: int) -> None:
    """To the queue, as having been attempted `spent` times; nothing where it has ended, or is another worker's."""
    await session.execute(_GIVE_BACK, job.claim | {"spent": spent, "message": job.message})


def as_text(words: str) -> str:
    """What Postgres takes as text: no NUL, and no half of a surrogate pair."""
    return words.replace("\0", "\ufffd").encode(errors="replace").decode()


def _note_end(job: RunningJob, cancel_requested: bool | None) -> None:
    """By what a claim's row says; there is none where the claim is another worker's."""
    if cancel_requested is None or cancel_requested:
        job.ended_by = "owner" if cancel_requested else "another worker"
