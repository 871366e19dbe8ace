"""Does the queued jobs: takes one after the other, says every second that it lives, and stops when told."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any, TypeVar
from uuid import UUID

from psycopg import DataError

from quantmesh.chassis.cancellation import end, is_cancelled, raise_if_cancelled
from quantmesh.chassis.context import CallContext, set_call
from quantmesh.chassis.database import Database
from quantmesh.chassis.errors import HTTP_STATUS, Conflict, QuantmeshError, Unavailable, kind_of
from quantmesh.chassis.jobs import claims, metrics
from quantmesh.chassis.jobs.claims import Result, RunningJob
from quantmesh.chassis.sql import Session
from quantmesh.chassis.telemetry.logs import get_logger

log = get_logger(__name__)

_POLL_SECONDS = 0.5
_HEARTBEAT_SECONDS = 1.0
_MAXIMUM_ATTEMPTS = 3
# After the first attempt, and twice as long after the second: who is restarted is back by then.
_PAUSE_SECONDS = 5.0
# Whose turns a worker remembers; between several workers what is running tells most.
_REMEMBERED_OWNERS = 100
# What a job's function has to put things away where its worker stops; then it is cancelled again and again.
_PUTTING_AWAY_SECONDS = 5.0

Run = Callable[[RunningJob], Awaitable[Result]]
Written = TypeVar("Written")


class JobWorker:
    """`functions` by the kind of job. A function is cancelled where its job is; its result must be JSON.

    A job is begun three times at most, so a function must bear repetition: where its worker died, or where it ended by
    an error that says when to come back, as of a database or a peer that is away. `pause_seconds` is for how long it
    waits after the first of these.
    """

    def __init__(
        self,
        database: Database,
        functions: Mapping[str, Run],
        *,
        parallel: int = 1,
        pause_seconds: float = _PAUSE_SECONDS,
    ) -> None:
        self._database = database
        self._functions = dict(functions)
        self._parallel = parallel
        self._pause_seconds = pause_seconds
        # The latest last.
        self._served: dict[UUID, None] = {}

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
            job = await claims.take(session, list(self._functions), list(self._served), self._pause_seconds)
        if job is None:
            return None
        if job.ended_by:
            metrics.JOBS.labels(job.kind, "cancelled").inc()
            return None
        self._served.pop(job.owner_id, None)
        self._served[job.owner_id] = None
        if len(self._served) > _REMEMBERED_OWNERS:
            self._served.pop(next(iter(self._served)))
        return job

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
                    async with self._database.system_transaction() as session:
                        await claims.keep(session, job)
            work.cancel()
        except Exception:
            # Without it another worker would begin the same job beside this one.
            log.exception("a job lost its heartbeat", job=job.id, kind=job.kind)
            work.cancel()

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
            await self._insist(lambda session: claims.finish(session, job, "cancelled"))
            metrics.JOBS.labels(job.kind, "cancelled").inc()
        elif is_cancelled() and not job.ended_by:
            # This worker is being stopped, not the job.
            await asyncio.shield(self._release(job))
        elif isinstance(error, QuantmeshError):
            if error.retry_after_seconds is None or job.attempts >= _MAXIMUM_ATTEMPTS:
                await self._fail(job, error)
            else:
                await self._put_off(job, error)
        else:
            # Also where what it waited for was cancelled, as a call whose channel is closed.
            log.error("job failed", job=job.id, kind=job.kind, exc_info=error)
            await self._fail(job, _Bug())

    async def _succeed(self, job: RunningJob, result: Result) -> None:
        job.report(1.0, job.message)
        try:
            status = await self._insist(lambda session: claims.finish(session, job, "succeeded", result=result))
        except (TypeError, ValueError, DataError):
            log.exception("job's result cannot be kept", job=job.id, kind=job.kind)
            await self._fail(job, _Bug())
        else:
            metrics.JOBS.labels(job.kind, status).inc()

    async def _fail(self, job: RunningJob, error: QuantmeshError) -> None:
        await self._insist(lambda session: claims.finish(session, job, "failed", problem=_problem(error)))
        metrics.JOBS.labels(job.kind, metrics.status_after(error)).inc()

    async def _put_off(self, job: RunningJob, error: QuantmeshError) -> None:
        """Once the database is there, which may have been what was away; what it committed unheard has ended."""
        log.warning("job is begun again", job=job.id, kind=job.kind, attempts=job.attempts, error=error.detail)
        job.report(0.0, f"Is begun again: {error.detail}")
        await self._insist(lambda session: claims.give_back(session, job, job.attempts))

    async def _insist(self, write: Callable[[Session], Awaitable[Written]]) -> Written:
        while True:
            try:
                async with self._database.system_transaction() as session:
                    written = await write(session)
            except (Unavailable, Conflict):
                # A worker that is being stopped waits for no database: the claim runs out by itself.
                raise_if_cancelled()
                await asyncio.sleep(_POLL_SECONDS)
            else:
                return written

    async def _release(self, job: RunningJob) -> None:
        # Where this fails too, the claim runs out by itself.
        with suppress(Unavailable, Conflict):
            async with self._database.system_transaction() as session:
                await claims.give_back(session, job, job.attempts - 1)


class _WorkerDied(QuantmeshError):
    problem = "job-abandoned"

    def __init__(self) -> None:
        super().__init__(f"The job was begun {_MAXIMUM_ATTEMPTS} times without an end; the last time its worker died.")


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


def _problem(error: QuantmeshError) -> dict[str, Any]:
    """RFC 9457."""
    return {
        "type": f"/problems/{error.problem}",
        "title": error.problem.replace("-", " ").capitalize(),
        "status": HTTP_STATUS[kind_of(error)],
        "detail": claims.as_text(error.detail),
    }
