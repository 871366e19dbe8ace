"""Whether a service's schema is what its code needs. A service never migrates: it waits for the release's migrations.

Revisions are numbered by their files, `0012_<what>.py`, so that a service need not load Alembic to know its own.
"""

import asyncio
from importlib.resources import files
from pathlib import Path

import psycopg
from psycopg import sql

from quantmesh.chassis.telemetry.logs import get_logger

log = get_logger(__name__)

_RETRY_SECONDS = 0.5
_CONNECT_SECONDS = 3


def migrations_folder(service: str) -> Path:
    """`migrations/` inside the service's own package, so that a wheel carries it as an editable install does."""
    folder = Path(str(files(f"quantmesh.{service}").joinpath("migrations")))
    if not (folder / "env.py").is_file():
        msg = f"quantmesh.{service} has no migrations/env.py (looked in {folder})"
        raise FileNotFoundError(msg)
    return folder


def newest_revision(folder: Path) -> str:
    """Of the migrations in that folder."""
    return max(path.name.partition("_")[0] for path in folder.glob("versions/[0-9]*_*.py"))


async def wait_until_migrated(url: str, service: str, stopping: asyncio.Event, migrations: Path | None = None) -> None:
    """Returns once the schema is as new as the code's `migrations`, the service's own, or `stopping` is set.

    A newer schema serves older code: what a release takes away, the one before has ceased to use.
    """
    needed = newest_revision(migrations or migrations_folder(service))
    told: dict[str, str | None] | None = None
    while not stopping.is_set():
        state = await _state(url, service)
        found = state["found"]
        if found is not None and found >= needed:
            return
        # Why Postgres cannot tell, too: a wrong password is waited out by nobody.
        if state != told:
            told = state
            log.warning("waits for migrations", needed=needed, **state)
        try:
            async with asyncio.timeout(_RETRY_SECONDS):
                await stopping.wait()
        except TimeoutError:
            continue


async def _state(url: str, service: str) -> dict[str, str | None]:
    """`found` is None where there is no revision, or Postgres cannot tell: away, or the roles are not made yet."""
    query = sql.SQL("SELECT max(version_num) FROM {}.alembic_version").format(sql.Identifier(service))
    try:
        async with await psycopg.AsyncConnection.connect(url, connect_timeout=_CONNECT_SECONDS) as connection:
            row = await (await connection.execute(query)).fetchone()
    except psycopg.Error as error:
        return {"found": None, "error": str(error)}
    return {"found": None if row is None else row[0]}
