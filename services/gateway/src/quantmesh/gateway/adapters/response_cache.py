"""Shared reads kept in Redis for 15 minutes, and dropped when their data changes (GW-6).

A key holds a generation: an event that voids a group moves the generation on, so that no delete can race a write of
what was read before it.
"""

from collections.abc import Awaitable, Callable, Mapping

import orjson
from google.protobuf.message import DecodeError
from prometheus_client import Counter

from quantmesh.api.common.v1.common_pb2 import EventEnvelope
from quantmesh.api.market.v1.events_pb2 import BarsIngested
from quantmesh.chassis.cache import Cache
from quantmesh.chassis.ids import uuid7
from quantmesh.chassis.telemetry.logs import get_logger

log = get_logger(__name__)

SUBJECT = "qm.market.bars.ingested"
TTL_SECONDS = 900.0
_READS = Counter("quantmesh_response_cache_total", "Reads of the response cache", ["outcome"])


class ResponseCache:
    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._hits = _READS.labels("hit")
        self._misses = _READS.labels("miss")
        # Generations that Redis did not take. Every replica hears of them, and so none serves what they void.
        self._owed: dict[str, str] = {}

    async def get_or_ask(self, group: str, key: str, ask: Callable[[], Awaitable[Mapping[str, object]]]) -> bytes:
        """The answer as JSON, kept or asked for. `group` is what one event voids."""
        generation = await self._generation(group)
        name = f"{group}:{generation}:{key}"
        kept = await self._cache.get(name)
        if kept is not None:
            self._hits.inc()
            return kept
        self._misses.inc()
        body = orjson.dumps(await ask())
        await self._cache.set(name, body, TTL_SECONDS)
        return body

    async def void(self, group: str, generation: str) -> None:
        """Outlives what it voids, by far."""
        if await self._cache.set(f"generation:{group}", generation.encode(), 2 * TTL_SECONDS):
            self._owed.pop(group, None)
        else:
            self._owed[group] = generation

    async def _generation(self, group: str) -> str:
        """A new one where Redis has none or does not answer: what was kept before may have been voided since."""
        known = None if group in self._owed else await self._cache.get(f"generation:{group}")
        if known is not None:
            return known.decode()
        generation = self._owed.get(group) or uuid7().hex
        await self.void(group, generation)
        return generation

    async def handle(self, envelope: EventEnvelope) -> None:
        """New bars: what was kept of that symbol's bars and chains no longer holds."""
        try:
            symbol = BarsIngested.FromString(envelope.payload).symbol
        except DecodeError:
            log.error("an event does not match its type", event_id=envelope.event_id, type=envelope.type)
            return
        for group in (f"bars:{symbol}", f"chain:{symbol}", "assets"):
            await self.void(group, envelope.event_id)
