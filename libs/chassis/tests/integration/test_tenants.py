"""Row-level security, roles and schemas: what one tenant or service can see of another."""

from collections.abc import Callable
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.errors import InsufficientPrivilege

from quantmesh.chassis.database import Database
from quantmesh.chassis.provision import provision
from quantmesh.chassis.sql import text
from quantmesh.local.testing import ServiceDatabase

ALICE, BOB = uuid4(), uuid4()
OPEN_ACCOUNT = text("INSERT INTO account (owner_id, name, balance) VALUES (:owner_id, :name, 1)")


async def open_account(database: Database, owner_id: UUID, name: str) -> None:
    async with database.transaction(owner_id) as session:
        await session.execute(OPEN_ACCOUNT, {"owner_id": owner_id, "name": name})


async def journal_url(ledger: ServiceDatabase) -> str:
    """Another service on the same database."""
    await provision(ledger.server.url, ["journal"], {"journal": "journal"}, database=ledger.name)
    return ledger.url_as("quantmesh_journal", "journal")


async def names_seen_by(database: Database, owner_id: UUID) -> list[str]:
    async with database.transaction(owner_id) as session:
        return list(await session.scalars(text("SELECT name FROM account ORDER BY name")))


async def test_two_tenants_on_one_pooled_connection_see_nothing_of_each_other(
    ledger: ServiceDatabase, open_database: Callable[..., Database]
) -> None:
    database = open_database(ledger.url, pool_size=1)
    backends = set()
    for _ in range(5):
        for owner, name in ((ALICE, "alice"), (BOB, "bob")):
            async with database.transaction(owner) as session:
                backends.add(await session.scalar(text("SELECT pg_backend_pid()")))
                await session.execute(OPEN_ACCOUNT, {"owner_id": owner, "name": name})
            assert set(await names_seen_by(database, owner)) == {name}
    assert len(backends) == 1


async def test_a_forgotten_filter_neither_changes_nor_deletes_rows_of_others(database: Database) -> None:
    await open_account(database, ALICE, "alice")
    async with database.transaction(BOB) as session:
        changed = await session.scalars(text("UPDATE account SET balance = 0 RETURNING name"))
        deleted = await session.scalars(text("DELETE FROM account RETURNING name"))
        assert (changed, deleted) == ([], [])
    assert await names_seen_by(database, ALICE) == ["alice"]


async def test_a_row_cannot_be_written_for_another_owner(database: Database) -> None:
    with pytest.raises(InsufficientPrivilege, match="row-level security"):
        async with database.transaction(BOB) as session:
            await session.execute(OPEN_ACCOUNT, {"owner_id": ALICE, "name": "forged"})


async def test_without_an_owner_the_service_role_sees_no_row(ledger: ServiceDatabase, database: Database) -> None:
    await open_account(database, ALICE, "alice")
    async with await psycopg.AsyncConnection.connect(ledger.url) as connection:
        rows = await (await connection.execute("SELECT name FROM ledger.account")).fetchall()
    assert rows == []


async def test_the_system_role_works_across_tenants_and_only_in_its_own_transaction(
    ledger: ServiceDatabase, open_database: Callable[..., Database]
) -> None:
    database = open_database(ledger.url, pool_size=1)
    await open_account(database, ALICE, "alice")
    await open_account(database, BOB, "bob")
    async with database.system_transaction() as session:
        names = await session.scalars(text("SELECT name FROM account ORDER BY name"))
        connection = session.connection
    assert names == ["alice", "bob"]
    found = await connection.execute("SELECT current_user")
    assert await found.fetchone() == ("quantmesh_ledger",)
    assert await names_seen_by(database, BOB) == ["bob"]


async def test_the_tenant_of_a_transaction_does_not_stay_on_its_connection(
    ledger: ServiceDatabase, open_database: Callable[..., Database]
) -> None:
    database = open_database(ledger.url, pool_size=1)
    await open_account(database, ALICE, "alice")
    async with database.transaction(ALICE) as session:
        connection = session.connection
    found = await connection.execute("SELECT current_setting('app.owner_id'), current_user")
    assert await found.fetchone() == ("", "quantmesh_ledger")
    await connection.rollback()


async def test_rows_of_an_append_only_table_never_change(ledger: ServiceDatabase, database: Database) -> None:
    async with database.transaction(ALICE) as session:
        await session.execute(text("INSERT INTO entry (owner_id, amount) VALUES (:owner, 1)"), {"owner": ALICE})
    for statement in ("UPDATE entry SET amount = 2", "DELETE FROM entry", "TRUNCATE entry"):
        with pytest.raises(InsufficientPrivilege, match="permission denied"):
            async with database.transaction(ALICE) as session:
                await session.execute(text(statement))
        async with await psycopg.AsyncConnection.connect(ledger.migration_url) as connection:
            await connection.execute("SET search_path = ledger")
            with pytest.raises(psycopg.Error, match="never updated or deleted"):
                await connection.execute(statement.encode())


@pytest.mark.parametrize("relation", ["account", "outbox", "inbox", "job", "idempotency", "alembic_version"])
async def test_a_service_role_cannot_read_another_schema(ledger: ServiceDatabase, relation: str) -> None:
    async with await psycopg.AsyncConnection.connect(await journal_url(ledger)) as connection:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await connection.execute(sql.SQL("SELECT * FROM ledger.{}").format(sql.Identifier(relation)))


async def test_a_service_cannot_take_on_the_system_role_of_another(ledger: ServiceDatabase) -> None:
    async with await psycopg.AsyncConnection.connect(await journal_url(ledger)) as connection:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await connection.execute("SET ROLE quantmesh_ledger_system")


async def test_the_service_role_owns_nothing_and_bypasses_nothing(ledger: ServiceDatabase) -> None:
    async with await psycopg.AsyncConnection.connect(ledger.migration_url) as connection:
        rights = await (
            await connection.execute(
                "SELECT rolsuper, rolbypassrls, rolcreaterole, rolcreatedb FROM pg_roles WHERE rolname LIKE %s",
                ["quantmesh_ledger%"],
            )
        ).fetchall()
        owned = await (
            await connection.execute(
                "SELECT count(*) FROM pg_class WHERE relowner IN"
                " (SELECT oid FROM pg_roles WHERE rolname LIKE 'quantmesh_ledger%%')"
            )
        ).fetchone()
    assert rights == [(False, False, False, False)] * 2
    assert owned == (0,)


async def test_copy_runs_in_the_transaction_of_the_session(database: Database) -> None:
    async with database.transaction(ALICE) as session:
        connection = session.connection
        async with (
            connection.cursor() as cursor,
            cursor.copy("COPY tick (symbol, price) FROM STDIN") as copy,
        ):
            await copy.write_row(("AAPL", 1))
        assert await session.scalar(text("SELECT count(*) FROM tick")) == 1
    async with database.transaction(BOB) as session:
        assert await session.scalar(text("SELECT symbol FROM tick")) == "AAPL"
