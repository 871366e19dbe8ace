"""Jobs: done once, given up, taken over, and seen by their owner alone."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from google.protobuf.json_format import MessageToDict

from quantmesh.api.common.v1 import job_pb2 as pb
from quantmesh.api.common.v1.common_pb2 import Money
from quantmesh.chassis import jobs
from quantmesh.chassis.database import Database
from quantmesh.chassis.errors import RuleBroken
from quantmesh.chassis.jobs import JobWorker, RunningJob
from quantmesh.chassis.sql import text

from .events import PATIENCE_SECONDS, Start

ALICE, BOB = uuid4(), uuid4()


async def enqueue(database: Database, currency: str = "EUR") -> str:
    async with database.transaction(ALICE) as session:
        return (await jobs.enqueue(session, ALICE, "convert", Money(currency=currency))).id


async def find(database: Database, job_id: str) -> pb.Job:
    async with database.transaction(ALICE) as session:
        return await jobs.find(session, job_id)


async def ended(database: Database, job_id: str, status: pb.JobStatus.ValueType) -> pb.Job:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            job = await find(database, job_id)
            if job.status == status:
                return job
            await asyncio.sleep(0.02)


async def convert(job: RunningJob) -> dict[str, Any]:
    return {"currency": Money.FromString(job.parameters).currency, "owner": str(job.owner_id)}


async def test_a_job_is_done_and_its_owner_reads_the_result(database: Database, start: Start) -> None:
    job_id = await enqueue(database, "CHF")
    assert job_id.startswith("ledger-")
    assert (await find(database, job_id)).status == pb.JOB_STATUS_QUEUED
    start(JobWorker(database, {"convert": convert}).run())
    job = await ended(database, job_id, pb.JOB_STATUS_SUCCEEDED)
    assert MessageToDict(job.result) == {"currency": "CHF", "owner": str(ALICE)}
    assert job.progress == 1.0


async def test_the_job_of_another_does_not_exist(database: Database) -> None:
    job_id = await enqueue(database)
    with pytest.raises(jobs.JobNotFound):
        async with database.transaction(BOB) as session:
            await jobs.find(session, job_id)
    with pytest.raises(jobs.JobNotFound):
        async with database.transaction(BOB) as session:
            await jobs.cancel(session, job_id)
    assert (await find(database, job_id)).status == pb.JOB_STATUS_QUEUED


async def test_each_job_is_done_once_by_many_workers(database: Database, start: Start) -> None:
    done: list[str] = []

    async def note(job: RunningJob) -> dict[str, Any]:
        await asyncio.sleep(0)
        done.append(job.id)
        return {}

    ids = [await enqueue(database) for _ in range(12)]
    for _ in range(3):
        start(JobWorker(database, {"convert": note}, parallel=2).run())
    for job_id in ids:
        await ended(database, job_id, pb.JOB_STATUS_SUCCEEDED)
    assert sorted(done) == sorted(ids)


async def test_a_broken_rule_becomes_the_jobs_problem(database: Database, start: Start) -> None:
    async def refuse(_: RunningJob) -> dict[str, Any]:
        msg = "12 bars are too few; 60 are needed."
        raise RuleBroken(msg)

    job_id = await enqueue(database)
    start(JobWorker(database, {"convert": refuse}).run())
    job = await ended(database, job_id, pb.JOB_STATUS_FAILED)
    assert MessageToDict(job.problem) == {
        "type": "/problems/rule-broken",
        "title": "Rule broken",
        "status": 422,
        "detail": "12 bars are too few; 60 are needed.",
    }


async def test_a_bug_fails_the_job_without_telling_its_cause(database: Database, start: Start) -> None:
    async def break_down(_: RunningJob) -> dict[str, Any]:
        msg = "password=hunter2"
        raise RuntimeError(msg)

    job_id = await enqueue(database)
    start(JobWorker(database, {"convert": break_down}).run())
    job = await ended(database, job_id, pb.JOB_STATUS_FAILED)
    assert MessageToDict(job.problem)["status"] == 500
    assert "hunter2" not in str(job)


async def test_a_queued_job_is_cancelled_at_once(database: Database) -> None:
    job_id = await enqueue(database)
    async with database.transaction(ALICE) as session:
        assert (await jobs.cancel(session, job_id)).status == pb.JOB_STATUS_CANCELLED


async def test_a_running_job_is_cancelled_within_seconds(database: Database, start: Start) -> None:
    stopped = asyncio.Event()

    async def for_ever(job: RunningJob) -> dict[str, Any]:
        job.report(0.25, "a quarter")
        try:
            await asyncio.sleep(3600)
        finally:
            stopped.set()
        return {}

    job_id = await enqueue(database)
    start(JobWorker(database, {"convert": for_ever}).run())
    await ended(database, job_id, pb.JOB_STATUS_RUNNING)
    async with database.transaction(ALICE) as session:
        await jobs.cancel(session, job_id)
    job = await ended(database, job_id, pb.JOB_STATUS_CANCELLED)
    assert stopped.is_set()
    assert job.progress == 0.25


async def test_a_stopped_worker_gives_its_job_back(database: Database, start: Start) -> None:
    begun = asyncio.Event()

    async def for_ever(_: RunningJob) -> dict[str, Any]:
        begun.set()
        await asyncio.sleep(3600)
        return {}

    job_id = await enqueue(database)
    first = start(JobWorker(database, {"convert": for_ever}).run())
    await begun.wait()
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    assert (await find(database, job_id)).status == pb.JOB_STATUS_QUEUED
    start(JobWorker(database, {"convert": convert}).run())
    await ended(database, job_id, pb.JOB_STATUS_SUCCEEDED)


@pytest.mark.parametrize(("attempts", "status"), [(1, pb.JOB_STATUS_SUCCEEDED), (3, pb.JOB_STATUS_FAILED)])
async def test_the_job_of_a_dead_worker_is_taken_over_but_not_for_ever(
    database: Database, start: Start, attempts: int, status: pb.JobStatus.ValueType
) -> None:
    job_id = await enqueue(database)
    async with database.system_transaction() as session:
        await session.execute(
            text("UPDATE job SET status = 'running', attempts = :n, heartbeat_at = now() - interval '1 minute'"),
            {"n": attempts},
        )
    start(JobWorker(database, {"convert": convert}).run())
    await ended(database, job_id, status)
