"""A database of its own for each test, cloned from one that was provisioned and migrated once per server."""

import asyncio
import hashlib
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from quantmesh.chassis.migration import run_migrations
from quantmesh.chassis.provision import MIGRATOR, provision
from quantmesh.local.network import LOOPBACK
from quantmesh.local.servers import PostgresServer


@dataclass(frozen=True)
class ServiceDatabase:
    """One migrated database. Roles are the server's, so their passwords are the same in each."""

    server: PostgresServer
    service: str
    name: str

    @property
    def url(self) -> str:
        """As the service logs in."""
        return self.url_as(f"quantmesh_{self.service}", self.service)

    @property
    def migration_url(self) -> str:
        return self.url_as(MIGRATOR, "migrator")

    @property
    def admin_url(self) -> str:
        """As superuser, whom no row-level security binds: for looking behind the service's back."""
        return self.url_as("postgres", self.server.password)

    def url_as(self, role: str, password: str) -> str:
        return f"postgresql://{role}:{password}@{LOOPBACK}:{self.server.port}/{self.name}"


@contextmanager
def cloned_database(server: PostgresServer, service: str, migrations: Path | None = None) -> Iterator[ServiceDatabase]:
    """`migrations` is a folder to use instead of the service's own."""
    database = ServiceDatabase(server, service, f"test_{service}_{secrets.token_hex(4)}")
    with psycopg.connect(server.url, autocommit=True) as admin:
        template = _ensure_template(admin, server, service, migrations)
        admin.execute(
            sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {}").format(
                sql.Identifier(database.name), sql.Identifier(MIGRATOR), sql.Identifier(template)
            )
        )
    try:
        yield database
    finally:
        with psycopg.connect(server.url, autocommit=True) as admin:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(database.name)))


def _ensure_template(admin: psycopg.Connection, server: PostgresServer, service: str, migrations: Path | None) -> str:
    """Made by the first test to ask, under its final name only when it is whole."""
    suffix = hashlib.sha256(str(migrations).encode()).hexdigest()[:8] if migrations else "own"
    template = f"template_{service}_{suffix}"
    if admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", [template]).fetchone() is None:
        unfinished = ServiceDatabase(server, service, f"{template}_unfinished_{secrets.token_hex(4)}")
        passwords = {service: service, "migrator": "migrator"}
        # In a thread: an asynchronous test that asks for a database has a running loop of its own.
        with ThreadPoolExecutor(1) as thread:
            work = provision(server.url, (service,), passwords, database=unfinished.name)
            thread.submit(asyncio.run, work).result()
        run_migrations(service, unfinished.migration_url, migrations)
        admin.execute(
            sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(unfinished.name), sql.Identifier(template))
        )
    return template
