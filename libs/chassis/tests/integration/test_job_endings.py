"""Jobs that end in unusual ways: their worker says so, and goes on or stops as it was told."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from psycopg import DataError

from quantmesh.api.common.v1 import job_pb2 as pb
from quantmesh.chassis import jobs
from quantmesh.chassis.cancellation import end
from quantmesh.chassis.database import Database
from quantmesh.chassis.errors import RuleBroken, Unavailable
from quantmesh.chassis.jobs import JobWorker, RunningJob
from quantmesh.chassis.sql import text

from .events import PATIENCE_SECONDS, Start, until
from .test_jobs import ALICE, convert, ended, enqueue, find

QUEUED, CANCELLED, FAILED = pb.JOB_STATUS_QUEUED, pb.JOB_STATUS_CANCELLED, pb.JOB_STATUS_FAILED
Function = Callable[[RunningJob], Awaitable[dict[str, Any]]]


async def test_a_worker_that_is_stopped_while_a_cancelled_job_puts_things_away_begins_no_other(
    database: Database,
) -> None:
    begun, cleaning, put_away = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def for_ever(_: RunningJob) -> dict[str, Any]:
        begun.set()
        try:
            await asyncio.sleep(3600)
        finally:
            cleaning.set()
            await asyncio.sleep(0.1)
            put_away.set()
        return {}

    cancelled = await enqueue(database)
    worker = asyncio.create_task(JobWorker(database, {"convert": for_ever}).run())
    await begun.wait()
    async with database.transaction(ALICE) as session:
        await jobs.cancel(session, cancelled)
    await cleaning.wait()
    worker.cancel()
    waiting = await enqueue(database)
    await asyncio.wait({worker}, timeout=PATIENCE_SECONDS)
    has_ended = worker.done()
    # A worker that goes on is ended by nobody who asks its group.
    await end(*(task for task in asyncio.all_tasks() if task is not asyncio.current_task()))
    assert has_ended
    assert put_away.is_set()
    assert ((await find(database, cancelled)).status, (await find(database, waiting)).status) == (CANCELLED, QUEUED)


async def test_a_stopped_worker_gives_back_also_what_ends_with_an_error_then(database: Database, start: Start) -> None:
    begun = asyncio.Event()

    async def stumble(_: RunningJob) -> dict[str, Any]:
        begun.set()
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            msg = "A peer is gone."
            raise Unavailable(msg) from None
        return {}

    job_id = await enqueue(database)
    worker = start(JobWorker(database, {"convert": stumble}).run())
    await begun.wait()
    worker.cancel()
    await asyncio.wait({worker}, timeout=PATIENCE_SECONDS)
    assert worker.cancelled()
    assert (await find(database, job_id)).status == QUEUED


async def be_cancelled(_: RunningJob) -> dict[str, Any]:
    raise asyncio.CancelledError


async def refuse_what_is_no_text(_: RunningJob) -> dict[str, Any]:
    msg = "Row 3 has the symbol 'A\0\ud800'."
    raise RuleBroken(msg)


async def find_no_number(_: RunningJob) -> dict[str, Any]:
    return {"rate": float("nan")}


async def find_no_text(_: RunningJob) -> dict[str, Any]:
    return {"name": "\0"}


async def report_no_number(job: RunningJob) -> dict[str, Any]:
    job.report(float("nan"), "")
    return {}


@pytest.mark.parametrize(
    "function", [be_cancelled, refuse_what_is_no_text, find_no_number, find_no_text, report_no_number]
)
async def test_a_job_that_ends_oddly_has_failed_and_its_worker_goes_on(
    database: Database, start: Start, function: Function
) -> None:
    odd = await enqueue(database)

    async def one_or_the_other(job: RunningJob) -> dict[str, Any]:
        return await (function if job.id == odd else convert)(job)

    worker = start(JobWorker(database, {"convert": one_or_the_other}).run())
    assert (await ended(database, odd, FAILED)).HasField("problem")
    await ended(database, await enqueue(database), pb.JOB_STATUS_SUCCEEDED)
    assert not worker.done()


async def test_a_report_that_postgres_cannot_keep_leaves_the_job_its_heartbeat(
    database: Database, start: Start
) -> None:
    told = "half of \ud800 and \0"

    async def report(job: RunningJob) -> dict[str, Any]:
        job.report(0.5, told)
        await asyncio.sleep(3600)
        return {}

    job_id = await enqueue(database)
    start(JobWorker(database, {"convert": report}).run())

    async def is_shown() -> bool:
        return (await find(database, job_id)).message == "half of ? and \ufffd"

    await until(is_shown)


async def test_a_worker_whose_heartbeat_cannot_be_written_ends_its_job_and_says_so(
    database: Database, start: Start
) -> None:
    stopped = asyncio.Event()

    async def spoil(job: RunningJob) -> dict[str, Any]:
        job.message = "\0"
        try:
            await asyncio.sleep(3600)
        finally:
            stopped.set()
        return {}

    await enqueue(database)
    worker = start(JobWorker(database, {"convert": spoil}).run())
    await asyncio.wait({worker}, timeout=PATIENCE_SECONDS)
    assert stopped.is_set()
    with pytest.raises(ExceptionGroup) as failed:
        await worker
    assert failed.group_contains(DataError)


async def test_what_was_cancelled_while_its_worker_was_dead_is_not_begun_anew(database: Database, start: Start) -> None:
    job_id = await enqueue(database)
    async with database.system_transaction() as session:
        await session.execute(
            text("UPDATE job SET status = 'running', attempts = 1, heartbeat_at = now() - interval '1 minute'")
        )
    async with database.transaction(ALICE) as session:
        await jobs.cancel(session, job_id)
    start(JobWorker(database, {"convert": convert}).run())
    await ended(database, job_id, CANCELLED)


async def test_whatever_ends_a_job_its_request_is_let_go(database: Database, start: Start) -> None:
    """As a whole file may be that was to be imported."""
    requests = text("SELECT status, length(parameters) > 0 AS kept FROM job ORDER BY created_at")
    cancelled = await enqueue(database)
    async with database.transaction(ALICE) as session:
        await jobs.cancel(session, cancelled)
    failed = await enqueue(database)
    start(JobWorker(database, {"convert": be_cancelled}).run())
    await ended(database, failed, FAILED)
    dead = await enqueue(database)
    async with database.system_transaction() as session:
        stale = "UPDATE job SET status = 'running', heartbeat_at = now() - interval '1 minute', cancel_requested = true"
        await session.execute(text(f"{stale} WHERE id = :id"), {"id": dead})
    await ended(database, dead, CANCELLED)
    async with database.system_transaction() as session:
        found = [tuple(row) for row in await session.execute(requests)]
    assert found == [("cancelled", False), ("failed", False), ("cancelled", False)]
