"""A caller who leaves while what he was refused is rolled back."""

import asyncio
from collections.abc import Callable
from uuid import uuid4

from quantmesh.chassis.database import Database
from quantmesh.chassis.errors import NotFound
from quantmesh.chassis.sql import Session, text
from quantmesh.local.testing import ServiceDatabase


async def test_a_caller_who_leaves_during_the_rollback_takes_no_connection_along(
    ledger: ServiceDatabase, open_database: Callable[..., Database]
) -> None:
    database = open_database(ledger.url, pool_size=1, pool_timeout_seconds=5.0)
    rolling_back, goes_on = asyncio.Event(), asyncio.Event()

    class Slow(Session):
        async def rollback(self) -> None:
            rolling_back.set()
            await goes_on.wait()
            await super().rollback()

    database.session_type = Slow

    async def refused() -> None:
        async with database.transaction(uuid4()) as session:
            await session.execute(text("SELECT 1"))
            raise NotFound("Nothing is there.")

    caller = asyncio.create_task(refused())
    await rolling_back.wait()
    caller.cancel()
    await asyncio.sleep(0)
    goes_on.set()
    (left,) = await asyncio.gather(caller, return_exceptions=True)
    assert isinstance(left, asyncio.CancelledError)
    async with database.transaction(uuid4()) as session:
        assert await session.scalar(text("SELECT 1")) == 1
