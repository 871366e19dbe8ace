"""Does the queued jobs: claims with SKIP LOCKED, says every second that it lives, and stops when told."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from quantmesh.chassis.cancellation import end
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

# A worker that fell silent loses its claim; `attempts` tells a claim from the next one of the same job.
_CLAIM = text(
    """
    UPDATE job SET status = 'running', attempts = attempts + 1, heartbeat_at = now(), updated_at = now()
    WHERE id = (
        SELECT id FROM job
        WHERE kind = ANY(:kinds)
          AND (status = 'queued' OR (status = 'running' AND heartbeat_at < now() - make_interval(secs => :dead_after)))
        ORDER BY created_at LIMIT 1 FOR UPDATE SKIP LOCKED
    )
    RETURNING id, owner_id, kind, parameters, attempts
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
        message = :message, progress = :progress, updated_at = now()
    WHERE id = :id AND attempts = :attempts AND status = 'running'
    """
)
_HOLD = text(
    "SELECT cancel_requested FROM job WHERE id = :id AND attempts = :attempts AND status = 'running' FOR UPDATE"
)
_SUCCEED = text(
    """
    UPDATE job SET status = 'succeeded', result = CAST(:result AS jsonb), progress = 1, message = :message,
        -- What was asked may be a whole file, and nobody will do it again.
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
        """`progress` from 0 to 1; may be called from another thread."""
        self.progress = min(max(progress, 0.0), 1.0)
        self.message = message


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
        async with self._database.system_transaction() as session:
            row = (
                await session.execute(_CLAIM, {"kinds": list(self._functions), "dead_after": _DEAD_AFTER_SECONDS})
            ).one_or_none()
        if row is None:
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
                result = await work
        except asyncio.CancelledError:
            if not job.ended_by:
                # This worker is being stopped, not the job.
                await asyncio.shield(self._release(job))
                raise
            if job.ended_by == "owner":
                await self._finish(job, "cancelled")
                metrics.JOBS.labels(job.kind, "cancelled").inc()
        except QuantmeshError as error:
            await self._fail(job, error)
        except Exception:
            log.exception("job failed", job=job.id, kind=job.kind)
            await self._fail(job, QuantmeshError("Something went wrong on our side; the job is logged."))
        else:
            job.report(1.0, job.message)
            await self._finish(job, "succeeded", result=result)
            metrics.JOBS.labels(job.kind, "succeeded").inc()
        finally:
            # Waited for: its transaction would otherwise outlive the database's pool.
            await end(work, heart)

    async def _beat(self, job: RunningJob, work: "asyncio.Future[Result]") -> None:
        while True:
            await asyncio.sleep(_HEARTBEAT_SECONDS)
            # While the database is away the work goes on; a claim lost meanwhile shows at the next beat.
            with suppress(Unavailable, Conflict):
                async with self._database.system_transaction() as session:
                    cancel_requested = await session.scalar(
                        _HEARTBEAT,
                        {"id": job.id, "attempts": job.attempts, "progress": job.progress, "message": job.message},
                    )
                if cancel_requested is None or cancel_requested:
                    job.ended_by = "owner" if cancel_requested else "another worker"
                    work.cancel()
                    return

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


def _problem(error: QuantmeshError) -> dict[str, Any]:
    """RFC 9457."""
    return {
        "type": f"/problems/{error.problem}",
        "title": error.problem.replace("-", " ").capitalize(),
        "status": HTTP_STATUS[kind_of(error)],
        "detail": error.detail,
    }
