"""Failed logins counted per account and per address in Redis, and in this process while Redis is away (AUTH-2)."""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from redis.asyncio import Redis

from quantmesh.auth.core.errors import TooManyLogins
from quantmesh.chassis.cache import CacheFault
from quantmesh.chassis.telemetry.logs import get_logger

log = get_logger(__name__)

# Counting and asking in one step: parallel guesses cannot pass between the two. What the first key refuses is not
# counted for the next: an address that may not guess any more cannot shut others out of their accounts either.
_COUNT = """
for i, key in ipairs(KEYS) do
  local count = redis.call('INCR', key)
  if count == 1 then redis.call('PEXPIRE', key, ARGV[#KEYS + 1]) end
  if count > tonumber(ARGV[i]) then return redis.call('PTTL', key) end
end
return 0
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
    per_account: int = 10
    per_address: int = 100
    window_seconds: int = 900


class RedisThrottle:
    """Every attempt counts as failed until it is forgiven; past the limit nobody looks at the password."""

    def __init__(self, redis: Redis, limits: Limits) -> None:
        self._redis = redis
        self._limits = limits
        self._local: OrderedDict[str, tuple[int, float]] = OrderedDict()

    async def admit(self, account: str, address: str) -> None:
        keys = _keys(account, address)
        maxima = [self._limits.per_address, self._limits.per_account]
        try:
            answer = await self._redis.eval(_COUNT, len(keys), *keys, *maxima, self._limits.window_seconds * 1000)
            wait_seconds = int(answer) / 1000
        except CacheFault as error:
            log.warning("throttle counts locally", error=str(error))
            waits = (self._count_locally(key, maximum) for key, maximum in zip(keys, maxima, strict=True))
            wait_seconds = next((wait for wait in waits if wait > 0), 0.0)
        if wait_seconds > 0:
            raise TooManyLogins(wait_seconds)

    async def forgive(self, account: str, address: str) -> None:
        address_key, account_key = _keys(account, address)
        self._local.pop(account_key, None)
        # One right password must not wipe the count of an address that guesses at others.
        await self._take_back([address_key], forgotten=[account_key])

    async def withdraw(self, account: str, address: str) -> None:
        await self._take_back(_keys(account, address))

    async def _take_back(self, keys: list[str], forgotten: Sequence[str] = ()) -> None:
        try:
            async with self._redis.pipeline(transaction=False) as pipeline:
                for key in forgotten:
                    pipeline.delete(key)
                pipeline.eval(_TAKE_BACK, len(keys), *keys)
                await pipeline.execute()
        except CacheFault as error:
            log.warning("throttle takes back locally", error=str(error))
            for key in keys:
                count, until = self._local.get(key, (0, 0.0))
                if count > 0:
                    self._local[key] = (count - 1, until)

    def _count_locally(self, key: str, maximum: int) -> float:
        now = time.monotonic()
        count, until = self._local.get(key, (0, 0.0))
        if until <= now:
            count, until = 0, now + self._limits.window_seconds
        self._local[key] = (count + 1, until)
        self._local.move_to_end(key)
        while len(self._local) > _LOCAL_LIMIT:
            self._local.popitem(last=False)
        return until - now if count + 1 > maximum else 0.0


def _keys(account: str, address: str) -> list[str]:
    """The address before the account."""
    digest = hashlib.sha256(account.encode(errors="surrogatepass")).hexdigest()[:32]
    return [f"auth:throttle:address:{address}", f"auth:throttle:account:{digest}"]
