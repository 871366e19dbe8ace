"""Long files, imported and taken back as jobs."""

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb
from quantmesh.chassis import jobs
from quantmesh.chassis.clock import Clock
from quantmesh.chassis.database import Database
from quantmesh.chassis.ids import uuid7
from quantmesh.portfolio.adapters.store import Store
from quantmesh.portfolio.core.import_report import import_report
from quantmesh.portfolio.core.import_transactions import import_transactions, read_import
from quantmesh.portfolio.core.ports import Market
from quantmesh.portfolio.core.reverse_transactions import reverse_import

# So many rows are done within a fraction of a second, and answered at once.
INLINE_ROWS = 1_000


def is_long(content: bytes) -> bool:
    """By its line ends, of which the header has one; a quoted note of several lines counts as several rows."""
    return max(content.count(b"\n"), content.count(b"\r")) > INLINE_ROWS + 1


@contextmanager
def _collection_paused() -> Iterator[None]:
    """A file becomes millions of objects without a cycle, through which the collector would look again and again."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


class ImportJob:
    def __init__(self, database: Database, market: Market, clock: Clock) -> None:
        self._database = database
        self._market = market
        self._clock = clock

    async def run(self, job: jobs.RunningJob) -> Mapping[str, Any]:
        """One transaction with the job's own end: cancelled or killed it leaves nothing, and it is done once."""
        with _collection_paused():
            return await self._run(job)

    async def _run(self, job: jobs.RunningJob) -> Mapping[str, Any]:
        request = pb.ImportTransactionsRequest.FromString(job.parameters)
        portfolio_id = UUID(request.portfolio_id)
        async with self._database.transaction(job.owner_id) as session:
            portfolio = await Store(session, job.owner_id).portfolio(portfolio_id)
        read = await read_import(self._market, portfolio, request.csv, job.report)
        async with self._database.transaction(job.owner_id) as session:
            outcome = await import_transactions(
                Store(session, job.owner_id),
                portfolio_id,
                read,
                self._clock.now(),
                uuid7,
                dry_run=request.dry_run,
                progress=job.report,
            )
            report = import_report(portfolio_id, outcome)
            job.report(1.0, f"{len(outcome.accepted)} rows {'would be' if request.dry_run else 'were'} recorded")
            await jobs.succeed(session, job, report)
        return report


class ReversalJob:
    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def run(self, job: jobs.RunningJob) -> Mapping[str, Any]:
        """In one transaction with the job's own end, as an import."""
        request = pb.ReverseImportRequest.FromString(job.parameters)
        async with self._database.transaction(job.owner_id) as session:
            done = await reverse_import(
                Store(session, job.owner_id),
                UUID(request.portfolio_id),
                UUID(request.import_id),
                request.note,
                self._clock.now(),
                uuid7,
                job.report,
            )
            result = {
                "import_id": str(done.import_id),
                "reversed_rows": done.rows,
                "first_seq": done.first_seq,
                "last_seq": done.last_seq,
            }
            job.report(1.0, f"{done.rows} rows were reversed")
            await jobs.succeed(session, job, result)
        return result
