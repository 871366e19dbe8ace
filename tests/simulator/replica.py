"""The portfolio service twice: production code over its own pool, which dies and comes back."""

import asyncio
from collections.abc import Sequence
from typing import Any

import psycopg

from quantmesh.chassis.database import Database
from quantmesh.chassis.gathering import GatheredSession
from quantmesh.chassis.sql import Asked, Executor, Parameters, Result, Session, Statement
from quantmesh.local.testing import ServiceDatabase
from quantmesh.portfolio.adapters.store.shared_accounts import AtOnce

from .scheduler import Scheduler, current_actor, has_actor

_BLOCKERS = "SELECT pg_blocking_pids(%s)"
_CANCEL = "SELECT pg_cancel_backend(%s)"
_END_BACKENDS = "SELECT pg_terminate_backend(pid) FROM unnest(%s::int[]) AS pid"
_TABLES = "SELECT schemaname || '.' || tablename FROM pg_tables WHERE schemaname = %s ORDER BY 1"
_LEFT = "SELECT count(*) FROM pg_stat_activity WHERE pid = ANY(%s)"


class Watcher:
    """Looks at Postgres from outside, as superuser."""

    def __init__(self, own: ServiceDatabase) -> None:
        self._own = own
        self._emptied: list[str] = []
        self.ended: set[int] = set()
        self._connection: psycopg.AsyncConnection[Any] | None = None

    async def rows(self, statement: str, parameters: list[object] | None = None) -> list[Any]:
        connection = await self._connected()
        return await (await connection.execute(statement, parameters)).fetchall()

    async def execute(self, statement: str) -> None:
        await (await self._connected()).execute(statement)

    async def prepare(self) -> None:
        """On a fresh database: who closes a circle of waiting finds that out at once, and is its victim."""
        ((name,),) = await self.rows("SELECT current_database()")
        await self.execute(f"ALTER DATABASE {name} SET deadlock_timeout = '1ms'")
        for (table,) in await self.rows(_TABLES, [self._own.service]):
            ((is_reference,),) = await self.rows(f"SELECT EXISTS (SELECT FROM {table})")  # noqa: S608  our own tables
            if not is_reference:
                self._emptied.append(table)

    async def empty(self) -> None:
        """What was empty once. Triggers that protect the ledger look away for the superuser alone."""
        tables = ", ".join(self._emptied)
        await self.execute(
            f"BEGIN; SET LOCAL session_replication_role = replica; TRUNCATE {tables} RESTART IDENTITY; COMMIT"
        )

    async def blockers(self, backend: int) -> list[int]:
        return list((await self.rows(_BLOCKERS, [backend]))[0][0])

    async def cancel(self, backend: int) -> None:
        await self.rows(_CANCEL, [backend])

    async def end(self, backends: list[int]) -> None:
        """As the death of their client: open transactions are rolled back, locks are free once this returns."""
        self.ended.update(backends)
        await self.rows(_END_BACKENDS, [backends])
        while (await self.rows(_LEFT, [backends]))[0][0]:  # noqa: ASYNC110  another process's end is no event here
            await asyncio.sleep(0.001)

    async def close(self) -> None:
        if self._connection is not None:
            await self._connection.close()

    async def _connected(self) -> psycopg.AsyncConnection[Any]:
        if self._connection is None or self._connection.closed or self._connection.broken:
            self._connection = await psycopg.AsyncConnection.connect(
                self._own.admin_url, autocommit=True, options=f"-c search_path={self._own.service}"
            )
        return self._connection


class SteppedSession(Session):
    stepped: "SteppedDatabase"

    async def begin(self) -> None:
        await self.stepped.before_statement(self.connection)
        await super().begin()

    async def execute(self, statement: Statement, parameters: Parameters | None = None) -> Result:
        await self.stepped.before_statement(self.connection)
        return await super().execute(statement, parameters)

    async def together(self, asked: Sequence[Asked], *, commit: bool = False) -> list[Result]:
        if not commit:
            await self.stepped.before_statement(self.connection)
            return await super().together(asked)
        # Nobody stops on the way to a commit, which is finished whatever happens to its caller.
        self.stepped.works_on(self.connection)
        results = await super().together(asked, commit=True)
        self.stepped.commits += 1
        self.stepped.ended()
        return results

    async def commit(self) -> None:
        await super().commit()
        self.stepped.commits += 1
        self.stepped.ended()

    async def rollback(self) -> None:
        await super().rollback()
        self.stepped.ended()


class SteppedDatabase:
    """A service's own Database whose every statement waits for its turn."""

    def __init__(self, own: ServiceDatabase, pool_size: int, ended: set[int]) -> None:
        # Whoever waits for a connection would wait for nobody's step.
        self.database = Database(own.url, own.service, pool_size=pool_size)
        give_back = self.database._pool.give_back

        async def give_back_alive(connection: psycopg.AsyncConnection[Any]) -> None:
            # A process that died had a pool of its own, and nobody else meets its dead connections.
            if not connection.closed and connection.info.backend_pid in ended:
                await connection.close()
            await give_back(connection)

        self.database._pool.give_back = give_back_alive  # type: ignore[method-assign]  # the one thing that differs

        class OwnSession(SteppedSession):
            stepped = self

        self.database.session_type = OwnSession
        self.scheduler: Scheduler | None = None
        self.commits = 0

    async def before_statement(self, connection: psycopg.AsyncConnection[Any]) -> None:
        if self.scheduler is not None and has_actor():
            self.works_on(connection)
            await self.scheduler.pause("statement")

    def works_on(self, connection: psycopg.AsyncConnection[Any]) -> None:
        """Whoever waits from now on waits for what this backend waits for."""
        if has_actor():
            current_actor().backend = connection.info.backend_pid

    def ended(self) -> None:
        """What its backend waits for from now on is somebody else's matter."""
        if self.scheduler is not None:
            self.scheduler.locks_released()
        if has_actor():
            current_actor().backend = None


def database_of(session: Executor) -> Database:
    if isinstance(session, AtOnce):
        return session.database
    if isinstance(session, GatheredSession):
        return database_of(session.session)
    if not isinstance(session, SteppedSession):
        msg = f"{session} is not of this simulation"
        raise TypeError(msg)
    return session.stepped.database
