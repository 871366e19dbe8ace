"""Postgres through SQLAlchemy 2 and psycopg 3: one transaction per request or message, one tenant per transaction."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection
from sqlalchemy import Connection, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import Session, SessionTransaction

from quantmesh.chassis import failpoints
from quantmesh.chassis.context import current_call
from quantmesh.chassis.database_errors import FOREIGN, translate
from quantmesh.chassis.errors import Unavailable
from quantmesh.chassis.failpoints import Failpoint

# One round trip per transaction: who owns it, as which role it runs, and until when a statement may run.
_OPEN = text(
    "SELECT set_config('app.owner_id', :owner_id, true),"
    " set_config('role', :role, true), set_config('statement_timeout', :statement_timeout, true)"
)
# libpq notices a dead server by itself; without these a silent one holds a connection for minutes.
_LIBPQ = {
    "connect_timeout": "3",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",
}


@dataclass(frozen=True, slots=True)
class _Tenancy:
    owner_id: str
    role: str


class _TenantSession(Session):
    """Every transaction that it begins knows its tenant, also one begun again after a rollback."""


@event.listens_for(_TenantSession, "after_begin")
def _open_transaction(session: Session, _transaction: SessionTransaction, connection: Connection) -> None:
    database: Database = session.info["database"]
    tenancy: _Tenancy = session.info["tenancy"]
    connection.execute(
        _OPEN,
        {
            "owner_id": tenancy.owner_id,
            "role": tenancy.role,
            "statement_timeout": str(database.statement_timeout_milliseconds()),
        },
    )


class Database:
    """A pool of connections of one service's role, whose schema is first on the search path.

    Every error that means "later may succeed" leaves as `Unavailable` or `Conflict` of the chassis;
    broken constraints stay SQLAlchemy's `IntegrityError`, for the store that knows what they mean.
    """

    def __init__(
        self,
        url: str,
        service: str,
        *,
        pool_size: int = 8,
        pool_timeout_seconds: float = 2.0,
        statement_timeout_seconds: float = 30.0,
        idle_transaction_timeout_seconds: float = 30.0,
    ) -> None:
        self.service = service
        self.system_role = f"quantmesh_{service}_system"
        self.url = url
        self._statement_timeout_seconds = statement_timeout_seconds
        self._idle_timeout_milliseconds = int(idle_transaction_timeout_seconds * 1000)
        self._engine: AsyncEngine = create_async_engine(
            make_url(url).set(drivername="postgresql+psycopg"),
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=pool_timeout_seconds,
            pool_recycle=1800,
            connect_args=self.connection_options("requests"),
            # Asks every new connection for a type that nobody uses.
            use_native_hstore=False,
        )
        self._transactions = 0
        self._all_ended = asyncio.Event()
        self._all_ended.set()

    def connection_options(self, purpose: str) -> dict[str, str]:
        """libpq's keywords, also for a connection beside the pool (one that holds a lock or listens)."""
        return {
            **_LIBPQ,
            "application_name": f"quantmesh-{self.service}-{purpose}",
            "options": f"-c search_path={self.service} -c timezone=UTC"
            f" -c idle_in_transaction_session_timeout={self._idle_timeout_milliseconds}",
        }

    @asynccontextmanager
    async def transaction(self, owner_id: UUID) -> AsyncIterator[AsyncSession]:
        """One transaction that sees the rows of `owner_id` alone; commits on leaving, rolls back on an error."""
        async with self._transaction(_Tenancy(str(owner_id), "none")) as session:
            yield session

    @asynccontextmanager
    async def system_transaction(self) -> AsyncIterator[AsyncSession]:
        """One transaction across tenants, as `quantmesh_<service>_system`: relays, consumers, sweeps."""
        async with self._transaction(_Tenancy("", self.system_role)) as session:
            yield session

    @asynccontextmanager
    async def snapshot(self, owner_id: UUID) -> AsyncIterator[AsyncSession]:
        """As `transaction`, for reads that must all tell of one state, whatever commits between them."""
        async with self._transaction(_Tenancy(str(owner_id), "none"), isolation="REPEATABLE READ") as session:
            yield session

    async def ping(self) -> None:
        """Raises Unavailable where Postgres does not answer, or takes no writes: a replica, or demoted."""
        async with self.system_transaction() as session:
            if await session.scalar(text("SELECT current_setting('transaction_read_only')::boolean")):
                msg = "The database takes no writes."
                raise Unavailable(msg, retry_after_seconds=1.0)

    async def close(self) -> None:
        """Once the transactions under way have ended: a connection given back to a closed pool stays open for ever."""
        await self._all_ended.wait()
        await _uninterrupted(self._engine.dispose())

    @asynccontextmanager
    async def _transaction(self, tenancy: _Tenancy, isolation: str = "") -> AsyncIterator[AsyncSession]:
        session = AsyncSession(
            self._engine,
            sync_session_class=_TenantSession,
            expire_on_commit=False,
            autoflush=False,
            info={"database": self, "tenancy": tenancy},
        )
        self._transactions += 1
        self._all_ended.clear()
        try:
            await self._begin(session, {"isolation_level": isolation} if isolation else {})
            yield session
            await failpoints.reached(Failpoint.BEFORE_COMMIT)
            await _uninterrupted(session.commit())
            await failpoints.reached(Failpoint.AFTER_COMMIT)
        except FOREIGN as error:
            known = translate(error)
            if known is None:
                raise
            raise known from error
        finally:
            # Also the rollback; a cancelled one would leave a connection in the pool that still holds locks.
            try:
                await _uninterrupted(_end(session))
            finally:
                self._transactions -= 1
                if not self._transactions:
                    self._all_ended.set()

    async def _begin(self, session: AsyncSession, options: dict[str, str]) -> None:
        # Opening doubles as the ping of the pool: nothing was done yet, so a dead connection costs one repetition.
        # The first failure invalidates the whole pool, hence the second try connects anew.
        try:
            await session.connection(execution_options=options)
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
            await _uninterrupted(session.rollback())
            await session.connection(execution_options=options)

    def statement_timeout_milliseconds(self) -> int:
        """What is left of the call's deadline; raises Unavailable where that is nothing."""
        remaining = current_call().remaining_seconds()
        if remaining is None:
            return int(self._statement_timeout_seconds * 1000)
        if remaining <= 0:
            msg = "The call's deadline had passed before its database work began."
            raise Unavailable(msg, retry_after_seconds=1.0)
        # At least 1: zero would mean no limit at all.
        return max(1, int(min(remaining, self._statement_timeout_seconds) * 1000))


async def driver_connection(session: AsyncSession) -> AsyncConnection[Any]:
    """psycopg's own connection behind an open transaction, for COPY; it commits with the session."""
    raw = await (await session.connection()).get_raw_connection()
    connection = raw.driver_connection
    if not isinstance(connection, AsyncConnection):
        msg = f"psycopg's connection was expected behind the session, not {type(connection).__name__}"
        raise TypeError(msg)
    return connection


async def _end(session: AsyncSession) -> None:
    """Roll back what was not committed, and give the connection back."""
    try:
        await session.close()
    except FOREIGN:
        # It died meanwhile, so Postgres has rolled back: what the caller was about to be told stays true.
        await session.invalidate()


async def _uninterrupted(work: Coroutine[Any, Any, None]) -> None:
    """Finish `work` even where the caller is cancelled meanwhile; the cancellation follows it."""
    task = asyncio.create_task(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        while not task.done():
            try:
                await asyncio.wait({task})
            except asyncio.CancelledError:
                continue
        if not task.cancelled():
            task.exception()
        raise
