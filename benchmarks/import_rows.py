"""A CSV file of a hundred thousand transactions, from its bytes to the commit that ends its job.

What a worker does: read and check each row, admit it against the books, and write it with its postings, salt, log
event and message; every trigger of the ledger fires. The market's answer is there, as it is for a symbol asked lately.
"""

import asyncio
import os
import secrets
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import cast
from uuid import UUID, uuid4

import uvloop

from quantmesh.api.common.v1.job_pb2 import JOB_STATUS_QUEUED, JOB_STATUS_RUNNING, JOB_STATUS_SUCCEEDED
from quantmesh.api.portfolio.v1.portfolio_pb2 import ImportTransactionsRequest
from quantmesh.chassis import jobs
from quantmesh.chassis.clock import SystemClock
from quantmesh.chassis.database import Database
from quantmesh.chassis.ids import uuid7
from quantmesh.chassis.jobs import JobWorker
from quantmesh.chassis.sql import text
from quantmesh.local.network import free_port
from quantmesh.local.servers import PostgresServer, start_and_wait
from quantmesh.local.testing.databases import cloned_database
from quantmesh.portfolio.adapters.import_job import ImportJob
from quantmesh.portfolio.adapters.store import Store
from quantmesh.portfolio.adapters.store.imports import IMPORT_JOB
from quantmesh.portfolio.core.market import Adjustment, Asset
from quantmesh.portfolio.core.model import LotMethod, Portfolio
from quantmesh.portfolio.core.ports import Market

ROWS = int(os.environ.get("QUANTMESH_BENCHMARK_ROWS", "100000"))
ROUNDS, GOAL = 3, 5_000.0
BEGAN = datetime(2015, 1, 2, 15, tzinfo=UTC)
HEADER = "type,symbol,quantity,price,amount,fee,currency,executed_at,note\n"


class KnownMarket:
    async def now(self, at_least: datetime) -> datetime:
        return at_least

    async def assets(self, symbols: Collection[str]) -> Mapping[str, Asset]:
        return {
            symbol: Asset(symbol, "USD", Adjustment.TOTAL_RETURN, Decimal("0.01"), Decimal(1), tradable=True)
            for symbol in symbols
        }


def file_of(rows: int) -> bytes:
    """A deposit, then purchases and sales of fifty instruments, oldest first."""
    lines = [HEADER, f"deposit,,,,1000000000.00,,USD,{BEGAN.isoformat()},opening\n"]
    for number in range(1, rows):
        kind, quantity = ("sell", 1) if (number - 1) // 50 % 2 else ("buy", 2)
        at = (BEGAN + timedelta(minutes=number)).isoformat()
        lines.append(f"{kind},S{number % 50},{quantity},{100 + number % 7}.25,,1.00,USD,{at},\n")
    return "".join(lines).encode()


async def measure(url: str) -> bool:
    database = Database(url, "portfolio")
    owner = uuid4()
    content = file_of(ROWS)
    job = ImportJob(database, cast("Market", KnownMarket()), SystemClock())
    rates = []
    for _ in range(ROUNDS):
        async with database.transaction(owner) as session:
            store = Store(session, owner)
            created = await store.create(
                Portfolio(uuid7(), "Imported", "USD", LotMethod.FIFO, SystemClock().now(), version=1, seq=0)
            )
            asked = ImportTransactionsRequest(portfolio_id=str(created.id), csv=content)
            queued = await store.enqueue_import(asked, most=1)
        start = time.perf_counter()
        working = asyncio.create_task(JobWorker(database, {IMPORT_JOB: job.run}).run())
        await ended(database, owner, queued.id)
        rates.append(ROWS / (time.perf_counter() - start))
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        async with database.transaction(owner) as session:
            counted = text("SELECT count(*) FROM transaction WHERE portfolio_id = :id")
            assert await session.scalar(counted, {"id": created.id}) == ROWS
    await database.close()
    rate = statistics.median(rates)
    sys.stdout.write(
        f"import of {ROWS:,} rows: {rate:,.0f} rows/s, median of {', '.join(f'{each:,.0f}' for each in rates)}"
        f" (goal at least {GOAL:,.0f})\n"
    )
    return rate >= GOAL


async def ended(database: Database, owner: UUID, job_id: str) -> None:
    while True:
        async with database.transaction(owner) as session:
            status = (await jobs.find(session, job_id)).status
        if status not in {JOB_STATUS_QUEUED, JOB_STATUS_RUNNING}:
            assert status == JOB_STATUS_SUCCEEDED
            return
        await asyncio.sleep(0.02)


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="quantmesh-"))
    folder.chmod(0o711)  # Postgres runs as another user when this is root
    server = PostgresServer(folder / "postgres", free_port(), secrets.token_hex(16))
    child = start_and_wait(server, folder / "postgres.log")
    try:
        with cloned_database(server, "portfolio") as database:
            met = uvloop.run(measure(database.url))
    finally:
        child.stop()
        shutil.rmtree(folder)
    sys.exit(0 if met else 1)


if __name__ == "__main__":
    main()
