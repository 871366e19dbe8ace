"""Long files are jobs: the same report, progress, one effect, and nothing half recorded."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from google.protobuf.json_format import MessageToDict

from quantmesh.api.common.v1.job_pb2 import (
    JOB_STATUS_CANCELLED,
    JOB_STATUS_FAILED,
    JOB_STATUS_QUEUED,
    JOB_STATUS_SUCCEEDED,
    CancelJobRequest,
    Job,
)
from quantmesh.chassis.jobs import JobRpc, TooManyJobs
from quantmesh.portfolio.adapters.import_job import INLINE_ROWS
from quantmesh.portfolio.adapters.rpc import PortfolioRpc
from quantmesh.portfolio.adapters.store.imports import JOB_SCOPES
from quantmesh.portfolio.core.errors import UnreadableImport
from quantmesh.portfolio.core.execution import ExecutionCosts
from quantmesh.portfolio.core.import_report import LISTED_ROWS

from .fakes import COSTS, NO_CONTEXT, Service, User
from .known_accounts import until_some_wait

HEADER = "type,symbol,quantity,price,amount,currency,executed_at,note"
ROWS = INLINE_ROWS + 500
LONG = f"{HEADER}\nsell,MSFT,1,100,,USD,2020-01-03T15:00:00Z,\nwithdrawal,,,,1e9,,yesterday,\n" + "".join(
    f"deposit,,,,{number}.00,USD,2020-01-02T15:00:00Z,\n" for number in range(1, ROWS + 1)
)
END_WAITING = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND wait_event_type = 'Lock'"
)
# 1 + 2 + ... + ROWS
TOTAL = f"{Decimal(ROWS * (ROWS + 1) // 2)}.00"


def result_of(job: Job) -> dict[str, Any]:
    assert job.status == JOB_STATUS_SUCCEEDED, job.problem
    return MessageToDict(job.result)


async def imported(service: Service, user: User, portfolio_id: str, csv: str, **more: Any) -> dict[str, Any]:
    queued = await user.import_csv(portfolio_id, csv, **more)
    assert queued.job.status == JOB_STATUS_QUEUED
    async with service.worker():
        job = await service.ended(user, queued.job.id)
    assert job.progress == 1.0
    assert job.message.endswith("recorded")
    return result_of(job)


async def test_a_long_file_is_recorded_as_a_job_whose_result_is_the_report(service: Service) -> None:
    user = service.user()
    portfolio = await user.create()
    rehearsal = await imported(service, user, portfolio.id, LONG, dry_run=True)
    assert (await user.events(portfolio.id)).last_seq == 0
    report = await imported(service, user, portfolio.id, LONG)
    for told in (rehearsal, report):
        assert (told["accepted_rows"], told["rejected_rows"], told["duplicate_rows"]) == (ROWS, 2, 0)
        assert [(row["line"], row["column"], row["field"]) for row in told["rejected"]] == [
            (2, 3, "quantity"),
            (3, 5, "amount"),
            (3, 7, "executed_at"),
        ]
        assert len(told["accepted"]) == LISTED_ROWS
    assert (rehearsal["dry_run"], rehearsal["import_id"], rehearsal["accepted"][0]["id"]) == (True, None, None)
    assert {row["import_id"] for row in report["accepted"]} == {report["import_id"]}
    assert (await user.positions(portfolio.id)).cash[0].amount.value == TOTAL
    assert (await user.events(portfolio.id)).last_seq == ROWS


async def test_a_thousand_rows_are_answered_at_once_however_their_lines_end(service: Service) -> None:
    user = service.user()
    portfolio = await user.create()
    rows = [f"deposit,{number}.00,2020-01-02T15:00:00Z" for number in range(1, INLINE_ROWS + 1)]
    for end in ("\n", "\r\n", "\r"):
        file = "".join(f"{line}{end}" for line in ("type,amount,executed_at", *rows))
        answer = await user.import_csv(portfolio.id, file, dry_run=True)
        assert (len(answer.accepted), answer.HasField("job")) == (INLINE_ROWS, False)
        longer = f"{file}deposit,1.00,2020-01-02T15:00:00Z{end}"
        assert (await user.import_csv(portfolio.id, longer, dry_run=True)).HasField("job")


async def test_a_long_file_again_under_another_key_is_all_duplicates(service: Service) -> None:
    user = service.user()
    portfolio = await user.create()
    await imported(service, user, portfolio.id, LONG)
    again = await imported(service, user, portfolio.id, LONG)
    assert (again["accepted_rows"], again["duplicate_rows"]) == (0, ROWS)
    assert (again["dry_run"], again["import_id"]) == (False, None)
    assert (await user.events(portfolio.id)).last_seq == ROWS


async def test_the_same_key_is_the_same_job(service: Service) -> None:
    user = service.user()
    portfolio = await user.create()
    first = await user.import_csv(portfolio.id, LONG, key="file")
    assert (await user.import_csv(portfolio.id, LONG, key="file")).job.id == first.job.id
    async with service.worker():
        await service.ended(user, first.job.id)
    # The answer under a key is the first one, as ever: the job as it was queued.
    assert await user.import_csv(portfolio.id, LONG, key="file") == first


@asynccontextmanager
async def held(service: Service, portfolio_id: str) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
    """The account's lock, until the connection that has it rolls back."""
    async with await psycopg.AsyncConnection.connect(
        service.admin_url, options="-c search_path=portfolio"
    ) as connection:
        await connection.execute("SELECT FROM portfolio WHERE id = %s FOR UPDATE", [portfolio_id])
        yield connection


async def test_a_job_that_is_cancelled_leaves_nothing_and_the_file_may_come_again(service: Service) -> None:
    user = service.user()
    portfolio = await user.create()
    queued = await user.import_csv(portfolio.id, LONG)
    # The import stands before the account's lock until it is cancelled.
    async with held(service, portfolio.id) as other, service.worker():
        await until_some_wait(other)
        user.call()
        await JobRpc(service.database, JOB_SCOPES).CancelJob(CancelJobRequest(id=queued.job.id), NO_CONTEXT)
        job = await service.ended(user, queued.job.id)
    assert job.status == JOB_STATUS_CANCELLED
    assert (await user.events(portfolio.id)).last_seq == 0
    assert (await imported(service, user, portfolio.id, LONG))["accepted_rows"] == ROWS


async def test_an_import_whose_backend_is_terminated_is_recorded_all_the_same_and_once(service: Service) -> None:
    user = service.user()
    portfolio = await user.create()
    queued = await user.import_csv(portfolio.id, LONG)
    async with held(service, portfolio.id) as other, service.worker():
        await until_some_wait(other)
        ended = await other.execute(END_WAITING)
        assert await ended.fetchall() == [(True,)]
        await other.rollback()
        job = await service.ended(user, queued.job.id)
    assert result_of(job)["accepted_rows"] == ROWS
    assert (await user.events(portfolio.id)).last_seq == ROWS
    assert (await user.positions(portfolio.id)).cash[0].amount.value == TOTAL


async def test_an_owner_queues_so_many_long_files_and_the_next_once_one_has_ended(service: Service) -> None:
    costs = ExecutionCosts(**COSTS)
    user = User(PortfolioRpc(service.database, service.market, service.clock, costs, jobs_per_owner=2))
    portfolio = await user.create()
    first = await user.import_csv(portfolio.id, LONG)
    await user.import_csv(portfolio.id, LONG, dry_run=True)
    with pytest.raises(TooManyJobs) as refused:
        await user.import_csv(portfolio.id, LONG, key="third")
    assert refused.value.retry_after_seconds
    # What is answered at once is no job, and a stranger's are his own.
    assert not (await user.import_csv(portfolio.id, HEADER)).HasField("job")
    stranger = User(user.rpc)
    await stranger.import_csv((await stranger.create()).id, LONG)
    user.call()
    await JobRpc(service.database, JOB_SCOPES).CancelJob(CancelJobRequest(id=first.job.id), NO_CONTEXT)
    assert (await user.import_csv(portfolio.id, LONG, key="third")).job.status == JOB_STATUS_QUEUED


async def test_a_cancellation_after_the_commit_changes_nothing(service: Service) -> None:
    user = service.user()
    portfolio = await user.create()
    queued = await user.import_csv(portfolio.id, LONG)
    async with service.worker():
        await service.ended(user, queued.job.id)
        cancelled = await JobRpc(service.database, JOB_SCOPES).CancelJob(CancelJobRequest(id=queued.job.id), NO_CONTEXT)
    assert cancelled.job.status == JOB_STATUS_SUCCEEDED


async def test_what_is_wrong_with_a_long_file_as_a_whole_is_said_as_early_as_it_shows(service: Service) -> None:
    user = service.user()
    portfolio = await user.create()
    with pytest.raises(UnreadableImport):
        await user.import_csv(portfolio.id, LONG.replace("note", "colour", 1))
    queued = await user.import_csv(portfolio.id, f'{LONG}"open')
    async with service.worker():
        job = await service.ended(user, queued.job.id)
    assert job.status == JOB_STATUS_FAILED
    assert job.problem["type"] == "/problems/unreadable-import"
