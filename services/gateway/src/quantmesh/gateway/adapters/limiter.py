"""Rate limits shared by all replicas: one atomic script in Redis, one round trip for all requests that wait (GW-3).

While much is left of a bucket, a little of it is drawn in advance and spent here without a round trip.
"""

import asyncio
import time
from collections import deque
from collections.abc import Sequence

from prometheus_client import Counter
from redis.asyncio import Redis
from redis.exceptions import NoScriptError

from quantmesh.chassis.cache import CacheFault
from quantmesh.chassis.telemetry.logs import get_logger
from quantmesh.gateway.core.allowances import Allowances
from quantmesh.gateway.core.rates import Charge, LocalBuckets, Standing, Verdict

log = get_logger(__name__)

# Decides many requests, each on several buckets: all of a request's buckets are drawn on, or none. A bucket's value is
# the instant, in microseconds of Redis' own clock, at which it is empty again; replicas' clocks do not matter. One that
# is further ahead than a bucket can be drawn is from before that clock was set back, or another Redis took over.
# An admitted request may draw more in advance: at most a 1,024th of what is left, so that near its end a quota is
# counted one by one.
_SCRIPT = """
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local answer, argument, key = {}, 1, 1
while argument <= #ARGV do
  local count = tonumber(ARGV[argument])
  argument = argument + 1
  local admitted, ahead = 1, {}
  for bucket = 0, count - 1 do
    local empty_at = tonumber(redis.call('GET', KEYS[key + bucket]) or now)
    local interval, window = tonumber(ARGV[argument + 3 * bucket]), tonumber(ARGV[argument + 3 * bucket + 1])
    ahead[bucket] = math.max(empty_at - now, 0)
    if ahead[bucket] > window then ahead[bucket] = 0 end
    if ahead[bucket] + interval > window then admitted = 0 end
  end
  answer[#answer + 1] = admitted
  for bucket = 0, count - 1 do
    local interval, window = tonumber(ARGV[argument + 3 * bucket]), tonumber(ARGV[argument + 3 * bucket + 1])
    local advance = 0
    if admitted == 1 then
      ahead[bucket] = ahead[bucket] + interval
      local wanted = tonumber(ARGV[argument + 3 * bucket + 2])
      advance = math.min(wanted, math.floor((window - ahead[bucket]) / interval / 1024))
      local empty_at = now + ahead[bucket] + advance * interval
      redis.call('SET', KEYS[key + bucket], string.format('%.0f', empty_at), 'PX', math.ceil(window / 1000))
    end
    answer[#answer + 1] = math.floor(ahead[bucket])
    answer[#answer + 1] = advance
  end
  argument, key = argument + 3 * count, key + count
end
return answer
"""
_BATCH = 256
_ADVANCE = 64
_ADVANCE_SECONDS = 1.0
_RETRY_SECONDS = 1.0
_LOCAL = Counter("quantmesh_rate_limit_local_total", "Requests limited by this process alone, for want of Redis")

_Waiting = tuple[Sequence[Charge], "asyncio.Future[Verdict]"]


class RateLimiter:
    """Requests that arrive while a round trip is under way share the next one."""

    def __init__(self, redis: Redis, *, prefix: str = "gateway:rate") -> None:
        self._redis = redis
        self._prefix = prefix
        self._local = LocalBuckets()
        self._allowances = Allowances(_ADVANCE_SECONDS)
        self._waiting: deque[_Waiting] = deque()
        self._sender: asyncio.Task[None] | None = None
        self._sha = ""
        self._down_until = 0.0

    async def decide(self, charges: Sequence[Charge]) -> Verdict:
        """Never fails: without Redis the same limits hold in this process alone."""
        now = time.monotonic()
        if self._down_until and now < self._down_until:
            return self._decide_here(charges)
        allowed = self._allowances.take(charges, now)
        if allowed is not None:
            return allowed
        answer: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
        self._waiting.append((charges, answer))
        if self._sender is None:
            self._sender = asyncio.create_task(self._send())
        return await answer

    async def close(self) -> None:
        if self._sender is not None:
            await self._sender
        await self._redis.aclose()

    async def _send(self) -> None:
        try:
            while batch := self._next_batch():
                await self._decide_together(batch)
        finally:
            self._sender = None

    def _next_batch(self) -> list[_Waiting]:
        """Those for whom what was drawn in advance meanwhile does not suffice."""
        batch: list[_Waiting] = []
        now = time.monotonic()
        while self._waiting and len(batch) < _BATCH:
            charges, answer = self._waiting.popleft()
            # A caller that went away has cancelled its future.
            if answer.done():
                continue
            allowed = self._allowances.take(charges, now)
            if allowed is None:
                batch.append((charges, answer))
            else:
                answer.set_result(allowed)
        return batch

    async def _decide_together(self, batch: list[_Waiting]) -> None:
        try:
            numbers = await self._ask([charges for charges, _ in batch])
        except CacheFault as error:
            if not self._down_until:
                log.warning("rate limits are local: redis is down", error=str(error))
            self._down_until = time.monotonic() + _RETRY_SECONDS
            verdicts = [self._decide_here(charges) for charges, _ in batch]
        else:
            if self._down_until:
                log.info("rate limits are shared again")
                self._down_until = 0.0
            verdicts = self._verdicts(batch, numbers)
        for (_, answer), verdict in zip(batch, verdicts, strict=True):
            if not answer.done():
                answer.set_result(verdict)

    async def _ask(self, requests: list[Sequence[Charge]]) -> list[int]:
        keys: list[str] = []
        arguments: list[int] = []
        now = time.monotonic()
        advanced: set[str] = set()
        for charges in requests:
            arguments.append(len(charges))
            for charge in charges:
                bucket = charge.bucket
                keys.append(f"{self._prefix}:{bucket}")
                wanted = 0 if bucket in advanced or self._allowances.unused(bucket, now) else _ADVANCE
                advanced.add(bucket)
                interval, window = round(charge.policy.interval_seconds * 1e6), charge.policy.window_seconds * 1_000_000
                arguments += (interval, window, wanted)
        if not self._sha:
            self._sha = str(await self._redis.script_load(_SCRIPT))
        try:
            numbers: list[int] = await self._redis.evalsha(self._sha, len(keys), *keys, *arguments)
        except NoScriptError:
            # Redis was restarted or flushed.
            self._sha = str(await self._redis.script_load(_SCRIPT))
            numbers = await self._redis.evalsha(self._sha, len(keys), *keys, *arguments)
        return numbers

    def _decide_here(self, charges: Sequence[Charge]) -> Verdict:
        _LOCAL.inc()
        return self._local.decide(charges, time.monotonic())

    def _verdicts(self, batch: list[_Waiting], numbers: list[int]) -> list[Verdict]:
        verdicts = []
        left = iter(numbers)
        now = time.monotonic()
        for charges, _ in batch:
            admitted = bool(next(left))
            standings = []
            for charge in charges:
                bucket, policy = charge.bucket, charge.policy
                unused_seconds = self._allowances.unused(bucket, now) * policy.interval_seconds
                standing = Standing(policy, max(next(left) / 1e6 - unused_seconds, 0.0))
                standings.append(standing)
                advance = next(left)
                if advance:
                    self._allowances.grant(bucket, advance, standing, now)
            verdicts.append(Verdict(admitted, tuple(standings)))
        return verdicts
