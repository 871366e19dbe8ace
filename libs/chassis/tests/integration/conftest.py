"""An imagined service "ledger" whose schema holds every table the chassis brings; a database of its own per test."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from sqlalchemy.engine import make_url

from quantmesh.chassis.database import Database
from quantmesh.chassis.migration import run_migrations
from quantmesh.chassis.provision import provision
from quantmesh.local.servers import PostgresServer

SERVICES = ("ledger", "journal")
PASSWORDS = dict.fromkeys((*SERVICES, "migrator"), "of-tests-alone")
MIGRATIONS = Path(__file__).parent / "ledger"


def url_as(server_url: str, user: str, database: str) -> str:
    url = make_url(server_url).set(username=user, password="of-tests-alone", database=database)
    return url.render_as_string(hide_password=False)


def prepare(server_url: str, database: str) -> None:
    asyncio.run(provision(server_url, SERVICES, PASSWORDS, database=database))
    run_migrations("ledger", url_as(server_url, "quantmesh_migrator", database), MIGRATIONS)


@dataclass(frozen=True)
class LedgerDatabase:
    """One test's database on the shared server."""

    server_url: str
    name: str

    def url(self, user: str = "quantmesh_ledger") -> str:
        return url_as(self.server_url, user, self.name)


@pytest.fixture(scope="session")
def ledger_template(postgres_server: PostgresServer) -> str:
    name = f"ledger_template_{secrets.token_hex(4)}"
    prepare(postgres_server.url, name)
    return name


@pytest.fixture
def ledger(postgres_server: PostgresServer, ledger_template: str) -> LedgerDatabase:
    name = f"ledger_{secrets.token_hex(6)}"
    with psycopg.connect(postgres_server.url, autocommit=True) as admin:
        admin.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(ledger_template))
        )
    return LedgerDatabase(postgres_server.url, name)


@pytest.fixture
async def open_database() -> AsyncIterator[Callable[..., Database]]:
    opened: list[Database] = []

    def open_one(url: str, **options: float) -> Database:
        opened.append(Database(url, "ledger", **options))  # type: ignore[arg-type]  # the options of Database
        return opened[-1]

    yield open_one
    for database in opened:
        await database.close()


@pytest.fixture
def database(ledger: LedgerDatabase, open_database: Callable[..., Database]) -> Database:
    return open_database(ledger.url())
