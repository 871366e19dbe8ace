"""Bring one service's schema up to date, in process."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy.engine import make_url

from quantmesh.chassis.schema import migrations_folder


def run_migrations(service: str, url: str, script_location: Path | None = None) -> None:
    """Upgrade to the newest revision as `quantmesh_migrator` (whose `url` this is). Blocking; safe to repeat."""
    config = Config()
    config.set_main_option("script_location", str(script_location or migrations_folder(service)).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["service"] = service
    config.attributes["url"] = make_url(url).set(drivername="postgresql+psycopg")
    command.upgrade(config, "head")
