"""Who reads and cancels a job: its owner, with the scope that starting it demands."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from quantmesh.api.common.v1 import job_pb2 as pb
from quantmesh.api.common.v1.common_pb2 import Money
from quantmesh.chassis import jobs
from quantmesh.chassis.context import CallContext, Caller, set_call
from quantmesh.chassis.database import Database
from quantmesh.chassis.errors import PermissionDenied
from quantmesh.chassis.jobs import JobRpc

ALICE, BOB = uuid4(), uuid4()
NO_CONTEXT: Any = None


def act_as(owner_id: UUID, *scopes: str) -> None:
    caller = Caller(
        subject=str(owner_id),
        scopes=frozenset(scopes),
        roles=frozenset(),
        tier="",
        session_id="",
        token="",
        expires_at=0.0,
        owner_id=owner_id,
    )
    set_call(CallContext(caller=caller))


@pytest.fixture
async def job_id(database: Database) -> str:
    async with database.transaction(ALICE) as session:
        return (await jobs.enqueue(session, ALICE, "convert", Money(currency="EUR"))).id


@pytest.fixture
def served(database: Database) -> JobRpc:
    return JobRpc(database, {"convert": "money:convert"})


async def status(served: JobRpc, job_id: str) -> pb.JobStatus.ValueType:
    return (await served.GetJob(pb.GetJobRequest(id=job_id), NO_CONTEXT)).job.status


async def cancel(served: JobRpc, job_id: str) -> pb.JobStatus.ValueType:
    return (await served.CancelJob(pb.CancelJobRequest(id=job_id), NO_CONTEXT)).job.status


async def test_a_job_is_read_and_cancelled_with_the_scope_that_starting_it_demands(served: JobRpc, job_id: str) -> None:
    act_as(ALICE, "money:read", "money:write")
    with pytest.raises(PermissionDenied, match="money:convert"):
        await status(served, job_id)
    with pytest.raises(PermissionDenied, match="money:convert"):
        await cancel(served, job_id)
    act_as(ALICE, "money:convert")
    assert await status(served, job_id) == pb.JOB_STATUS_QUEUED
    assert await cancel(served, job_id) == pb.JOB_STATUS_CANCELLED


async def test_the_job_of_another_does_not_exist_whatever_the_scopes(served: JobRpc, job_id: str) -> None:
    for scopes in ((), ("money:convert",)):
        act_as(BOB, *scopes)
        with pytest.raises(jobs.JobNotFound):
            await status(served, job_id)
        with pytest.raises(jobs.JobNotFound):
            await cancel(served, job_id)


async def test_a_job_of_a_kind_without_a_scope_is_shown_to_nobody(database: Database, job_id: str) -> None:
    act_as(ALICE, "money:convert", "")
    for served in (JobRpc(database, {}), JobRpc(database, {"train": "money:convert"})):
        with pytest.raises(PermissionDenied):
            await status(served, job_id)
        with pytest.raises(PermissionDenied):
            await cancel(served, job_id)
