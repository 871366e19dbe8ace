"""A disk that is full: writes are refused as unavailable, nothing that was acknowledged is lost, and it goes on."""

import asyncio
import os
import secrets
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from quantmesh.chassis.database import Database
from quantmesh.chassis.errors import Unavailable
from quantmesh.chassis.migration import run_migrations
from quantmesh.chassis.provision import provision
from quantmesh.chassis.sql import text
from quantmesh.local.network import accepts_connections, free_port
from quantmesh.local.servers import PostgresServer
from quantmesh.local.testing import RunningServer
from quantmesh.local.testing.running import running

from .conftest import MIGRATIONS
from .events import until

OWNER = uuid4()
DISK_MEGABYTES, LEFT_MEGABYTES = 192, 3


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, which a test may fill."""
    folder = tmp_path / "disk"
    folder.mkdir(mode=0o711)
    options = f"size={DISK_MEGABYTES}m,mode=711"
    mount, umount = shutil.which("mount"), shutil.which("umount")
    if mount is None or umount is None:
        pytest.skip("there is nothing to mount a file system with")
    if subprocess.run([mount, "-t", "tmpfs", "-o", options, "tmpfs", folder], check=False).returncode:
        pytest.skip("only root may mount a file system")
    yield folder
    subprocess.run([umount, "--lazy", folder], check=True)


@pytest.fixture
def postgres(small_disk: Path, tmp_path: Path) -> Iterator[RunningServer]:
    server = PostgresServer(small_disk / "postgres", free_port(), secrets.token_hex(16))
    with running(server, tmp_path / "postgres.log") as started:
        yield started


def fill(disk: Path) -> Path:
    """All but a few megabytes."""
    ballast = disk / "ballast"
    found = os.statvfs(disk)
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, found.f_bavail * found.f_frsize - LEFT_MEGABYTES * 2**20)
    return ballast


async def test_a_full_disk_refuses_writes_and_loses_none_that_it_took(
    small_disk: Path, postgres: RunningServer, open_database: Callable[..., Database]
) -> None:
    await provision(postgres.url, ["ledger"], {"ledger": "ledger", "migrator": "migrator"})
    at = f"127.0.0.1:{postgres.port}/quantmesh"
    await asyncio.to_thread(run_migrations, "ledger", f"postgresql://quantmesh_migrator:migrator@{at}", MIGRATIONS)
    database = open_database(f"postgresql://quantmesh_ledger:ledger@{at}")
    taken: list[str] = []

    async def write() -> None:
        # Random, so that it cannot be stored smaller than it is.
        name = secrets.token_hex(64 * 1024)
        async with database.transaction(OWNER) as session:
            await session.execute(
                text("INSERT INTO account (owner_id, name, balance) VALUES (:owner, :name, 1)"),
                {"owner": OWNER, "name": name},
            )
        taken.append(name)

    async def write_for_ever() -> None:
        while True:
            await write()

    await write()
    ballast = await asyncio.to_thread(fill, small_disk)
    with pytest.raises(Unavailable):
        await write_for_ever()
    assert len(taken) > 1
    ballast.unlink()

    async def goes_on() -> bool:
        try:
            await write()
        except Unavailable:
            if not accepts_connections(postgres.port):
                # It had no room for its log, and ended itself.
                await asyncio.to_thread(postgres.stop)
                await asyncio.to_thread(postgres.start_again)
            return False
        return True

    await until(goes_on)
    async with database.transaction(OWNER) as session:
        assert set(await session.scalars(text("SELECT name FROM account"))) == set(taken)
