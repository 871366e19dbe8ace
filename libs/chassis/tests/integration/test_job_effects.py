"""A job that ends in the transaction of its effect: both are there, or neither."""

from typing import Any
from uuid import uuid4

import pytest
from google.protobuf.json_format import MessageToDict

from quantmesh.api.common.v1 import job_pb2 as pb
from quantmesh.api.common.v1.common_pb2 import Decimal, Money
from quantmesh.chassis import idempotency, jobs
from quantmesh.chassis.context import was_replayed
from quantmesh.chassis.database import Database
from quantmesh.chassis.jobs import JobWorker, RunningJob
from quantmesh.chassis.sql import Session, text

from .events import Start
from .test_idempotency import called_with_key
from .test_jobs import ALICE, ended, enqueue

OPEN_ACCOUNT = text("INSERT INTO account (owner_id, name, balance) VALUES (:owner, 'savings', 1)")


async def open_account(session: Session) -> None:
    await session.execute(OPEN_ACCOUNT, {"owner": ALICE})


async def kept(database: Database, job_id: str) -> tuple[int, bytes]:
    """How many accounts there are, and what the job still knows of its request."""
    async with database.system_transaction() as session:
        accounts = await session.scalar(text("SELECT count(*) FROM account"))
        parameters = await session.scalar(text("SELECT parameters FROM job WHERE id = :id"), {"id": job_id})
    return int(accounts or 0), bytes(parameters or b"")


async def test_the_effect_and_the_end_are_one_and_the_request_is_let_go(database: Database, start: Start) -> None:
    async def work(job: RunningJob) -> dict[str, Any]:
        async with database.transaction(job.owner_id) as session:
            await open_account(session)
            job.report(0.9, "account opened")
            await jobs.succeed(session, job, {"accounts": 1})
        return {"accounts": 1}

    job_id = await enqueue(database)
    start(JobWorker(database, {"convert": work}).run())
    job = await ended(database, job_id, pb.JOB_STATUS_SUCCEEDED)
    assert (MessageToDict(job.result), job.progress, job.message) == ({"accounts": 1}, 1.0, "account opened")
    assert await kept(database, job_id) == (1, b"")


async def test_a_cancellation_before_the_end_takes_the_effect_with_it(database: Database, start: Start) -> None:
    async def work(job: RunningJob) -> dict[str, Any]:
        async with database.transaction(job.owner_id) as session:
            await open_account(session)
            async with database.transaction(job.owner_id) as other:
                await jobs.cancel(other, job.id)
            await jobs.succeed(session, job, {})
        return {}

    job_id = await enqueue(database)
    start(JobWorker(database, {"convert": work}).run())
    await ended(database, job_id, pb.JOB_STATUS_CANCELLED)
    assert await kept(database, job_id) == (0, b"")


async def test_a_job_that_was_cancelled_before_its_end_never_succeeds(database: Database, start: Start) -> None:
    async def work(job: RunningJob) -> dict[str, Any]:
        async with database.transaction(job.owner_id) as session:
            assert (await jobs.cancel(session, job.id)).status == pb.JOB_STATUS_RUNNING
        return {"accounts": 1}

    job_id = await enqueue(database)
    start(JobWorker(database, {"convert": work}).run())
    job = await ended(database, job_id, pb.JOB_STATUS_CANCELLED)
    assert not job.HasField("result")


async def test_what_fails_after_the_end_was_written_leaves_neither(database: Database, start: Start) -> None:
    async def work(job: RunningJob) -> dict[str, Any]:
        async with database.transaction(job.owner_id) as session:
            await open_account(session)
            await jobs.succeed(session, job, {})
            raise LookupError

    job_id = await enqueue(database)
    start(JobWorker(database, {"convert": work}).run())
    await ended(database, job_id, pb.JOB_STATUS_FAILED)
    assert (await kept(database, job_id))[0] == 0


async def test_an_answer_is_recalled_without_its_effect(database: Database) -> None:
    request, answer = Money(currency="EUR"), Decimal(value=str(uuid4()))

    async def effect() -> Decimal:
        return answer

    async def recall(asked: Money) -> Decimal | None:
        async with database.transaction(ALICE) as session:
            return await idempotency.recall(session, ALICE, scope="Deposit", request=asked, answer=Decimal)

    with called_with_key("k"):
        assert await recall(request) is None
        async with database.transaction(ALICE) as session:
            await idempotency.once(session, ALICE, scope="Deposit", request=request, answer=Decimal, run=effect)
        assert not was_replayed()
        assert await recall(request) == answer
        assert was_replayed()
        with pytest.raises(idempotency.KeyReused):
            await recall(Money(currency="CHF"))
    with called_with_key(""):
        assert await recall(request) is None
