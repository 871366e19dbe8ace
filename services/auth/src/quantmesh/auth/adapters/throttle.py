"""Failed logins counted in Redis, and in this process while Redis is away (AUTH-2, docs/decisions/0019)."""

import hashlib
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from redis.asyncio import Redis

from quantmesh.auth.core.errors import TooManyLogins
from quantmesh.auth.core.model import SESSION_LIFETIME
from quantmesh.chassis.cache import CacheFault
from quantmesh.chassis.errors import Unavailable
from quantmesh.chassis.telemetry.logs import get_logger

log = get_logger(__name__)

# Counting and asking in one step: parallel guesses cannot pass between the two. What one key refuses is not counted for
# the next: who may not guess any more cannot shut others out of their accounts either. The last key tells whether the
# one before it counts at all.
_COUNT = """
local counted = #KEYS - 1 - redis.call('EXISTS', KEYS[#KEYS])
for i = 1, counted do
  local count = redis.call('INCR', KEYS[i])
  if count == 1 then redis.call('PEXPIRE', KEYS[i], ARGV[#KEYS]) end
  if count > tonumber(ARGV[i]) then return {counted, redis.call('PTTL', KEYS[i])} end
end
return {counted, 0}
"""
# A count that is gone by now is not begun below zero, where it would have no end and let more guesses pass.
_TAKE_BACK = """
for _, key in ipairs(KEYS) do
  if tonumber(redis.call('GET', key) or '0') > 0 then redis.call('DECR', key) end
end
"""
_LOCAL_LIMIT = 50_000


@dataclass(frozen=True, slots=True)
class Limits:
    """Failures within the window: from one address, at one account from one address, and at one account from all
    addresses together from which nobody has logged in to it of late."""

    per_address: int = 100
    per_account_and_address: int = 10
    per_account: int = 100
    window_seconds: int = 900


@dataclass(frozen=True, slots=True)
class _Keys:
    address: str
    pair: str
    account: str
    known: str

    @classmethod
    def of(cls, account: str, address: str) -> "_Keys":
        digest = hashlib.sha256(account.encode(errors="surrogatepass")).hexdigest()[:32]
        names = (f"address:{address}", f"pair:{digest}:{address}", f"account:{digest}", f"known:{digest}:{address}")
        return cls(*(f"auth:throttle:{name}" for name in names))

    @property
    def counts(self) -> list[str]:
        """In the order in which they are asked."""
        return [self.address, self.pair, self.account]


class RedisThrottle:
    """Every attempt counts as failed until it has succeeded; past the limit nobody looks at the password."""

    def __init__(self, redis: Redis, limits: Limits) -> None:
        self._redis = redis
        self._maxima = [limits.per_address, limits.per_account_and_address, limits.per_account]
        self._window_seconds = limits.window_seconds
        self._local: OrderedDict[str, tuple[int, float]] = OrderedDict()

    @asynccontextmanager
    async def attempt(self, account: str, address: str) -> AsyncIterator[None]:
        keys = _Keys.of(account, address)
        counted = await self._count(keys)
        try:
            yield
        except Unavailable:
            await self._take_back(counted)
            raise
        # One right password must not wipe the count of who guesses at others, or at this account from elsewhere.
        counted.remove(keys.pair)
        await self._take_back(counted, succeeded=keys)

    async def _count(self, keys: _Keys) -> list[str]:
        """What counts this one as failed. Raises TooManyLogins."""
        counts = keys.counts
        try:
            counted, wait_milliseconds = await self._redis.eval(
                _COUNT, len(counts) + 1, *counts, keys.known, *self._maxima, self._window_seconds * 1000
            )
            counts, wait_seconds = counts[:counted], wait_milliseconds / 1000
        except CacheFault as error:
            log.warning("throttle counts locally", error=str(error))
            waits = (self._count_locally(key, maximum) for key, maximum in zip(counts, self._maxima, strict=True))
            wait_seconds = next((wait for wait in waits if wait > 0), 0.0)
        if wait_seconds > 0:
            raise TooManyLogins(wait_seconds)
        return counts

    async def _take_back(self, counted: Sequence[str], succeeded: _Keys | None = None) -> None:
        if succeeded is not None:
            self._local.pop(succeeded.pair, None)
        try:
            async with self._redis.pipeline(transaction=False) as pipeline:
                if succeeded is not None:
                    pipeline.delete(succeeded.pair)
                    pipeline.set(succeeded.known, 1, ex=SESSION_LIFETIME)
                pipeline.eval(_TAKE_BACK, len(counted), *counted)
                await pipeline.execute()
        except CacheFault as error:
            log.warning("throttle takes back locally", error=str(error))
            for key in counted:
                count, until = self._local.get(key, (0, 0.0))
                if count > 0:
                    self._local[key] = (count - 1, until)

    def _count_locally(self, key: str, maximum: int) -> float:
        now = time.monotonic()
        count, until = self._local.get(key, (0, 0.0))
        if until <= now:
            count, until = 0, now + self._window_seconds
        self._local[key] = (count + 1, until)
        self._local.move_to_end(key)
        while len(self._local) > _LOCAL_LIMIT:
            self._local.popitem(last=False)
        return until - now if count + 1 > maximum else 0.0
