"""A service begins once its schema is there; a release that goes back finds a schema newer than its code."""

import asyncio
from pathlib import Path

import psycopg
import pytest
from structlog.testing import capture_logs

from quantmesh.chassis.migration import run_migrations
from quantmesh.chassis.schema import newest_revision, wait_until_migrated
from quantmesh.local.testing import ServiceDatabase

from .events import PATIENCE_SECONDS, until

MIGRATIONS = Path(__file__).parent / "ledger"


def migrations_up_to(folder: Path, revision: str) -> Path:
    """As those of a release's code, by their names."""
    versions = folder / "versions"
    versions.mkdir()
    for name in ("0001_begin.py", f"{revision}_end.py", "__init__.py"):
        (versions / name).touch()
    return folder


def show_revision(ledger: ServiceDatabase, revision: str) -> None:
    with psycopg.connect(ledger.migration_url) as connection:
        connection.execute("UPDATE ledger.alembic_version SET version_num = %s", [revision])


def revision_of(ledger: ServiceDatabase) -> str:
    with psycopg.connect(ledger.migration_url) as connection:
        row = connection.execute("SELECT version_num FROM ledger.alembic_version").fetchone()
    assert row is not None
    return str(row[0])


async def test_a_service_begins_when_its_migrations_have_run(ledger: ServiceDatabase, tmp_path: Path) -> None:
    code = migrations_up_to(tmp_path, "0002")
    waiting = asyncio.create_task(wait_until_migrated(ledger.url, "ledger", asyncio.Event(), code))
    await asyncio.sleep(0.3)
    assert not waiting.done(), "it began on the schema of the release before"
    show_revision(ledger, "0002")
    await asyncio.wait_for(waiting, PATIENCE_SECONDS)


async def test_the_schema_of_a_later_release_serves_the_code_of_this_one(ledger: ServiceDatabase) -> None:
    show_revision(ledger, "0012")
    await asyncio.wait_for(wait_until_migrated(ledger.url, "ledger", asyncio.Event(), MIGRATIONS), PATIENCE_SECONDS)


@pytest.mark.parametrize("missing", ["server", "role", "schema"])
async def test_a_service_waits_where_nothing_is_provisioned_yet(ledger: ServiceDatabase, missing: str) -> None:
    url = {
        "server": "postgresql://quantmesh_ledger@127.0.0.1:1/quantmesh",
        "role": ledger.url_as("quantmesh_nobody", "none"),
        "schema": ledger.url,
    }[missing]
    service = "nowhere" if missing == "schema" else "ledger"
    stopping = asyncio.Event()
    with capture_logs() as logged:
        waiting = asyncio.create_task(wait_until_migrated(url, service, stopping, MIGRATIONS))
        await until(lambda: bool(logged))
        assert not waiting.done()
        stopping.set()
        await asyncio.wait_for(waiting, PATIENCE_SECONDS)
    cause = {"server": "refused", "role": "authentication failed", "schema": "does not exist"}[missing]
    assert [(each["log_level"], cause in each["error"]) for each in logged] == [("warning", True)]


def test_migrations_of_an_older_release_leave_a_newer_schema_as_it_is(ledger: ServiceDatabase) -> None:
    show_revision(ledger, "0012")
    run_migrations("ledger", ledger.migration_url, MIGRATIONS)
    assert revision_of(ledger) == "0012"


def test_the_newest_revision_is_the_last_by_number(tmp_path: Path) -> None:
    assert newest_revision(migrations_up_to(tmp_path, "0010")) == "0010"
