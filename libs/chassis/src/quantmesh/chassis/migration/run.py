"""Bring one service's schema up to date, in process."""

from importlib.resources import files
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy.engine import make_url


def migrations_folder(service: str) -> Path:
    """`migrations/` inside the service's own package, so that a wheel carries it as an editable install does."""
    folder = Path(str(files(f"quantmesh.{service}").joinpath("migrations")))
    if not (folder / "env.py").is_file():
        msg = f"quantmesh.{service} has no migrations/env.py (looked in {folder})"
        raise FileNotFoundError(msg)
    return folder


def run_migrations(service: str, url: str, script_location: Path | None = None) -> None:
    """Upgrade to the newest revision as `quantmesh_migrator` (whose `url` this is). Blocking; safe to repeat."""
    config = Config()
    config.set_main_option("script_location", str(script_location or migrations_folder(service)).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["service"] = service
    config.attributes["url"] = make_url(url).set(drivername="postgresql+psycopg")
    command.upgrade(config, "head")
