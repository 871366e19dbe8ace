"""Connections that are kept between transactions.

psycopg's own pool connects in the background and lets callers wait where Postgres is away; a request has to hear it.
"""

import asyncio
import time
from typing import Any

from prometheus_client import Counter, Gauge, Histogram
from psycopg import AsyncConnection
from psycopg.pq import TransactionStatus
from psycopg.rows import namedtuple_row

from quantmesh.chassis.errors import Unavailable

# A connection is replaced after this long, so that none outlives a change of addresses or settings for ever.
_LIFE_SECONDS = 1800.0
_RETRY_SECONDS = 1.0

_SIZE = Gauge("quantmesh_database_pool_size", "Connections that the pool may hold")
_CONNECTIONS = Gauge("quantmesh_database_pool_connections", "Connections in use, and callers that wait", ["state"])
_IN_USE, _WAITING = _CONNECTIONS.labels("in_use"), _CONNECTIONS.labels("waiting")
_WAIT_SECONDS = Histogram(
    "quantmesh_database_pool_wait_seconds",
    "Time that callers waited who found every connection in use",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5),
)
_TIMEOUTS = Counter("quantmesh_database_pool_timeouts_total", "Callers refused since every connection stayed in use")


class AllInUse(Unavailable):
    """Nobody gave a connection back in time."""


class Pool:
    """At most `size` connections, opened when they are needed; the last one given back is the first one taken."""

    def __init__(self, conninfo: str, *, size: int, timeout_seconds: float) -> None:
        self._conninfo = conninfo
        self._timeout_seconds = timeout_seconds
        _SIZE.set(size)
        self._places = asyncio.Semaphore(size)
        self._idle: list[AsyncConnection[Any]] = []
        self._born: dict[AsyncConnection[Any], float] = {}

    async def take(self) -> AsyncConnection[Any]:
        """Raises AllInUse where nobody gives one back in time, psycopg.OperationalError where Postgres is away."""
        if self._places.locked():
            await self._wait()
        else:
            await self._places.acquire()
        _IN_USE.inc()
        try:
            while self._idle:
                connection = self._idle.pop()
                if not connection.closed and time.monotonic() - self._born[connection] < _LIFE_SECONDS:
                    return connection
                await self._discard(connection)
            return await self._connect()
        except BaseException:
            self._free_place()
            raise

    async def give_back(self, connection: AsyncConnection[Any]) -> None:
        """One in whose transaction somebody still works, or that is broken, is closed instead; waits for nothing."""
        try:
            if not connection.closed and connection.pgconn.transaction_status == TransactionStatus.IDLE:
                self._idle.append(connection)
            else:
                await self._discard(connection)
        finally:
            self._free_place()

    async def replace(self, dead: AsyncConnection[Any]) -> AsyncConnection[Any]:
        """A new one in the place of one that had died; those that are idle have most likely died with it."""
        await self._discard(dead)
        await self.close()
        return await self._connect()

    async def close(self) -> None:
        """Those that are idle."""
        idle, self._idle = self._idle, []
        for connection in idle:
            await self._discard(connection)

    def _free_place(self) -> None:
        self._places.release()
        _IN_USE.dec()

    async def _wait(self) -> None:
        try:
            with _WAITING.track_inprogress(), _WAIT_SECONDS.time():
                async with asyncio.timeout(self._timeout_seconds):
                    await self._places.acquire()
        except TimeoutError as error:
            _TIMEOUTS.inc()
            msg = "All database connections are in use."
            raise AllInUse(msg, retry_after_seconds=_RETRY_SECONDS) from error

    async def _connect(self) -> AsyncConnection[Any]:
        # Transactions are begun and ended by name, with what they need in the same message.
        connection = await AsyncConnection.connect(self._conninfo, autocommit=True, row_factory=namedtuple_row)
        self._born[connection] = time.monotonic()
        return connection

    async def _discard(self, connection: AsyncConnection[Any]) -> None:
        self._born.pop(connection, None)
        await connection.close()
