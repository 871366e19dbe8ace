"""Redis as a cache: what it does not answer within 50 ms is a miss, and a cache that is down is one too."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from prometheus_client import Counter
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from quantmesh.chassis.telemetry.logs import get_logger

log = get_logger(__name__)

_READS = Counter("quantmesh_cache_reads_total", "Keys looked up, by what was found", ["cache", "outcome"])

CacheFault = (RedisError, OSError, TimeoutError)


def open_redis(url: str, *, timeout_seconds: float = 0.25) -> Redis:
    """A client for the hot path: short timeouts and no repetition, since waiting helps nobody there.

    Connects on first use, and again by itself after a fault. `redis+sentinel://user:password@host:port/name` is the
    primary that the Sentinels at that address know by that name.
    """
    options: dict[str, Any] = {
        "socket_timeout": timeout_seconds,
        "socket_connect_timeout": timeout_seconds,
        "retry": Retry(NoBackoff(), 0),
        "protocol": 3,
    }
    return _Primary(url, options) if url.startswith("redis+sentinel://") else Redis.from_url(url, **options)


class _Primary(Redis):
    """Asks for the primary with each new connection; those to one that lost its place end with its first refusal."""

    def __init__(self, url: str, options: Mapping[str, Any]) -> None:
        address = urlsplit(url)
        known = {**options, "username": address.username, "password": address.password}
        self._sentinel = Sentinel([(address.hostname, address.port)], sentinel_kwargs=known)  # type: ignore[no-untyped-call]  # redis leaves it so
        pool = SentinelConnectionPool(address.path.strip("/"), self._sentinel, **known)  # type: ignore[no-untyped-call]  # likewise
        super().__init__(connection_pool=pool)
        self.auto_close_connection_pool = True

    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        await super().aclose(close_connection_pool)
        await self._sentinel.aclose()


class Cache:
    """Bytes under `<prefix>:<key>`, each with a time to live. No fault of Redis is raised; an outage is logged once."""

    def __init__(self, url: str, prefix: str, *, timeout_seconds: float = 0.05) -> None:
        self._redis = open_redis(url, timeout_seconds=timeout_seconds)
        self._prefix = prefix
        self._down = False
        self._hits, self._misses, self._faults = (_READS.labels(prefix, each) for each in ("hit", "miss", "fault"))

    async def get(self, key: str) -> bytes | None:
        try:
            value = await self._redis.get(self._name(key))
        except CacheFault as error:
            self._fault(error)
            self._faults.inc()
            return None
        self._answered()
        self._count([value])
        return value.encode() if isinstance(value, str) else value

    async def set(self, key: str, value: bytes, ttl_seconds: float) -> bool:
        """False where Redis did not confirm."""
        try:
            await self._redis.set(self._name(key), value, px=max(1, int(ttl_seconds * 1000)))
        except CacheFault as error:
            self._fault(error)
            return False
        self._answered()
        return True

    async def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """In the order of `keys`, by one request."""
        if not keys:
            return []
        try:
            values = await self._redis.mget([self._name(key) for key in keys])
        except CacheFault as error:
            self._fault(error)
            self._faults.inc(len(keys))
            return [None] * len(keys)
        self._answered()
        self._count(values)
        return [value.encode() if isinstance(value, str) else value for value in values]

    async def set_many(self, values: Mapping[str, bytes], ttl_seconds: float) -> None:
        """By one round trip; not all or nothing."""
        milliseconds = max(1, int(ttl_seconds * 1000))
        async with self._redis.pipeline(transaction=False) as pipeline:
            for key, value in values.items():
                pipeline.set(self._name(key), value, px=milliseconds)
            try:
                await pipeline.execute()
            except CacheFault as error:
                self._fault(error)
            else:
                self._answered()

    async def delete(self, *keys: str) -> bool:
        """False where Redis did not confirm; what must not outlive the deletion then has to be checked elsewhere."""
        try:
            await self._redis.delete(*(self._name(key) for key in keys))
        except CacheFault as error:
            self._fault(error)
            return False
        self._answered()
        return True

    async def close(self) -> None:
        await self._redis.aclose()

    def _name(self, key: str) -> str:
        return f"{self._prefix}:{key}"

    def _count(self, values: Sequence[object]) -> None:
        missed = sum(value is None for value in values)
        self._misses.inc(missed)
        self._hits.inc(len(values) - missed)

    def _fault(self, error: Exception) -> None:
        if not self._down:
            self._down = True
            log.warning("cache is down, reads miss", prefix=self._prefix, error=str(error))

    def _answered(self) -> None:
        if self._down:
            self._down = False
            log.info("cache is back", prefix=self._prefix)
