"""One whole mesh for all tests of this folder; pytest-xdist keeps them on one worker, one after the other."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from quantmesh.local.testing.mesh import Mesh, running_mesh

from .accounts import live_quotes
from .collector import TelemetryCollector


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.xdist_group("mesh"))
            # The first of them starts the mesh, which itself says after four minutes what did not become ready.
            item.add_marker(pytest.mark.timeout(300))


@pytest.fixture(scope="session")
def telemetry() -> Iterator[TelemetryCollector]:
    """What the mesh is told to send its spans and logs to."""
    collector = TelemetryCollector()
    yield collector
    collector.stop()


@pytest.fixture(scope="session")
def mesh(workspace: Path, telemetry: TelemetryCollector) -> Iterator[Mesh]:
    with tempfile.TemporaryDirectory(prefix="quantmesh-") as folder:
        # Postgres runs as another user when this is root.
        Path(folder).chmod(0o711)
        # The tests log in far more often than people do from one address.
        settings = {
            "QUANTMESH_AUTH_LOGINS_PER_ADDRESS": "100000",
            "QUANTMESH_GATEWAY_SIGN_IN_QUOTA": "100000",
            # No session closes between what a test reads and what it compares it with.
            "QUANTMESH_MARKET_REPLAY_SECONDS_PER_SESSION": "3600",
            "QUANTMESH_OTLP_ENDPOINT": telemetry.endpoint,
            # Spans and logs leave at once, where five seconds are usual.
            "OTEL_BSP_SCHEDULE_DELAY": "200",
            "OTEL_BLRP_SCHEDULE_DELAY": "200",
        }
        with running_mesh(workspace, Path(folder) / "state", settings) as mesh:
            with mesh.new_user() as user:
                live_quotes(user)
            yield mesh


@pytest.fixture
def user(mesh: Mesh) -> Iterator[httpx.Client]:
    with mesh.new_user() as client:
        yield client


@pytest.fixture
def stranger(mesh: Mesh) -> Iterator[httpx.Client]:
    with mesh.new_user() as client:
        yield client
