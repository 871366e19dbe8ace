"""Statements with :names over psycopg 3, the open transaction that runs them, and what they answer."""

import asyncio
import hashlib
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any
from weakref import WeakKeyDictionary

from psycopg import AsyncClientCursor, AsyncConnection
from psycopg.pq import TransactionStatus

from quantmesh.chassis.telemetry import tracing

# A value's place: one colon and a name, which neither a cast (::) nor a time of day (10:30) is.
_NAMED = re.compile(r"(?<![:\w]):([a-z_]\w*)", re.ASCII)

_WRITES_EVENTS = re.compile(r"\bINSERT INTO outbox\b")

# A namedtuple of the statement's columns, which no type can know.
Row = Any
Parameters = Mapping[str, Any]


class Statement:
    """SQL as psycopg takes it. Made once per module, since connections prepare what they see again.

    Its answer may come in binary: half the size where that is bytes.
    """

    def __init__(self, sql: str, *, binary: bool = False) -> None:
        self._sql = sql
        self.binary = binary
        # The relay is told of its commit.
        self.writes_events = _WRITES_EVENTS.search(sql) is not None
        self.takes_values = _NAMED.search(sql) is not None
        self.query: Any = _NAMED.sub(r"%(\1)s", sql.replace("%", "%%")) if self.takes_values else sql

    @cached_property
    def kept(self) -> "KeptPlan":
        return KeptPlan(self._sql)


class KeptPlan:
    """A statement that a connection knows by name, with one plan for all values."""

    def __init__(self, sql: str) -> None:
        self.name = f"kept_{hashlib.sha256(sql.encode()).hexdigest()[:16]}"
        places = {name: place for place, name in enumerate(dict.fromkeys(_NAMED.findall(sql)), 1)}
        self.prepare = f"PREPARE {self.name} AS {_NAMED.sub(lambda found: f'${places[found[1]]}', sql)}".encode()
        values = ", ".join(f"%({name})s" for name in places)
        self.execute: Any = f"EXECUTE {self.name} ({values})" if values else f"EXECUTE {self.name}"


Asked = tuple[Statement, Parameters]
# The names of the kept plans that each connection has.
_kept: "WeakKeyDictionary[AsyncConnection[Any], set[str]]" = WeakKeyDictionary()


def text(sql: str, *, binary: bool = False) -> Statement:
    return Statement(sql, binary=binary)


def plain_array(values: Iterable[object]) -> str:
    """An array in Postgres' own notation, of what needs no quotes there; the driver takes ten times as long."""
    return "{" + ",".join(map(str, values)) + "}"


class NotOneRow(LookupError):
    """A statement that answers one row answered none, or several."""


class Result:
    """All rows of an answer; `rowcount` is how many a writing statement touched."""

    __slots__ = ("rowcount", "rows")

    def __init__(self, rows: list[Row], rowcount: int) -> None:
        self.rows = rows
        self.rowcount = rowcount

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def all(self) -> list[Row]:
        return self.rows

    def first(self) -> Row | None:
        return self.rows[0] if self.rows else None

    def one(self) -> Row:
        if len(self.rows) != 1:
            msg = f"one row was expected, not {len(self.rows)}"
            raise NotOneRow(msg)
        return self.rows[0]

    def one_or_none(self) -> Row | None:
        return self.one() if self.rows else None


class Executor(ABC):
    """Whatever the statements of one transaction are executed by."""

    @abstractmethod
    async def execute(self, statement: Statement, parameters: Parameters | None = None) -> Result: ...

    async def send(self, statement: Statement, parameters: Parameters) -> None:
        """Of which nobody needs the answer: it may go with what follows."""
        await self.execute(statement, parameters)

    async def scalar(self, statement: Statement, parameters: Parameters | None = None) -> Any:
        """The first column of the first row; None without rows."""
        row = (await self.execute(statement, parameters)).first()
        return None if row is None else row[0]

    async def scalars(self, statement: Statement, parameters: Parameters | None = None) -> Sequence[Any]:
        """The first column."""
        return [row[0] for row in await self.execute(statement, parameters)]


class Session(Executor):
    """One transaction at a time on one connection; `opening` begins it, also anew after a rollback.

    Once it is begun, several tasks may execute: their statements go one after the other, in the order in which they are
    asked for.
    """

    def __init__(self, connection: AsyncConnection[Any], opening: bytes) -> None:
        self.connection = connection
        self._opening = opening
        self.wrote_events = False
        self._under_way = 0

    @property
    def is_open(self) -> bool:
        return self.connection.pgconn.transaction_status != TransactionStatus.IDLE

    async def begin(self) -> None:
        await self.connection.execute(self._opening)

    async def execute(self, statement: Statement, parameters: Parameters | None = None) -> Result:
        if not self.is_open:
            await self.begin()
        self.wrote_events |= statement.writes_events
        values = (parameters or {}) if statement.takes_values else None
        self._under_way += 1
        try:
            with tracing.statement_span(statement.query):
                cursor = await self.connection.execute(statement.query, values, binary=statement.binary)
        finally:
            self._under_way -= 1
        if self._under_way:
            # What another task waits to ask is sent first: Postgres works on it while this answer is worked on.
            await asyncio.sleep(0)
        return Result(await cursor.fetchall() if cursor.description else [], cursor.rowcount)

    async def execute_many(self, statement: Statement, rows: Sequence[Parameters]) -> None:
        """The same for each of `rows`, without waiting between them."""
        if not self.is_open:
            await self.begin()
        async with self.connection.cursor() as cursor:
            await cursor.executemany(statement.query, rows)

    async def together(self, asked: Sequence[Asked], *, commit: bool = False) -> list[Result]:
        """Each by its kept plan, in one message, with what `opening` says where nothing is begun yet, and the COMMIT.

        Where one fails, none behind it runs, and the transaction is to be rolled back.
        """
        self.wrote_events |= any(statement.writes_events for statement, _ in asked)
        plans = [statement.kept for statement, _ in asked]
        kept = _kept.setdefault(self.connection, set())
        parts = [] if self.is_open else [self._opening]
        parts += {plan.name: plan.prepare for plan in plans if plan.name not in kept}.values()
        if plans:
            parts.append(b"SET LOCAL plan_cache_mode = force_generic_plan")
        # Values are bound here: in Postgres' other protocol each of these would be a message of its own.
        bind = AsyncClientCursor(self.connection).mogrify
        parts += [bind(plan.execute, values).encode() for plan, (_, values) in zip(plans, asked, strict=True)]
        if commit:
            parts.append(b"COMMIT")
        with tracing.statement_span("; ".join(statement.query for statement, _ in asked) or "COMMIT"):
            try:
                cursor = await self.connection.execute(b"; ".join(parts), prepare=False)
            except BaseException:
                # After a COMMIT, failed or unheard, nothing is rolled back: which plans there are is not known.
                if not self.is_open:
                    await self.connection.close()
                raise
        kept.update(plan.name for plan in plans)
        results = []
        for place in range(-len(asked) - commit, -commit):
            await cursor.set_result(place)
            results.append(Result(await cursor.fetchall() if cursor.description else [], cursor.rowcount))
        return results

    async def commit(self) -> None:
        await self.connection.commit()

    async def rollback(self) -> None:
        # With a rollback psycopg gives up all prepared statements, ours too, but only where it has some itself.
        _kept.pop(self.connection, None)
        await self.connection.execute(b"ROLLBACK; DEALLOCATE ALL", prepare=False)
