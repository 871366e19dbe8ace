"""Whose job is next, and how many of them one owner may have."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest

from quantmesh.api.common.v1 import job_pb2 as pb
from quantmesh.api.common.v1.common_pb2 import Money
from quantmesh.chassis import jobs
from quantmesh.chassis.database import Database
from quantmesh.chassis.jobs import JobWorker, RunningJob, TooManyJobs
from quantmesh.chassis.jobs.claims import take
from quantmesh.chassis.sql import text

from .events import Start, until

ALICE, BOB, CAROL = uuid4(), uuid4(), uuid4()
ENDED = 20_000


async def enqueue(database: Database, owner: UUID, **more: int) -> str:
    async with database.transaction(owner) as session:
        return (await jobs.enqueue(session, owner, "convert", Money(), **more)).id


async def next_one(database: Database, *served: UUID) -> UUID | None:
    async with database.system_transaction() as session:
        job = await take(session, ["convert"], served, 5.0)
    return None if job is None else job.owner_id


async def test_owners_take_turns_however_many_one_has_queued(database: Database, start: Start) -> None:
    begun: list[UUID] = []

    async def note(job: RunningJob) -> dict[str, Any]:
        begun.append(job.owner_id)
        return {}

    for owner in (ALICE, ALICE, ALICE, ALICE, BOB, BOB, CAROL):
        await enqueue(database, owner)
    start(JobWorker(database, {"convert": note}).run())
    await until(lambda: len(begun) == 7)
    assert begun == [ALICE, BOB, CAROL, ALICE, BOB, ALICE, ALICE]


async def test_who_has_the_fewest_running_is_next_whoever_asked_first(database: Database) -> None:
    for owner in (ALICE, ALICE, ALICE, BOB, BOB):
        await enqueue(database, owner)
    # A worker each, none of which has served anybody before.
    assert [await next_one(database) for _ in range(6)] == [ALICE, BOB, ALICE, BOB, ALICE, None]


async def test_a_job_of_a_worker_that_died_is_no_running_one(database: Database) -> None:
    for owner in (ALICE, BOB):
        await enqueue(database, owner)
    assert await next_one(database) == ALICE
    async with database.system_transaction() as session:
        await session.execute(
            text("UPDATE job SET heartbeat_at = now() - interval '1 minute' WHERE status = 'running'")
        )
    assert [await next_one(database) for _ in range(2)] == [ALICE, BOB]


async def test_an_owner_has_so_many_open_jobs_and_no_more(database: Database) -> None:
    mine = [await enqueue(database, ALICE, most=3) for _ in range(3)]
    with pytest.raises(TooManyJobs, match="3 jobs that have not ended") as refused:
        await enqueue(database, ALICE, most=3)
    assert refused.value.retry_after_seconds
    await enqueue(database, BOB, most=3)
    # One that runs counts like one that waits.
    assert await next_one(database) == ALICE
    with pytest.raises(TooManyJobs):
        await enqueue(database, ALICE, most=3)
    async with database.transaction(ALICE) as session:
        assert (await jobs.cancel(session, mine[-1])).status == pb.JOB_STATUS_CANCELLED
    await enqueue(database, ALICE, most=3)


async def test_who_asks_for_many_at_once_gets_no_more(database: Database) -> None:
    asked = await asyncio.gather(*(enqueue(database, ALICE, most=3) for _ in range(8)), return_exceptions=True)
    assert sorted(type(each).__name__ for each in asked) == ["TooManyJobs"] * 5 + ["str"] * 3
