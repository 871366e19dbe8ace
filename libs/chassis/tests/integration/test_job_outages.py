"""Jobs during whose work something was away: begun again, with one effect, and not for ever."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import psycopg
import pytest
from google.protobuf.json_format import MessageToDict

from quantmesh.api.common.v1 import job_pb2 as pb
from quantmesh.chassis import jobs
from quantmesh.chassis.database import Database
from quantmesh.chassis.errors import Unavailable
from quantmesh.chassis.jobs import JobWorker, RunningJob
from quantmesh.chassis.migration import run_migrations
from quantmesh.chassis.provision import provision
from quantmesh.chassis.sql import text
from quantmesh.local.testing import RunningServer, ServiceDatabase

from .conftest import MIGRATIONS
from .events import Start
from .test_job_effects import kept, open_account
from .test_jobs import ALICE, ended, enqueue, find

PAUSE_SECONDS = 0.05


def worker(database: Database, work: Callable[[RunningJob], Awaitable[dict[str, Any]]]) -> JobWorker:
    return JobWorker(database, {"convert": work}, pause_seconds=PAUSE_SECONDS)


async def attempts_of(database: Database, job_id: str) -> int:
    async with database.system_transaction() as session:
        return int(await session.scalar(text("SELECT attempts FROM job WHERE id = :id"), {"id": job_id}))


@pytest.mark.parametrize("is_written", [False, True])
async def test_a_job_whose_connection_dies_is_done_once_all_the_same(
    database: Database, ledger: ServiceDatabase, start: Start, *, is_written: bool
) -> None:
    async def work(job: RunningJob) -> dict[str, Any]:
        async with database.transaction(job.owner_id) as session:
            await open_account(session)
            if is_written:
                await jobs.succeed(session, job, {"attempts": job.attempts})
            if job.attempts == 1:
                backend = await session.scalar(text("SELECT pg_backend_pid()"))
                with psycopg.connect(ledger.admin_url) as admin:
                    admin.execute("SELECT pg_terminate_backend(%s, 5000)", [backend])
            if not is_written:
                await jobs.succeed(session, job, {"attempts": job.attempts})
        return {}

    job_id = await enqueue(database)
    start(worker(database, work).run())
    assert MessageToDict((await ended(database, job_id, pb.JOB_STATUS_SUCCEEDED)).result) == {"attempts": 2}
    assert await kept(database, job_id) == (1, b"")


async def test_a_job_in_which_postgres_is_killed_is_done_once_it_is_back(
    own_postgres: RunningServer, open_database: Callable[..., Database], start: Start
) -> None:
    await provision(own_postgres.url, ["ledger"], {"ledger": "ledger", "migrator": "migrator"})
    at = f"127.0.0.1:{own_postgres.port}/quantmesh"
    await asyncio.to_thread(run_migrations, "ledger", f"postgresql://quantmesh_migrator:migrator@{at}", MIGRATIONS)
    database = open_database(f"postgresql://quantmesh_ledger:ledger@{at}")
    begun, killed = asyncio.Event(), asyncio.Event()

    async def work(job: RunningJob) -> dict[str, Any]:
        async with database.transaction(job.owner_id) as session:
            await open_account(session)
            begun.set()
            await killed.wait()
            await jobs.succeed(session, job, {})
        return {}

    job_id = await enqueue(database)
    start(worker(database, work).run())
    await begun.wait()
    own_postgres.kill()
    killed.set()
    # It has ended by then, and waits to say so.
    await asyncio.sleep(1.0)
    own_postgres.start_again()
    await ended(database, job_id, pb.JOB_STATUS_SUCCEEDED)
    assert await kept(database, job_id) == (1, b"")
    assert await attempts_of(database, job_id) == 2


async def test_what_was_committed_unheard_is_not_done_again(database: Database, start: Start) -> None:
    async def work(job: RunningJob) -> dict[str, Any]:
        async with database.transaction(job.owner_id) as session:
            await open_account(session)
            await jobs.succeed(session, job, {"accounts": 1})
        msg = "The connection died with the answer to the commit."
        raise Unavailable(msg, retry_after_seconds=1.0)

    first = await enqueue(database)
    second = await enqueue(database)
    start(worker(database, work).run())
    for job_id in (first, second):
        await ended(database, job_id, pb.JOB_STATUS_SUCCEEDED)
    assert (await kept(database, first))[0] == 2
    assert await attempts_of(database, first) == 1


async def test_what_goes_on_being_away_fails_the_job_by_its_own_name(database: Database, start: Start) -> None:
    seen = []

    async def work(job: RunningJob) -> dict[str, Any]:
        shown = await find(database, job.id)
        seen.append((job.attempts, shown.progress, shown.message))
        job.report(0.5, "half")
        msg = "market did not answer."
        raise Unavailable(msg, retry_after_seconds=1.0)

    job_id = await enqueue(database)
    start(worker(database, work).run())
    job = await ended(database, job_id, pb.JOB_STATUS_FAILED)
    again = "Is begun again: market did not answer."
    assert seen == [(1, 0.0, ""), (2, 0.0, again), (3, 0.0, again)]
    assert MessageToDict(job.problem)["detail"] == "market did not answer."
    assert (MessageToDict(job.problem)["status"], (await kept(database, job_id))[1]) == (503, b"")


async def test_what_says_no_time_to_come_back_is_not_tried_again(database: Database, start: Start) -> None:
    async def work(_: RunningJob) -> dict[str, Any]:
        msg = "This worker has not all that it needs."
        raise Unavailable(msg)

    job_id = await enqueue(database)
    start(worker(database, work).run())
    await ended(database, job_id, pb.JOB_STATUS_FAILED)
    assert await attempts_of(database, job_id) == 1


async def test_a_job_that_waits_to_be_begun_again_lets_others_go_first_and_can_be_cancelled(
    database: Database, start: Start
) -> None:
    async def work(job: RunningJob) -> dict[str, Any]:
        if job.id == first:
            msg = "market did not answer."
            raise Unavailable(msg, retry_after_seconds=1.0)
        return {}

    first = await enqueue(database)
    second = await enqueue(database)
    # So long that it still waits, however slow the machine is.
    start(JobWorker(database, {"convert": work}, pause_seconds=600.0).run())
    await ended(database, second, pb.JOB_STATUS_SUCCEEDED)
    assert (await find(database, first)).status == pb.JOB_STATUS_QUEUED
    async with database.transaction(ALICE) as session:
        assert (await jobs.cancel(session, first)).status == pb.JOB_STATUS_CANCELLED
