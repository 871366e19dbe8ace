"""One statement as a whole transaction in one message."""

import asyncio
import time
from collections.abc import Callable
from uuid import uuid4

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege, NotNullViolation, UniqueViolation

from quantmesh.chassis.context import CallContext, set_call
from quantmesh.chassis.database import Database
from quantmesh.chassis.errors import Unavailable
from quantmesh.chassis.sql import text
from quantmesh.local.testing import ServiceDatabase

from .events import until
from .locks import WAIT, held_up

OWNER, OTHER = uuid4(), uuid4()
OPEN = text("INSERT INTO account (owner_id, name, balance) VALUES (:owner, :name, 1) RETURNING name, balance")
SLOW = text("INSERT INTO account SELECT :owner, 'slow', 1 FROM pg_sleep(60)")
HELD_UP = text(f"INSERT INTO account SELECT :owner, 'slow', 1 FROM {WAIT}")  # noqa: S608  our own
NAMES = text("SELECT name FROM account ORDER BY name")
BACKEND = text("SELECT pg_backend_pid()")


async def names(database: Database) -> list[str]:
    async with database.transaction(OWNER) as session:
        return list(await session.scalars(NAMES))


async def end_backend(ledger: ServiceDatabase, backend: int) -> None:
    async with await psycopg.AsyncConnection.connect(ledger.admin_url) as admin:
        await admin.execute("SELECT pg_terminate_backend(%s, 5000)", [backend])


async def running_statement(ledger: ServiceDatabase) -> int:
    """The backend that sleeps."""
    async with await psycopg.AsyncConnection.connect(ledger.admin_url, autocommit=True) as admin:
        while True:
            cursor = await admin.execute(
                "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'"
            )
            found = await cursor.fetchone()
            if found is not None:
                return int(found[0])
            await asyncio.sleep(0.01)


async def test_a_statement_is_committed_and_answers(database: Database) -> None:
    for name in ("a", "b"):
        row = (await database.at_once(OWNER, OPEN, {"owner": OWNER, "name": name})).one()
        assert (row.name, row.balance) == (name, 1)
    assert await names(database) == ["a", "b"]


@pytest.mark.parametrize(
    "name", ["it's", '"; DROP TABLE account; --', "\\", "\\'; --", "100%s %(owner)s", "ünï 漢", ":name"]
)
async def test_values_arrive_as_they_are(database: Database, name: str) -> None:
    await database.at_once(OWNER, OPEN, {"owner": OWNER, "name": name})
    assert await names(database) == [name]


async def test_it_sees_and_writes_the_rows_of_its_owner_alone(database: Database) -> None:
    await database.at_once(OWNER, OPEN, {"owner": OWNER, "name": "a"})
    assert (await database.at_once(OTHER, NAMES, {})).all() == []
    with pytest.raises(InsufficientPrivilege):
        await database.at_once(OTHER, OPEN, {"owner": OWNER, "name": "b"})
    assert await names(database) == ["a"]


async def test_a_statement_that_fails_leaves_nothing_and_the_connection_well(
    ledger: ServiceDatabase, open_database: Callable[..., Database]
) -> None:
    database = open_database(ledger.url, pool_size=1)
    with pytest.raises(NotNullViolation):
        await database.at_once(OWNER, OPEN, {"owner": OWNER, "name": None})
    await database.at_once(OWNER, OPEN, {"owner": OWNER, "name": "a"})
    assert await names(database) == ["a"]


async def test_the_owner_does_not_stay_on_the_connection(
    ledger: ServiceDatabase, open_database: Callable[..., Database]
) -> None:
    database = open_database(ledger.url, pool_size=1)
    await database.at_once(OWNER, OPEN, {"owner": OWNER, "name": "a"})
    async with database.transaction(OTHER) as session:
        await session.rollback()
        owner = await session.connection.execute("SELECT current_setting('app.owner_id', true)")
        assert await owner.fetchone() in {(None,), ("",)}


async def test_the_calls_deadline_ends_it(database: Database) -> None:
    set_call(CallContext(deadline=time.monotonic() + 0.3))
    with pytest.raises(Unavailable, match="deadline"):
        await database.at_once(OWNER, SLOW, {"owner": OWNER})
    set_call(CallContext())
    assert await names(database) == []


async def test_it_is_finished_though_its_caller_is_cancelled(ledger: ServiceDatabase, database: Database) -> None:
    async with held_up(ledger) as statement_waits:
        task = asyncio.create_task(database.at_once(OWNER, HELD_UP, {"owner": OWNER}))
        await until(statement_waits)
        task.cancel()
        await asyncio.sleep(0.1)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await names(database) == ["slow"]


async def test_a_connection_that_dies_meanwhile_is_unavailable_and_not_tried_again(
    ledger: ServiceDatabase, database: Database
) -> None:
    task = asyncio.create_task(database.at_once(OWNER, SLOW, {"owner": OWNER}))
    await end_backend(ledger, await running_statement(ledger))
    with pytest.raises(Unavailable):
        await task
    assert await names(database) == []


async def test_a_connection_that_had_died_in_the_pool_is_unavailable_and_not_tried_again(
    ledger: ServiceDatabase, open_database: Callable[..., Database]
) -> None:
    database = open_database(ledger.url, pool_size=1)
    backend = (await database.at_once(OWNER, BACKEND, {})).one()[0]
    await end_backend(ledger, backend)
    with pytest.raises(Unavailable):
        await database.at_once(OWNER, OPEN, {"owner": OWNER, "name": "a"})
    await database.at_once(OWNER, OPEN, {"owner": OWNER, "name": "b"})
    assert await names(database) == ["b"]


async def test_its_plan_follows_the_schema(ledger: ServiceDatabase, database: Database) -> None:
    copy = text("INSERT INTO account SELECT * FROM json_populate_record(NULL::account, CAST(:row AS json))")
    row = f'{{"owner_id": "{OWNER}", "name": "a", "balance": 1}}'
    await database.at_once(OWNER, copy, {"row": row})
    async with await psycopg.AsyncConnection.connect(ledger.admin_url) as admin:
        await admin.execute("ALTER TABLE ledger.account ADD COLUMN note text")
    await database.at_once(OWNER, copy, {"row": row.replace('"a"', '"b"')})
    assert await names(database) == ["a", "b"]


async def test_a_read_is_tried_again_where_its_connection_had_died_in_the_pool(
    ledger: ServiceDatabase, open_database: Callable[..., Database]
) -> None:
    database = open_database(ledger.url, pool_size=1)
    await database.at_once(OWNER, OPEN, {"owner": OWNER, "name": "a"})
    await end_backend(ledger, (await database.read(OWNER, BACKEND, {})).one()[0])
    assert [row.name for row in await database.read(OWNER, NAMES, {})] == ["a"]
    assert (await database.read(OTHER, NAMES, {})).all() == []


async def test_a_commit_that_fails_leaves_no_plan_behind_that_nobody_knows_of(
    database: Database, ledger: ServiceDatabase
) -> None:
    async with await psycopg.AsyncConnection.connect(
        ledger.admin_url, options=f"-c search_path={ledger.service}", autocommit=True
    ) as admin:
        await admin.execute("ALTER TABLE account ADD CONSTRAINT once UNIQUE (name) DEFERRABLE INITIALLY DEFERRED")
        await admin.execute("INSERT INTO account (owner_id, name, balance) VALUES (%s, 'a', 1)", [OWNER])
    with pytest.raises(UniqueViolation):
        await database.at_once(OWNER, OPEN, {"owner": OWNER, "name": "a"})
    await database.at_once(OWNER, OPEN, {"owner": OWNER, "name": "b"})
    assert await names(database) == ["a", "b"]


async def test_events_of_a_commit_that_nobody_waits_for_wake_the_relay(
    database: Database, ledger: ServiceDatabase
) -> None:
    slow = text(f"WITH told AS (INSERT INTO outbox (id) SELECT NULL WHERE false) SELECT {WAIT}")
    async with held_up(ledger) as statement_waits:
        working = asyncio.create_task(database.at_once(OWNER, slow, {}))
        await until(statement_waits)
        working.cancel()
        await asyncio.sleep(0.1)
    with pytest.raises(asyncio.CancelledError):
        await working
    assert database.events_written.is_set()
