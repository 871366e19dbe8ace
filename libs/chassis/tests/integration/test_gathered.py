"""A transaction in few messages: what is asked first is asked at once, what is only written goes with what follows."""

import asyncio
from collections.abc import Callable, Sequence
from typing import ClassVar
from uuid import uuid4

import psycopg
import pytest
from psycopg.errors import NotNullViolation

from quantmesh.chassis.database import Database
from quantmesh.chassis.sql import Asked, Parameters, Result, Session, Statement, text
from quantmesh.local.testing import ServiceDatabase

OWNER = uuid4()
OPEN = text("INSERT INTO account (owner_id, name, balance) VALUES (:owner, :name, :balance)")
ADD = text("UPDATE account SET balance = balance + :more WHERE name = :name")
LOCKED = text("SELECT balance FROM account WHERE name = :name FOR UPDATE")
NAMES = text("SELECT name FROM account ORDER BY name")
BACKEND = text("SELECT pg_backend_pid()")


def opening(name: str, balance: int = 1) -> Asked:
    return OPEN, {"owner": OWNER, "name": name, "balance": balance}


def locked(name: str) -> Asked:
    return LOCKED, {"name": name}


class Counting(Session):
    """Of what is sent: how many statements each message has, and whether it commits."""

    sent: ClassVar[list[tuple[int, bool]]] = []

    async def together(self, asked: Sequence[Asked], *, commit: bool = False) -> list[Result]:
        self.sent.append((len(asked), commit))
        return await super().together(asked, commit=commit)

    async def execute(self, statement: Statement, parameters: Parameters | None = None) -> Result:
        self.sent.append((1, False))
        return await super().execute(statement, parameters)


async def refuse(database: Database, *sent: Asked) -> None:
    async with database.gathered(OWNER, [(NAMES, {})]) as session:
        for each in sent:
            await session.send(*each)
        raise LookupError


async def write(database: Database, *sent: Asked) -> None:
    async with database.gathered(OWNER, [(NAMES, {})]) as session:
        for each in sent:
            await session.send(*each)


async def names(database: Database) -> list[str]:
    async with database.transaction(OWNER) as session:
        return list(await session.scalars(NAMES))


async def balance(database: Database, name: str) -> int:
    async with database.transaction(OWNER) as session:
        return int(await session.scalar(*locked(name)))


async def test_what_was_asked_first_is_answered_and_what_was_sent_goes_with_the_commit(
    ledger: ServiceDatabase, open_database: Callable[..., Database]
) -> None:
    database = open_database(ledger.url)
    await database.at_once(OWNER, *opening("a"))
    database.session_type = Counting
    Counting.sent.clear()
    async with database.gathered(OWNER, [locked("a"), (NAMES, {})]) as session:
        assert await session.scalar(*locked("a")) == 1
        assert await session.scalars(NAMES) == ["a"]
        await session.send(ADD, {"name": "a", "more": 5})
        await session.send(*opening("b"))
    assert Counting.sent == [(2, False), (2, True)]
    assert await names(database) == ["a", "b"]
    assert await balance(database, "a") == 6


async def test_what_was_asked_first_does_not_hold_once_something_is_written(database: Database) -> None:
    await database.at_once(OWNER, *opening("a"))
    async with database.gathered(OWNER, [(NAMES, {})]) as session:
        await session.send(*opening("b"))
        assert await session.scalars(NAMES) == ["a", "b"]


async def test_an_answer_is_given_once(database: Database) -> None:
    async with database.gathered(OWNER, [(NAMES, {})]) as session:
        assert await session.scalars(NAMES) == []
        await session.execute(*opening("a"))
        assert await session.scalars(NAMES) == ["a"]


async def test_nobody_is_given_the_answer_to_another_question(database: Database) -> None:
    for name, amount in (("a", 1), ("b", 2)):
        await database.at_once(OWNER, *opening(name, amount))
    async with database.gathered(OWNER, [locked("a")]) as session:
        assert await session.scalar(*locked("b")) == 2


async def test_each_question_sees_what_was_committed_while_the_lock_before_it_was_waited_for(
    database: Database,
) -> None:
    await database.at_once(OWNER, *opening("a"))
    async with database.transaction(OWNER) as first:
        await first.execute(*locked("a"))

        async def read() -> list[str]:
            async with database.gathered(OWNER, [locked("a"), (NAMES, {})]) as session:
                return list(await session.scalars(NAMES))

        waiting = asyncio.create_task(read())
        await asyncio.sleep(0.2)
        await first.execute(*opening("b"))
    assert await waiting == ["a", "b"]


async def test_a_refusal_and_a_statement_that_fails_leave_nothing(database: Database) -> None:
    with pytest.raises(LookupError):
        await refuse(database, opening("a"))
    with pytest.raises(NotNullViolation):
        await write(database, opening("a"), (OPEN, {"owner": OWNER, "name": None, "balance": 1}), opening("b"))
    assert await names(database) == []


async def test_plans_are_kept_over_refusals_and_statements_of_every_kind(
    ledger: ServiceDatabase, open_database: Callable[..., Database]
) -> None:
    database = open_database(ledger.url, pool_size=1)
    for number in range(12):
        # The driver prepares what it has seen five times; at a rollback it gives up all that is prepared.
        assert len(await names(database)) == number
        await write(database, opening(f"{number:02}"))
        with pytest.raises(LookupError):
            await refuse(database)


async def test_a_connection_that_had_died_in_the_pool_is_replaced(
    ledger: ServiceDatabase, open_database: Callable[..., Database]
) -> None:
    database = open_database(ledger.url, pool_size=1)
    backend = (await database.at_once(OWNER, BACKEND, {})).one()[0]
    async with await psycopg.AsyncConnection.connect(ledger.admin_url) as admin:
        await admin.execute("SELECT pg_terminate_backend(%s, 5000)", [backend])
    async with database.gathered(OWNER, [(NAMES, {})]) as session:
        assert await session.scalars(NAMES) == []
        await session.send(*opening("a"))
    assert await names(database) == ["a"]
