"""Nothing lost, nothing doubled, whatever order things happen in and whoever dies on the way."""

import secrets
from collections.abc import AsyncIterator
from functools import partial

import pytest
import pytest_asyncio

from quantmesh.local.network import free_port
from quantmesh.local.servers import PostgresServer
from quantmesh.local.testing.running import running

from .cluster import Cluster, crash_and_start_again, open_cluster
from .simulation import replayable, restarts_postgres, simulate

SEEDS = range(60)
together = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster(postgres_server: PostgresServer) -> AsyncIterator[Cluster]:
    async with open_cluster(postgres_server) as cluster:
        yield cluster


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def mortal_cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cluster]:
    """On a server that nobody else uses, and that survives its death as in production."""
    folder = tmp_path_factory.mktemp("postgres")
    server = PostgresServer(folder / "postgres", free_port(), secrets.token_hex(16))
    with running(server, folder / "postgres.log") as started:
        async with open_cluster(server, partial(crash_and_start_again, server, started)) as cluster:
            yield cluster


@together
@pytest.mark.parametrize("seed", [seed for seed in SEEDS if not restarts_postgres(seed)])
async def test_what_is_acknowledged_is_there_once_and_told_once_in_order(cluster: Cluster, seed: int) -> None:
    with replayable(seed):
        await simulate(cluster, seed)


@together
async def test_a_seed_replays_exactly(cluster: Cluster) -> None:
    first = await simulate(cluster, 7)
    await simulate(cluster, 8)
    again = await simulate(cluster, 7)
    assert again.lines == first.lines
    assert again.digest == first.digest


@together
async def test_recordings_of_one_owner_share_transactions(cluster: Cluster) -> None:
    history = await simulate(cluster, 7)
    together = [int(line.split(": ")[1].split()[0]) for line in history.lines if "recordings together" in line]
    assert max(together) > 2, together


@together
async def test_borrowers_owe_and_are_held_to_their_margin(cluster: Cluster) -> None:
    lines = (await simulate(cluster, 10)).lines
    assert any("MarginExceeded" in line for line in lines)
    owing = next(line for line in lines if line.startswith("something was owed after"))
    assert int(owing.split()[-2]) >= 5


@together
@pytest.mark.parametrize("seed", [seed for seed in SEEDS if restarts_postgres(seed)])
async def test_nothing_is_lost_where_postgres_itself_is_killed_and_comes_back(
    mortal_cluster: Cluster, seed: int
) -> None:
    with replayable(seed):
        history = await simulate(mortal_cluster, seed)
    assert "! Postgres restarts" in history.lines
