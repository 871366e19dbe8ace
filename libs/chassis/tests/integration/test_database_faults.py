"""What the database's faults become, and how soon the pool is well again."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from uuid import uuid4

import psycopg
import pytest
from psycopg import IntegrityError

from quantmesh.chassis.context import CallContext, set_call
from quantmesh.chassis.database import Database
from quantmesh.chassis.database_errors import ConcurrentUpdate
from quantmesh.chassis.errors import NotFound, Unavailable
from quantmesh.chassis.migration import run_migrations
from quantmesh.chassis.provision import provision
from quantmesh.chassis.sql import text
from quantmesh.local.testing import RunningServer, ServiceDatabase

from .conftest import MIGRATIONS
from .events import until
from .locks import WAIT, held_up

OWNER = uuid4()
Open = Callable[..., Database]


async def test_a_killed_server_is_unavailable_at_once_and_the_pool_well_with_its_return(
    own_postgres: RunningServer, open_database: Open
) -> None:
    await provision(own_postgres.url, ["ledger"], {"ledger": "ledger", "migrator": "migrator"})
    at = f"127.0.0.1:{own_postgres.port}/quantmesh"
    await asyncio.to_thread(run_migrations, "ledger", f"postgresql://quantmesh_migrator:migrator@{at}", MIGRATIONS)
    database = open_database(f"postgresql://quantmesh_ledger:ledger@{at}", pool_size=4)

    async def work() -> None:
        async with database.transaction(OWNER) as session:
            await session.execute(
                text("INSERT INTO account (owner_id, name, balance) VALUES (:owner, 'a', 1)"), {"owner": OWNER}
            )

    await asyncio.gather(*(work() for _ in range(4)))
    own_postgres.kill()
    recorded = 4
    # Its backends may serve for a moment longer.
    with suppress(Unavailable):
        for _ in range(100):
            await work()
            recorded += 1
    begun = time.monotonic()
    for _ in range(6):
        with pytest.raises(Unavailable):
            await work()
    # Each would wait for three seconds, were it not refused.
    assert time.monotonic() - begun < 15
    own_postgres.start_again()
    await asyncio.gather(*(work() for _ in range(4)))
    async with database.transaction(OWNER) as session:
        assert await session.scalar(text("SELECT count(*) FROM account")) >= recorded + 4


async def test_a_refusal_stays_one_where_the_connection_died_before_its_rollback(
    ledger: ServiceDatabase, open_database: Open
) -> None:
    database = open_database(ledger.url, pool_size=1)

    async def refuse() -> None:
        async with database.transaction(OWNER) as session:
            backend = await session.scalar(text("SELECT pg_backend_pid()"))
            with psycopg.connect(ledger.admin_url) as admin:
                admin.execute("SELECT pg_terminate_backend(%s, 5000)", [backend])
            raise NotFound("nothing there")

    for _ in range(3):
        with pytest.raises(NotFound, match="nothing there"):
            await refuse()
    async with database.transaction(OWNER) as session:
        assert await session.scalar(text("SELECT 1")) == 1


async def test_a_connection_that_died_in_the_pool_costs_the_next_request_nothing(
    ledger: ServiceDatabase, database: Database
) -> None:
    async with database.transaction(OWNER) as session:
        backend = await session.scalar(text("SELECT pg_backend_pid()"))
    async with await psycopg.AsyncConnection.connect(ledger.admin_url) as admin:
        await admin.execute("SELECT pg_terminate_backend(%s)", [backend])
    async with database.transaction(OWNER) as session:
        assert await session.scalar(text("SELECT pg_backend_pid()")) != backend


async def test_the_calls_deadline_cancels_a_slow_statement(database: Database) -> None:
    set_call(CallContext(deadline=time.monotonic() + 0.3))
    begun = time.monotonic()
    with pytest.raises(Unavailable, match="deadline"):
        async with database.transaction(OWNER) as session:
            await session.execute(text("SELECT pg_sleep(60)"))
    assert time.monotonic() - begun < 30


async def test_a_deadline_that_has_passed_begins_no_work(database: Database) -> None:
    set_call(CallContext(deadline=time.monotonic() - 1))
    with pytest.raises(Unavailable, match="deadline"):
        async with database.transaction(OWNER):
            pytest.fail("the transaction was opened")


async def test_a_full_pool_is_unavailable_and_not_a_hang(ledger: ServiceDatabase, open_database: Open) -> None:
    database = open_database(ledger.url, pool_size=1, pool_timeout_seconds=0.2)
    async with database.transaction(OWNER):
        begun = time.monotonic()
        with pytest.raises(Unavailable, match="connections are in use"):
            async with database.transaction(OWNER):
                pytest.fail("a pool of one gave two connections")
        assert time.monotonic() - begun < 10


async def test_a_cancelled_request_leaves_no_lock_and_no_idle_transaction(
    ledger: ServiceDatabase, open_database: Open
) -> None:
    database = open_database(ledger.url, pool_size=2)
    async with database.transaction(OWNER) as session:
        await session.execute(
            text("INSERT INTO account (owner_id, name, balance) VALUES (:owner, 'a', 1)"), {"owner": OWNER}
        )
    entered = asyncio.Event()

    async def hold() -> None:
        async with database.transaction(OWNER) as session:
            await session.execute(text("UPDATE account SET balance = 3"))
            entered.set()
            await session.execute(text("SELECT pg_sleep(30)"))

    task = asyncio.create_task(hold())
    await entered.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    async with database.transaction(OWNER) as session:
        await session.execute(text("UPDATE account SET balance = 2"))
        assert await session.scalar(text("SELECT balance FROM account")) == 2
        idle = await session.scalar(
            text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%'")
        )
    assert idle == 0


async def test_a_commit_under_way_is_finished_though_its_caller_is_cancelled(
    ledger: ServiceDatabase, database: Database
) -> None:
    async with await psycopg.AsyncConnection.connect(ledger.admin_url, autocommit=True) as admin:
        await admin.execute(
            "CREATE FUNCTION ledger.linger() RETURNS trigger LANGUAGE plpgsql AS"
            f" $$ BEGIN PERFORM {WAIT}; RETURN NULL; END $$"
        )
        await admin.execute(
            "CREATE CONSTRAINT TRIGGER slow_commit AFTER INSERT ON ledger.account DEFERRABLE INITIALLY DEFERRED"
            " FOR EACH ROW EXECUTE FUNCTION ledger.linger()"
        )

    async def write() -> None:
        async with database.transaction(OWNER) as session:
            await session.execute(
                text("INSERT INTO account (owner_id, name, balance) VALUES (:owner, 'a', 1)"), {"owner": OWNER}
            )

    async with held_up(ledger) as statement_waits:
        task = asyncio.create_task(write())
        await until(statement_waits)
        task.cancel()
        await asyncio.sleep(0.1)
    with pytest.raises(asyncio.CancelledError):
        await task
    async with database.transaction(OWNER) as session:
        assert await session.scalar(text("SELECT count(*) FROM account")) == 1


async def test_a_deadlock_is_a_conflict_for_one_of_the_two(database: Database) -> None:
    async with database.transaction(OWNER) as session:
        await session.execute(
            text("INSERT INTO account (owner_id, name, balance) VALUES (:owner, 'a', 1), (:owner, 'b', 1)"),
            {"owner": OWNER},
        )
    both = asyncio.Barrier(2)
    update = text("UPDATE account SET balance = balance + 1 WHERE name = :name")

    async def take(first: str, second: str) -> None:
        async with database.transaction(OWNER) as session:
            await session.execute(update, {"name": first})
            await both.wait()
            await session.execute(update, {"name": second})

    outcomes = await asyncio.gather(take("a", "b"), take("b", "a"), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes if outcome] == [ConcurrentUpdate]


async def test_a_broken_constraint_stays_what_it_is(database: Database) -> None:
    with pytest.raises(IntegrityError):
        async with database.transaction(OWNER) as session:
            await session.execute(
                text("INSERT INTO account (owner_id, name, balance) VALUES (:owner, NULL, 1)"), {"owner": OWNER}
            )


async def test_a_server_that_became_a_replica_is_not_ready_and_takes_writes_again_after_its_promotion(
    own_postgres: RunningServer, open_database: Open
) -> None:
    await provision(own_postgres.url, ["ledger"], {"ledger": "ledger", "migrator": "migrator"})
    at = f"127.0.0.1:{own_postgres.port}/quantmesh"
    await asyncio.to_thread(run_migrations, "ledger", f"postgresql://quantmesh_migrator:migrator@{at}", MIGRATIONS)
    database = open_database(f"postgresql://quantmesh_ledger:ledger@{at}")

    async def write() -> None:
        async with database.transaction(OWNER) as session:
            await session.execute(
                text("INSERT INTO account (owner_id, name, balance) VALUES (:owner, 'a', 1)"), {"owner": OWNER}
            )

    async def take_writes(setting: str) -> None:
        async with await psycopg.AsyncConnection.connect(own_postgres.url, autocommit=True) as admin:
            await admin.execute(f"ALTER SYSTEM SET default_transaction_read_only = {setting}".encode())
            await admin.execute("SELECT pg_reload_conf()")

    async def is_ready(wanted: bool) -> bool:
        try:
            await database.ping()
        except Unavailable:
            return not wanted
        return wanted

    await write()
    await database.ping()
    await take_writes("on")
    await until(lambda: is_ready(False))
    with pytest.raises(Unavailable):
        await write()
    await take_writes("off")
    await until(lambda: is_ready(True))
    await write()
    async with database.transaction(OWNER) as session:
        assert await session.scalar(text("SELECT count(*) FROM account")) == 2


async def test_callers_that_leave_by_the_hundred_leak_no_connection(
    ledger: ServiceDatabase, open_database: Open
) -> None:
    database = open_database(ledger.url, pool_size=4, pool_timeout_seconds=30.0)

    async def call() -> None:
        async with database.transaction(OWNER) as session:
            await session.execute(
                text("INSERT INTO account (owner_id, name, balance) VALUES (:owner, 'a', 1)"), {"owner": OWNER}
            )
            await session.execute(text("SELECT pg_sleep(0.02)"))

    for _ in range(5):
        callers = [asyncio.create_task(call()) for _ in range(60)]
        await asyncio.sleep(0.05)
        for caller in callers:
            caller.cancel()
        await asyncio.gather(*callers, return_exceptions=True)

    async def none_is_leaked() -> bool:
        # One that was closed is there until its process of Postgres has heard of it.
        async with await psycopg.AsyncConnection.connect(ledger.admin_url) as admin:
            found = await admin.execute(
                "SELECT count(*), count(*) FILTER (WHERE state <> 'idle') FROM pg_stat_activity"
                " WHERE datname = current_database() AND usename = 'quantmesh_ledger'"
            )
            ((connections, busy),) = await found.fetchall()
        return (connections <= 4, busy) == (True, 0)

    await until(none_is_leaked)
    await asyncio.gather(*(call() for _ in range(8)))


async def test_a_read_only_server_is_unavailable(database: Database) -> None:
    async def write() -> None:
        async with database.transaction(OWNER) as session:
            await session.execute(text("SET LOCAL transaction_read_only = on"))
            await session.execute(
                text("INSERT INTO account (owner_id, name, balance) VALUES (:owner, 'a', 1)"), {"owner": OWNER}
            )

    with pytest.raises(Unavailable):
        await write()


async def test_provisioning_and_migrating_again_changes_nothing(ledger: ServiceDatabase, database: Database) -> None:
    passwords = {"ledger": "ledger", "migrator": "migrator"}
    await provision(ledger.server.url, ["ledger"], passwords, database=ledger.name)
    await asyncio.to_thread(run_migrations, "ledger", ledger.migration_url, MIGRATIONS)
    await database.ping()
