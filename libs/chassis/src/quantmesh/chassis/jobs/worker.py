"""Does the queued jobs: claims with SKIP LOCKED, says every second that it lives, and stops when told."""

import asyncio
import json
import math
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from psycopg import DataError

from quantmesh.chassis.cancellation import end, is_cancelled, raise_if_cancelled
from quantmesh.chassis.context import CallContext, set_call
from quantmesh.chassis.database import Database
from quantmesh.chassis.errors import HTTP_STATUS, Conflict, QuantmeshError, Unavailable, kind_of
from quantmesh.chassis.jobs import metrics
from quantmesh.chassis.sql import Session, text
from quantmesh.chassis.telemetry.logs import get_logger

log = get_logger(__name__)

_POLL_SECONDS = 0.5
_HEARTBEAT_SECONDS = 1.0
_DEAD_AFTER_SECONDS = 15.0
_MAXIMUM_ATTEMPTS = 3
# What a job's function has to put things away where its worker stops; then it is cancelled again and again.
_PUTTING_AWAY_SECONDS = 5.0

# A worker that fell silent loses its claim; `attempts` tells a claim from the next one of the same job. What was asked
# goes where a job ends: it may be a whole file, and nobody will do it again.
_CLAIM = text(
    """
    UPDATE job SET
        -- Nobody has worked on it since its owner cancelled it.
        status = CASE WHEN cancel_requested THEN 'cancelled' ELSE 'running' END,
        parameters = CASE WHEN cancel_requested THEN '' ELSE parameters END,
        attempts = attempts + 1, heartbeat_at = now(), updated_at = now()
    WHERE id = (
        SELECT id FROM job
        WHERE kind = ANY(:kinds)
          AND (status = 'queued' OR (status = 'running' AND heartbeat_at < now() - make_interval(secs => :dead_after)))
        ORDER BY created_at LIMIT 1 FOR UPDATE SKIP LOCKED
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
    UPDATE job SET status = :status, result = CAST(:result AS jsonb), problem = CAST(:problem AS jsonb),
        message = :message, progress = :progress, parameters = '', updated_at = now()
    WHERE id = :id AND attempts = :attempts AND status = 'running'
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
_RELEASE = text(
    """
    UPDATE job SET status = 'queued', attempts = attempts - 1, heartbeat_at = NULL, progress = 0, updated_at = now()
    WHERE id = :id AND attempts = :attempts AND status = 'running'
    """
)


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
        self.message = _as_text(message)


Result = Mapping[str, Any]
Run = Callable[[RunningJob], Awaitable[Result]]


async def succeed(session: Session, job: RunningJob, result: Result) -> None:
    """End a job in the transaction of its effect, so that neither is without the other, whoever dies or cancels.

    A job that was cancelled, or is another worker's by now, ends the work here as the next heartbeat would have.
    """
    claim = {"id": job.id, "attempts": job.attempts}
    cancel_requested = await session.scalar(_HOLD, claim)
    if cancel_requested is None or cancel_requested:
        job.ended_by = "owner" if cancel_requested else "another worker"
        raise asyncio.CancelledError
    ended = {"message": job.message, "result": json.dumps(dict(result), allow_nan=False)}
    await session.execute(_SUCCEED, claim | ended)


class JobWorker:
    """`functions` by the kind of job. A function is cancelled where its job is; its result must be JSON.

    A job whose worker died is done again, three times at most, so a function must bear repetition.
    """

    def __init__(self, database: Database, functions: Mapping[str, Run], *, parallel: int = 1) -> None:
        self._database = database
        self._functions = dict(functions)
        self._parallel = parallel

    async def run(self) -> None:
        """Until cancelled; what is being done then goes back to the queue."""
        async with asyncio.TaskGroup() as group:
            group.create_task(metrics.watch_queue(self._database, list(self._functions)))
            for _ in range(self._parallel):
                group.create_task(self._work())

    async def _work(self) -> None:
        while True:
            try:
                job = await self._claim()
            except (Unavailable, Conflict) as fault:
                log.warning("job worker waits", error=fault.detail)
                job = None
            if job is None:
                await asyncio.sleep(_POLL_SECONDS)
            else:
                await self._do(job)

    async def _claim(self) -> RunningJob | None:
        wanted = {"kinds": list(self._functions), "dead_after": _DEAD_AFTER_SECONDS}
        async with self._database.system_transaction() as session:
            row = (await session.execute(_CLAIM, wanted)).one_or_none()
        if row is None:
            return None
        if row.status == "cancelled":
            metrics.JOBS.labels(row.kind, row.status).inc()
            return None
        return RunningJob(row.id, row.owner_id, row.kind, bytes(row.parameters), row.attempts)

    async def _do(self, job: RunningJob) -> None:
        set_call(CallContext(request_id=job.id).on_behalf_of(job.owner_id))
        if job.attempts > _MAXIMUM_ATTEMPTS:
            await self._fail(job, _WorkerDied())
            return
        work = asyncio.ensure_future(self._functions[job.kind](job))
        heart = asyncio.create_task(self._beat(job, work))
        try:
            with metrics.SECONDS.labels(job.kind).time():
                await _ended(job, work)
        finally:
            # Waited for: its transaction would otherwise outlive the database's pool.
            await end(work, heart)
            await self._conclude(job, work)

    async def _beat(self, job: RunningJob, work: "asyncio.Future[Result]") -> None:
        try:
            while not job.ended_by:
                await asyncio.sleep(_HEARTBEAT_SECONDS)
                # While the database is away the work goes on; a claim lost meanwhile shows at the next beat.
                with suppress(Unavailable, Conflict):
                    await self._keep_claim(job)
            work.cancel()
        except Exception:
            # Without it another worker would begin the same job beside this one.
            log.exception("a job lost its heartbeat", job=job.id, kind=job.kind)
            work.cancel()

    async def _keep_claim(self, job: RunningJob) -> None:
        values = {"id": job.id, "attempts": job.attempts, "progress": job.progress, "message": job.message}
        async with self._database.system_transaction() as session:
            cancel_requested = await session.scalar(_HEARTBEAT, values)
        if cancel_requested is None or cancel_requested:
            job.ended_by = "owner" if cancel_requested else "another worker"

    async def _conclude(self, job: RunningJob, work: "asyncio.Future[Result]") -> None:
        try:
            result = work.result()
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001  the job ends by it
            await self._conclude_without_result(job, error)
        else:
            await self._succeed(job, result)

    async def _conclude_without_result(self, job: RunningJob, error: BaseException) -> None:
        if job.ended_by == "another worker":
            return
        if job.ended_by and isinstance(error, asyncio.CancelledError):
            await self._finish(job, "cancelled")
            metrics.JOBS.labels(job.kind, "cancelled").inc()
        elif is_cancelled() and not job.ended_by:
            # This worker is being stopped, not the job.
            await asyncio.shield(self._release(job))
        elif isinstance(error, QuantmeshError):
            await self._fail(job, error)
        else:
            # Also where what it waited for was cancelled, as a call whose channel is closed.
            log.error("job failed", job=job.id, kind=job.kind, exc_info=error)
            await self._fail(job, _Bug())

    async def _succeed(self, job: RunningJob, result: Result) -> None:
        job.report(1.0, job.message)
        try:
            await self._finish(job, "succeeded", result=result)
        except (TypeError, ValueError, DataError):
            log.exception("job's result cannot be kept", job=job.id, kind=job.kind)
            await self._fail(job, _Bug())
        else:
            metrics.JOBS.labels(job.kind, "succeeded").inc()

    async def _fail(self, job: RunningJob, error: QuantmeshError) -> None:
        await self._finish(job, "failed", problem=_problem(error))
        metrics.JOBS.labels(job.kind, metrics.status_after(error)).inc()

    async def _finish(
        self, job: RunningJob, status: str, *, result: Result | None = None, problem: Result | None = None
    ) -> None:
        values = {
            "id": job.id,
            "attempts": job.attempts,
            "status": status,
            "result": None if result is None else json.dumps(dict(result), allow_nan=False),
            "problem": None if problem is None else json.dumps(dict(problem)),
            "message": job.message,
            "progress": job.progress,
        }
        while True:
            try:
                async with self._database.system_transaction() as session:
                    await session.execute(_FINISH, values)
            except (Unavailable, Conflict):
                # A worker that is being stopped waits for no database: the claim runs out by itself.
                raise_if_cancelled()
                await asyncio.sleep(_POLL_SECONDS)
            else:
                return

    async def _release(self, job: RunningJob) -> None:
        # Where this fails too, the claim runs out by itself.
        with suppress(Unavailable, Conflict):
            async with self._database.system_transaction() as session:
                await session.execute(_RELEASE, {"id": job.id, "attempts": job.attempts})


class _WorkerDied(QuantmeshError):
    problem = "job-abandoned"

    def __init__(self) -> None:
        super().__init__(f"The job was begun {_MAXIMUM_ATTEMPTS} times, and each time its worker died.")


class _Bug(QuantmeshError):
    def __init__(self) -> None:
        super().__init__("Something went wrong on our side; the job is logged.")


async def _ended(job: RunningJob, work: "asyncio.Future[Result]") -> None:
    """Waits for it, and not in its place: so a cancellation of the work is none of the worker's, nor hides one."""
    try:
        await asyncio.wait({work})
    except asyncio.CancelledError:
        # Once, and what its owner has cancelled not again: it may be putting something away.
        if not job.ended_by:
            work.cancel()
        await asyncio.wait({work}, timeout=_PUTTING_AWAY_SECONDS)
        raise


def _as_text(words: str) -> str:
    """What Postgres takes as text: no NUL, and no half of a surrogate pair."""
    return words.replace("\0", "\ufffd").encode(errors="replace").decode()


def _problem(error: QuantmeshError) -> dict[str, Any]:
    """RFC 9457."""
    return {
        "type": f"/problems/{error.problem}",
        "title": error.problem.replace("-", " ").capitalize(),
        "status": HTTP_STATUS[kind_of(error)],
        "detail": _as_text(error.detail),
    }
