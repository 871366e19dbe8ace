"""The database, its roles and its schemas: run with administrator rights, as often as one likes.

`quantmesh_migrator` owns every schema. `quantmesh_<service>` logs in with rights on its own schema alone;
`quantmesh_<service>_system` is the role it takes on (`SET LOCAL ROLE`) for work across tenants. The membership
does not inherit: otherwise the system role's row-level security policy would be in force for every request.
"""

import asyncio
import os
import sys
import time
from collections.abc import Mapping, Sequence

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

MIGRATOR = "quantmesh_migrator"
DATABASE = "quantmesh"
SERVICES = ("gateway", "auth", "market", "portfolio", "pricing", "risk", "prediction", "blockchain")
# Any fixed number will do: two provisioners at once would otherwise race to create the same role.
_LOCK = 7_061_996_011
_RETRY_SECONDS = 1.0


async def provision(
    admin_url: str,
    services: Sequence[str] = SERVICES,
    passwords: Mapping[str, str] | None = None,
    *,
    database: str = DATABASE,
) -> None:
    """Create what is missing and bring what exists to this shape.

    `passwords` holds one per service and one for "migrator"; a role without one keeps what it has (a fresh one
    then logs in only where pg_hba.conf asks for no password).
    """
    known = passwords or {}
    async with await psycopg.AsyncConnection.connect(admin_url, autocommit=True) as admin:
        await admin.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
        await _ensure_role(admin, MIGRATOR, login=True, password=known.get("migrator"))
        await admin.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(sql.Identifier(MIGRATOR)))
        for service in services:
            await _ensure_service_roles(admin, service, known.get(service))
        await _ensure_database(admin, database)
    parameters = conninfo_to_dict(admin_url) | {"dbname": database}
    async with await psycopg.AsyncConnection.connect(**parameters) as connection:  # type: ignore[arg-type]  # libpq's own keywords
        await connection.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        await connection.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
        for service in services:
            await _ensure_schema(connection, service)


async def _ensure_role(connection: psycopg.AsyncConnection, role: str, *, login: bool, password: str | None) -> None:
    name = sql.Identifier(role)
    found = await connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role])
    if await found.fetchone() is None:
        await connection.execute(sql.SQL("CREATE ROLE {}").format(name))
    rights = sql.SQL("LOGIN" if login else "NOLOGIN")
    await connection.execute(sql.SQL("ALTER ROLE {} {} NOCREATEDB NOCREATEROLE NOINHERIT").format(name, rights))
    if password is not None:
        await connection.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(name, sql.Literal(password)))


async def _ensure_service_roles(connection: psycopg.AsyncConnection, service: str, password: str | None) -> None:
    role, system_role = f"quantmesh_{service}", f"quantmesh_{service}_system"
    await _ensure_role(connection, role, login=True, password=password)
    await _ensure_role(connection, system_role, login=False, password=None)
    await connection.execute(
        sql.SQL("GRANT {} TO {} WITH INHERIT FALSE, SET TRUE, ADMIN FALSE").format(
            sql.Identifier(system_role), sql.Identifier(role)
        )
    )


async def _ensure_database(connection: psycopg.AsyncConnection, database: str) -> None:
    name = sql.Identifier(database)
    found = await connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database])
    if await found.fetchone() is None:
        await connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(name, sql.Identifier(MIGRATOR)))
    await connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(name))


async def _ensure_schema(connection: psycopg.AsyncConnection, service: str) -> None:
    schema, role, system_role = (
        sql.Identifier(name) for name in (service, f"quantmesh_{service}", f"quantmesh_{service}_system")
    )
    database = sql.Identifier(connection.info.dbname)
    statements = (
        sql.SQL("CREATE SCHEMA IF NOT EXISTS {} AUTHORIZATION {}").format(schema, sql.Identifier(MIGRATOR)),
        sql.SQL("REVOKE ALL ON SCHEMA {} FROM PUBLIC").format(schema),
        sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(database, role),
        sql.SQL("GRANT USAGE ON SCHEMA {} TO {}, {}").format(schema, role, system_role),
    )
    for statement in statements:
        await connection.execute(statement)


async def wait_for_postgres(admin_url: str, patience_seconds: float) -> None:
    """Returns once it answers. Raises psycopg.OperationalError with the last complaint after `patience_seconds`."""
    give_up_at = time.monotonic() + patience_seconds
    while True:
        try:
            async with await psycopg.AsyncConnection.connect(admin_url, connect_timeout=3):
                return
        except psycopg.OperationalError:
            if time.monotonic() > give_up_at:
                raise
        await asyncio.sleep(_RETRY_SECONDS)


def passwords_from(environ: Mapping[str, str], services: Sequence[str]) -> dict[str, str]:
    """`QUANTMESH_<NAME>_DATABASE_PASSWORD` per service and for the migrator."""
    names = (*services, "migrator")
    found = {name: environ.get(f"QUANTMESH_{name.upper()}_DATABASE_PASSWORD") for name in names}
    return {name: password for name, password in found.items() if password}


def main() -> None:
    admin_url = os.environ.get("QUANTMESH_ADMIN_URL", "")
    if not admin_url:
        sys.exit("QUANTMESH_ADMIN_URL is not set: the address of a Postgres administrator, postgresql://...")
    patience_seconds = float(os.environ.get("QUANTMESH_PROVISION_PATIENCE_SECONDS", "0"))
    try:
        asyncio.run(wait_for_postgres(admin_url, patience_seconds))
    except psycopg.OperationalError as error:
        sys.exit(f"Postgres did not answer within {patience_seconds:g} s: {error}")
    services = tuple(os.environ.get("QUANTMESH_SERVICES", ",".join(SERVICES)).split(","))
    asyncio.run(
        provision(
            admin_url,
            services,
            passwords_from(os.environ, services),
            database=os.environ.get("QUANTMESH_DATABASE_NAME", DATABASE),
        )
    )


if __name__ == "__main__":
    main()
