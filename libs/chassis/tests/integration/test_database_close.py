"""A pool is closed with nothing left open behind it."""

import asyncio
import gc
import warnings

import pytest

from quantmesh.chassis.database import Database
from quantmesh.chassis.sql import text
from quantmesh.local.testing import ServiceDatabase


@pytest.mark.parametrize("delay", [0.0, 0.0005])
async def test_a_transaction_that_ends_while_the_pool_is_closed_leaves_no_connection(
    ledger: ServiceDatabase, delay: float
) -> None:
    database = Database(ledger.url, "ledger")
    begun = asyncio.Event()

    async def work(database: Database) -> None:
        async with database.system_transaction() as session:
            await session.execute(text("SELECT 1"))
            begun.set()
            await asyncio.sleep(60)

    # What tests before this one left to be collected is theirs.
    gc.collect()
    working = asyncio.create_task(work(database))
    await begun.wait()
    await asyncio.sleep(delay)
    working.cancel()
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        await database.close()
        await asyncio.gather(working, return_exceptions=True)
        del database, working
        gc.collect()
    assert [str(warning.message) for warning in seen] == []
