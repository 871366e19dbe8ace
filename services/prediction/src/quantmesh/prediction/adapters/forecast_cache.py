"""Answers kept in Redis for an hour, under a key that a new close or a new model changes."""

from dataclasses import dataclass
from typing import Final

from quantmesh.api.prediction.v1 import prediction_pb2 as pb
from quantmesh.chassis.cache import Cache
from quantmesh.prediction.adapters.standing import StandingMemo
from quantmesh.prediction.core.model import AssetClass, Timeframe

_SECONDS: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Entry:
    cache: Cache
    key: str

    async def get(self) -> pb.GetForecastResponse | None:
        stored = await self.cache.get(self.key)
        return None if stored is None else pb.GetForecastResponse.FromString(stored)

    async def put(self, response: pb.GetForecastResponse) -> None:
        await self.cache.set(self.key, response.SerializeToString(), _SECONDS)


class ForecastCache:
    def __init__(self, cache: Cache, standing: StandingMemo) -> None:
        self._cache = cache
        self._standing = standing

    async def entry(self, symbol: str, timeframe: Timeframe, asset_class: AssetClass) -> Entry:
        return Entry(self._cache, (await self._standing.now()).key(symbol, timeframe, asset_class))

    async def drop(self, symbol: str) -> None:
        """Where the symbol's closes changed within the market's day."""
        standing = await self._standing.now()
        keys = [standing.key(symbol, timeframe, asset_class) for timeframe in Timeframe for asset_class in AssetClass]
        await self._cache.delete(*keys)
