"""One of a service's replicas at a time: a session advisory lock of Postgres, which dies with its connection."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo
from psycopg.rows import namedtuple_row

from quantmesh.chassis.cancellation import end
from quantmesh.chassis.database import Database

_RETRY_SECONDS = 1.0
_PROOF_SECONDS = 1.0
# Far less than Postgres waits before it gives the lock of a silent session to the next.
_PATIENCE_SECONDS = 4.0


class LeadLost(psycopg.OperationalError):
    """Postgres does not answer on the connection that holds the lock: another replica may lead soon."""

    def __init__(self, name: str, patience_seconds: float) -> None:
        super().__init__(f"{name}: Postgres has not proved for {patience_seconds:g} s that this replica leads")


@asynccontextmanager
async def leading(
    database: Database, name: str, *, on_another: Callable[[], None] = lambda: None
) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
    """Waits for its turn; gives the connection that holds the lock, in the system role, committing each statement.

    `on_another` is called as often as somebody else is found to lead. Raises psycopg.Error where Postgres is away. The
    caller has lost the lead when the connection fails.
    """
    async with await psycopg.AsyncConnection.connect(
        make_conninfo(database.url, **database.connection_options(name)),
        autocommit=True,
        row_factory=namedtuple_row,
    ) as connection:
        await connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(database.system_role)))
        lock = f"quantmesh-{database.service}-{name}"
        while not await _try_lock(connection, lock):
            on_another()
            await asyncio.sleep(_RETRY_SECONDS)
        yield connection


async def while_leading(
    database: Database, name: str, work: Callable[[], Awaitable[object]], *, patience_seconds: float = _PATIENCE_SECONDS
) -> None:
    """Do `work` when it is our turn, and end it within a second or two of losing the lead.

    Two leaders may overlap for that long; what they do must bear it. Raises what `work` does, and psycopg.Error where
    Postgres is away: LeadLost where it is silent for `patience_seconds`.
    """
    async with leading(database, name) as connection:
        working = asyncio.ensure_future(work())
        lost: LeadLost | None = None
        try:
            async with asyncio.timeout(patience_seconds) as patience:
                proving = asyncio.create_task(_prove(connection, patience, patience_seconds))
                await asyncio.wait({working, proving}, return_when=asyncio.FIRST_COMPLETED)
        except TimeoutError:
            lost = LeadLost(name, patience_seconds)
        finally:
            # Both at once: a question that Postgres does not answer lets go of its connection only later.
            await end(working, proving)
        found = [task.exception() for task in (working, proving) if not task.cancelled()]
        for error in (lost, *found):
            if error is not None:
                raise error


async def _prove(connection: psycopg.AsyncConnection[Any], patience: asyncio.Timeout, seconds: float) -> None:
    while True:
        await asyncio.sleep(_PROOF_SECONDS)
        await connection.execute("SELECT 1")
        patience.reschedule(asyncio.get_running_loop().time() + seconds)


async def _try_lock(connection: psycopg.AsyncConnection[Any], name: str) -> bool:
    cursor = await connection.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0)) AS held", [name])
    row = await cursor.fetchone()
    return row is not None and bool(row.held)
