"""Databases for tests: migrated once, and each test's own."""

from pathlib import Path

import psycopg
import pytest

from quantmesh.local.testing import NewDatabase

ENVIRONMENT = """\
from quantmesh.chassis.migration.environment import migrate

migrate()
"""
REVISION = """\
from alembic import op
from quantmesh.chassis.migration import helpers

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.execute("CREATE TABLE note (text text)")
    helpers.grant("note", app="SELECT, INSERT")
"""


@pytest.fixture
def migrations(tmp_path: Path) -> Path:
    (tmp_path / "versions").mkdir()
    (tmp_path / "env.py").write_text(ENVIRONMENT)
    (tmp_path / "versions" / "0001_note.py").write_text(REVISION)
    return tmp_path


def test_a_service_finds_its_migrated_schema(service_database: NewDatabase, migrations: Path) -> None:
    database = service_database("pricing", migrations)
    with psycopg.connect(database.url) as connection:
        connection.execute("INSERT INTO pricing.note VALUES ('mine')")


def test_two_databases_share_nothing(service_database: NewDatabase, migrations: Path) -> None:
    first, second = service_database("pricing", migrations), service_database("pricing", migrations)
    with psycopg.connect(first.url) as connection:
        connection.execute("INSERT INTO pricing.note VALUES ('mine')")
    with psycopg.connect(second.url) as connection:
        assert connection.execute("SELECT count(*) FROM pricing.note").fetchone() == (0,)


def test_a_service_may_do_only_what_it_was_granted(service_database: NewDatabase, migrations: Path) -> None:
    database = service_database("pricing", migrations)
    with (
        psycopg.connect(database.url) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute("DELETE FROM pricing.note")
