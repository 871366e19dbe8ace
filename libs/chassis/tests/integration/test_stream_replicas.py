"""On a cluster of brokers each stream is kept as often as it is set, and outlives the node that led it."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from quantmesh.chassis.errors import Unavailable
from quantmesh.chassis.events import EventBus
from quantmesh.chassis.events.bus import BROKER_FAULTS
from quantmesh.local.child import ChildProcess
from quantmesh.local.network import LOOPBACK, free_port, http_status

_PATIENCE_SECONDS = 60.0
T = TypeVar("T")


class Cluster:
    """Three nodes that know each other."""

    def __init__(self, folder: Path) -> None:
        self._clients, self._monitors, routes = ([free_port() for _ in range(3)] for _ in range(3))
        addresses = ",".join(f"nats://{LOOPBACK}:{port}" for port in routes)
        self.nodes = {
            f"nats-{number}": ChildProcess(
                f"nats-{number}",
                [
                    str(Path(sys.executable).parent / "nats-server"),
                    *("--server_name", f"nats-{number}", "--cluster_name", "quantmesh", "--routes", addresses),
                    *("--addr", LOOPBACK, "--port", str(self._clients[number])),
                    *("--http_port", str(self._monitors[number])),
                    *("--cluster", f"nats://{LOOPBACK}:{routes[number]}"),
                    *("--jetstream", "--store_dir", str(folder / str(number))),
                ],
                folder / f"{number}.log",
            )
            for number in range(3)
        }

    @property
    def url(self) -> str:
        """Of one node, which tells its clients of the others."""
        return f"nats://{LOOPBACK}:{self._clients[0]}"

    async def start(self) -> None:
        for node in self.nodes.values():
            node.start()
        async with asyncio.timeout(_PATIENCE_SECONDS):
            for port in self._monitors:
                while await asyncio.to_thread(http_status, port, "/healthz") != 200:  # noqa: ASYNC110  another process
                    await asyncio.sleep(0.1)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path)
    yield cluster
    for node in cluster.nodes.values():
        node.kill()


async def connected(url: str, replicas: int) -> EventBus:
    bus = EventBus(url, "ledger", replicas)
    await bus.connect(patience_seconds=_PATIENCE_SECONDS)
    return bus


@pytest.mark.timeout(300)
async def test_a_stream_is_kept_by_three_nodes_and_outlives_its_leader(cluster: Cluster) -> None:
    await cluster.start()
    single, bus = await connected(cluster.url, 1), await connected(cluster.url, 3)
    assert (await patiently(lambda: single.ensure_stream("ledger"))).config.num_replicas == 1
    found = await patiently(lambda: bus.ensure_stream("ledger"))
    assert found.config.num_replicas == 3, "a stream of before is brought to what is set"

    await patiently(lambda: bus.jetstream.publish("qm.ledger.entry.written.0", b"kept"))
    cluster.nodes[await patiently(lambda: leader_of_three(bus))].kill()
    kept = await patiently(lambda: bus.jetstream.get_msg("qm-ledger", 1))
    assert kept.data == b"kept"
    for one in (single, bus):
        await one.close()


async def leader_of_three(bus: EventBus) -> str:
    """The node that leads the stream, once the others have all that it has."""
    cluster = (await bus.jetstream.stream_info("qm-ledger")).cluster
    copies = [peer for peer in (cluster.replicas or []) if peer.current] if cluster else []
    if cluster is None or not cluster.leader or len(copies) != 2:
        msg = "the copies are not made yet"
        raise Unavailable(msg)
    return cluster.leader


async def patiently(ask: Callable[[], Awaitable[T]]) -> T:
    """The answer, once the nodes have agreed on who leads."""
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while True:
            try:
                async with asyncio.timeout(2.0):
                    return await ask()
            except BROKER_FAULTS:
                await asyncio.sleep(0.1)
