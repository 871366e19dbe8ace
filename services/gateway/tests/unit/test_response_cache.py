"""Shared reads that are kept, and what voids them."""

from typing import Any, cast

import orjson

from quantmesh.api.common.v1.common_pb2 import EventEnvelope
from quantmesh.api.market.v1.events_pb2 import BarsIngested
from quantmesh.chassis.cache import Cache
from quantmesh.gateway.adapters.response_cache import ResponseCache

from .fakes import FakeCache


class Market:
    """Counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    async def ask(self) -> dict[str, Any]:
        self.asked += 1
        return {"asked": self.asked}


async def read(cache: ResponseCache, market: Market) -> int:
    found: int = orjson.loads(await cache.get_or_ask("bars:AAPL", "{}", market.ask))["asked"]
    return found


def bars(event_id: str) -> EventEnvelope:
    return EventEnvelope(event_id=event_id, payload=BarsIngested(symbol="AAPL").SerializeToString())


async def test_new_bars_void_what_was_kept_also_where_redis_was_away_when_they_came() -> None:
    memory, market = FakeCache(), Market()
    cache = ResponseCache(cast("Cache", memory))
    assert [await read(cache, market) for _ in range(2)] == [1, 1]
    await cache.handle(bars("e-1"))
    assert [await read(cache, market) for _ in range(2)] == [2, 2]
    memory.is_down = True
    await cache.handle(bars("e-2"))
    memory.is_down = False
    assert [await read(cache, market) for _ in range(2)] == [3, 3]
    await cache.handle(bars("e-3"))
    assert [await read(cache, market) for _ in range(2)] == [4, 4]


async def test_what_was_voided_is_not_found_again_where_redis_misses_the_generation() -> None:
    memory, market = FakeCache(), Market()
    cache = ResponseCache(cast("Cache", memory))
    assert await read(cache, market) == 1
    await cache.handle(bars("e-1"))
    del memory.kept["generation:bars:AAPL"]
    assert [await read(cache, market) for _ in range(2)] == [2, 2]
