"""Fixtures over real servers.

Postgres is started once by each of pytest-xdist's workers, as tests look at what the whole server does; each test has a
database of its own in it. The other servers start within 0.2 s, so each test that asks for one has its own.
"""

import secrets
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import pytest

from quantmesh.local.network import free_port
from quantmesh.local.servers import EvmNode, NatsServer, PostgresServer, RedisServer
from quantmesh.local.testing.databases import ServiceDatabase, cloned_database
from quantmesh.local.testing.running import RunningServer, running


class NewDatabase(Protocol):
    def __call__(self, service: str, migrations: Path | None = None) -> ServiceDatabase: ...


@pytest.fixture(scope="session")
def workspace(pytestconfig: pytest.Config) -> Path:
    """The root of the checkout."""
    return pytestconfig.rootpath


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """The shared server; `url` is the superuser's."""
    with tempfile.TemporaryDirectory(prefix="quantmesh-") as name:
        folder = Path(name)
        folder.chmod(0o711)  # Postgres runs as another user when this is root
        server = PostgresServer(folder / "postgres", free_port(), secrets.token_hex(16), durable=False)
        with running(server, folder / "postgres.log"):
            yield server


@pytest.fixture
def service_database(postgres_server: PostgresServer) -> Iterator[NewDatabase]:
    """`service_database("portfolio")` gives a migrated database, to this test alone."""
    with ExitStack() as stack:

        def new_database(service: str, migrations: Path | None = None) -> ServiceDatabase:
            return stack.enter_context(cloned_database(postgres_server, service, migrations))

        yield new_database


@pytest.fixture
def own_postgres_server(tmp_path: Path) -> PostgresServer:
    """What `own_postgres` runs."""
    return PostgresServer(tmp_path / "postgres", free_port(), secrets.token_hex(16))


@pytest.fixture
def own_postgres(own_postgres_server: PostgresServer, tmp_path: Path) -> Iterator[RunningServer]:
    """A server that this test alone uses, and may kill; it survives that as in production."""
    with running(own_postgres_server, tmp_path / "postgres.log") as started:
        yield started


@pytest.fixture
def nats_server(tmp_path: Path) -> Iterator[RunningServer]:
    with running(NatsServer(tmp_path / "nats", free_port()), tmp_path / "nats.log") as started:
        yield started


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RunningServer]:
    with running(RedisServer(tmp_path / "redis", free_port()), tmp_path / "redis.log") as started:
        yield started


@pytest.fixture
def evm_node(tmp_path: Path, workspace: Path) -> Iterator[RunningServer]:
    """A chain with no blocks yet, which makes one each second."""
    with running(EvmNode(tmp_path / "evm", free_port(), workspace), tmp_path / "evm.log") as started:
        yield started
