"""Statements that wait for as long as a test wants, and no longer."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import psycopg

from quantmesh.local.testing import ServiceDatabase

# What a statement calls to be held up.
WAIT = "pg_advisory_xact_lock(7)"


@asynccontextmanager
async def held_up(ledger: ServiceDatabase) -> AsyncIterator[Callable[[], Awaitable[bool]]]:
    """Whoever calls `WAIT` meanwhile waits until the end of it; gives whether somebody does."""
    async with await psycopg.AsyncConnection.connect(ledger.admin_url, autocommit=True) as admin:
        await admin.execute("SELECT pg_advisory_lock(7)")

        async def waits() -> bool:
            found = await admin.execute(
                "SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = 7 AND NOT granted"
                " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            )
            return await found.fetchone() is not None

        yield waits
