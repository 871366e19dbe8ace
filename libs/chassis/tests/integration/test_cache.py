import time

import pytest
from redis.asyncio import Redis

from quantmesh.chassis.cache import Cache, CacheFault, open_redis
from quantmesh.local.testing import RunningServer


async def test_a_value_lives_for_its_time_under_its_prefix(redis_server: RunningServer) -> None:
    cache, other = (Cache(redis_server.url, prefix, timeout_seconds=30.0) for prefix in ("a", "b"))
    await cache.set("k", b"\x00\xff", ttl_seconds=30)
    assert await cache.get("k") == b"\x00\xff"
    assert await other.get("k") is None
    redis = Redis.from_url(redis_server.url)
    assert 0 < await redis.pttl("a:k") <= 30_000
    await redis.aclose()
    assert await cache.delete("k")
    assert await cache.get("k") is None
    await cache.close()
    await other.close()


async def test_a_cache_that_is_down_is_a_miss_and_comes_back_by_itself(redis_server: RunningServer) -> None:
    cache = Cache(redis_server.url, "a", timeout_seconds=30.0)
    await cache.set("k", b"v", ttl_seconds=30)
    redis_server.kill()
    begun = time.monotonic()
    for _ in range(20):
        assert await cache.get("k") is None
        await cache.set("k", b"w", ttl_seconds=30)
    assert not await cache.delete("k")
    # It is refused, and waits for no answer.
    assert time.monotonic() - begun < 30
    redis_server.start_again()
    await cache.set("k", b"x", ttl_seconds=600)
    assert await cache.get("k") == b"x"
    await cache.close()


async def test_a_client_beside_the_cache_raises_what_the_caller_can_name(redis_server: RunningServer) -> None:
    redis = open_redis(redis_server.url, timeout_seconds=30.0)
    assert await redis.ping()
    redis_server.kill()
    with pytest.raises(CacheFault):
        await redis.get("k")
    await redis.aclose()
