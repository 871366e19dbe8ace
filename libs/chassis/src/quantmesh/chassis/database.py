"""Postgres through psycopg 3: one transaction per request or message, one tenant per transaction."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

import psycopg
from psycopg.conninfo import make_conninfo

from quantmesh.chassis import failpoints
from quantmesh.chassis.context import current_call
from quantmesh.chassis.database_errors import translate
from quantmesh.chassis.errors import Unavailable
from quantmesh.chassis.failpoints import Failpoint
from quantmesh.chassis.gathering import GatheredSession
from quantmesh.chassis.pool import Pool
from quantmesh.chassis.sql import Asked, Parameters, Result, Session, Statement, text
from quantmesh.chassis.wakening import Wakening

Outcome = TypeVar("Outcome")
_READ_ONLY = text("SELECT current_setting('transaction_read_only')::boolean")
# After about ten seconds a silent peer is gone. Without these it holds a connection for minutes; and Postgres the locks
# of a host that vanished for two hours, also the one by which its replica led.
_SILENCE = {
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",
}
# The same on the server's side, whose names all begin alike.
_SERVERS_SILENCE = " ".join(f"-c tcp_{name.removeprefix('tcp_')}={value}" for name, value in _SILENCE.items())


class Database:
    """A pool of connections of one service's role, whose schema is first on the search path.

    Every error that means "later may succeed" leaves as `Unavailable` or `Conflict` of the chassis;
    broken constraints stay psycopg's `IntegrityError`, for the store that knows what they mean.
    """

    session_type = Session

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
        self._pool = Pool(
            make_conninfo(url, **self.connection_options("requests")),
            size=pool_size,
            timeout_seconds=pool_timeout_seconds,
        )
        # Set by each commit that leaves events for the relay, which clears it.
        self.events_written = Wakening()
        self._transactions = 0
        self._all_ended = asyncio.Event()
        self._all_ended.set()

    def connection_options(self, purpose: str) -> dict[str, str]:
        """libpq's keywords, also for a connection beside the pool (one that holds a lock or listens)."""
        return {
            **_SILENCE,
            "connect_timeout": "3",
            "application_name": f"quantmesh-{self.service}-{purpose}",
            "options": f"-c search_path={self.service} -c timezone=UTC"
            f" -c idle_in_transaction_session_timeout={self._idle_timeout_milliseconds} {_SERVERS_SILENCE}",
        }

    @asynccontextmanager
    async def transaction(self, owner_id: UUID) -> AsyncIterator[Session]:
        """One transaction that sees the rows of `owner_id` alone; commits on leaving, rolls back on an error."""
        async with self._transaction(self._opening(str(owner_id))) as session:
            yield session

    @asynccontextmanager
    async def gathered(self, owner_id: UUID, first: Sequence[Asked]) -> AsyncIterator[GatheredSession]:
        """As `transaction`, with as few messages as can be: `first` are sent before anybody executes them.

        Its events may wait 50 ms for others of their kind.
        """
        async with self._work(self._opening(str(owner_id))) as session:
            gathered = GatheredSession(session)
            await self._begin(session, partial(gathered.ask, first))
            yield gathered
            await self._finish(session, gathered.commit, are_events_awaited=False)

    @asynccontextmanager
    async def system_transaction(self) -> AsyncIterator[Session]:
        """One transaction across tenants, as `quantmesh_<service>_system`: relays, consumers, sweeps."""
        async with self._transaction(self._opening("", role=self.system_role)) as session:
            yield session

    @asynccontextmanager
    async def snapshot(self, owner_id: UUID) -> AsyncIterator[Session]:
        """As `transaction`, for reads that must all tell of one state, whatever commits between them."""
        async with self._transaction(self._opening(str(owner_id), isolation="REPEATABLE READ")) as session:
            yield session

    async def at_once(self, owner_id: UUID, statement: Statement, parameters: Parameters) -> Result:
        """One statement as a transaction that sees the rows of `owner_id` alone, in one message.

        What a `transaction` does in three; but whether it was committed is not known where the connection dies, also
        where it had died before, so this is for effects that may be asked for again. Its events may wait 50 ms for
        others of their kind.
        """
        async with self._work(self._opening(str(owner_id))) as session:
            write = partial(session.together, [(statement, parameters)], commit=True)
            (result,) = await self._finish(session, write, are_events_awaited=False)
            return result

    async def read(self, owner_id: UUID, statement: Statement, parameters: Parameters) -> Result:
        """The same of a statement that writes nothing, and can be tried again where the connection had died."""
        async with self._work(self._opening(str(owner_id))) as session:
            (result,) = await self._begin(session, partial(session.together, [(statement, parameters)], commit=True))
            return result

    async def ping(self) -> None:
        """Raises Unavailable where Postgres does not answer, or takes no writes: a replica, or demoted."""
        async with self.system_transaction() as session:
            if await session.scalar(_READ_ONLY):
                msg = "The database takes no writes."
                raise Unavailable(msg, retry_after_seconds=1.0)

    async def close(self) -> None:
        """Once the transactions under way have ended: a connection given back to a closed pool stays open for ever."""
        await self._all_ended.wait()
        await _uninterrupted(self._pool.close())

    @asynccontextmanager
    async def _transaction(self, opening: bytes) -> AsyncIterator[Session]:
        async with self._work(opening) as session:
            await self._begin(session, session.begin)
            yield session
            await self._finish(session, session.commit)

    @asynccontextmanager
    async def _work(self, opening: bytes) -> AsyncIterator[Session]:
        """Counted, on a connection of the pool; what was not committed is rolled back."""
        self._transactions += 1
        self._all_ended.clear()
        try:
            session = self.session_type(await self._pool.take(), opening)
            try:
                yield session
            finally:
                try:
                    # A cancelled rollback would leave a connection in the pool that still holds locks.
                    if session.is_open:
                        await _uninterrupted(_roll_back(session))
                finally:
                    # Also where the caller left meanwhile.
                    await self._pool.give_back(session.connection)
        except psycopg.Error as error:
            known = translate(error)
            if known is None:
                raise
            raise known from error
        finally:
            self._transactions -= 1
            if not self._transactions:
                self._all_ended.set()

    async def _finish(
        self, session: Session, commit: Callable[[], Coroutine[Any, Any, Outcome]], *, are_events_awaited: bool = True
    ) -> Outcome:
        await failpoints.reached(Failpoint.BEFORE_COMMIT)
        try:
            outcome = await _uninterrupted(commit())
        finally:
            # Also where nobody hears of the commit any more.
            if session.wrote_events and are_events_awaited:
                self.events_written.set()
            elif session.wrote_events:
                self.events_written.set_soon()
        await failpoints.reached(Failpoint.AFTER_COMMIT)
        return outcome

    def _opening(self, owner_id: str, *, role: str = "none", isolation: str = "READ COMMITTED") -> bytes:
        """One message per transaction: who owns it, as which role it runs, and until when a statement may run.

        Nothing in it was typed by anybody: ids, our own roles, a number.
        """
        trace_id = current_call().trace_id
        # So that Postgres names the trace that holds a lock.
        named = f"; SET LOCAL application_name = 'quantmesh-{self.service}-{trace_id}'" if trace_id else ""
        return (
            f"BEGIN ISOLATION LEVEL {isolation}; SET LOCAL ROLE {role}; SET LOCAL app.owner_id = '{owner_id}';"
            f" SET LOCAL statement_timeout = {self.statement_timeout_milliseconds()}{named}"
        ).encode()

    async def _begin(self, session: Session, begin: Callable[[], Awaitable[Outcome]]) -> Outcome:
        # Opening doubles as the ping of the pool: nothing was done yet, so a dead connection costs one repetition.
        try:
            return await begin()
        except psycopg.OperationalError:
            if not session.connection.closed:
                raise
            session.connection = await self._pool.replace(session.connection)
            return await begin()

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


async def _roll_back(session: Session) -> None:
    try:
        await session.rollback()
    except psycopg.Error:
        # It died meanwhile, so Postgres has rolled back: what the caller was about to be told stays true.
        await session.connection.close()


async def _uninterrupted(work: Coroutine[Any, Any, Outcome]) -> Outcome:
    """Finish `work` even where the caller is cancelled meanwhile; the cancellation follows it."""
    task = asyncio.create_task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        while not task.done():
            try:
                await asyncio.wait({task})
            except asyncio.CancelledError:
                continue
        if not task.cancelled():
            task.exception()
        raise
