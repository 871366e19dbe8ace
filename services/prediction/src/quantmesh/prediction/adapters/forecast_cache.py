"""Answers kept for an hour in Redis and a second in process, under a key that a new close or model changes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from quantmesh.api.prediction.v1 import prediction_pb2 as pb
from quantmesh.chassis.cache import Cache
from quantmesh.chassis.errors import Unavailable
from quantmesh.prediction.adapters.standing import Standing, StandingMemo
from quantmesh.prediction.core.model import AssetClass, Timeframe

_SECONDS: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Entry:
    cache: Cache
    standing: Standing
    key: str
    dropped_since: Callable[[], bool]

    async def get(self) -> pb.GetForecastResponse | None:
        held = self.standing.answers.get(self.key)
        if held is not None:
            return held
        stored = await self.cache.get(self.key)
        if stored is None:
            return None
        return self.standing.answers.setdefault(self.key, pb.GetForecastResponse.FromString(stored))

    async def put(self, response: pb.GetForecastResponse) -> None:
        """Not where closes changed since the entry was looked up: the answer may be of those before."""
        if self.dropped_since():
            return
        self.standing.answers[self.key] = response
        await self.cache.set(self.key, response.SerializeToString(), _SECONDS)
        if self.dropped_since():
            self.standing.answers.pop(self.key, None)
            await self.cache.delete(self.key)


class ForecastCache:
    def __init__(self, cache: Cache, standing: StandingMemo) -> None:
        self._cache = cache
        self._standing = standing
        self._drops = 0

    async def entry(self, symbol: str, timeframe: Timeframe, asset_class: AssetClass) -> Entry:
        standing, drops = await self._standing.now(), self._drops
        return Entry(self._cache, standing, standing.key(symbol, timeframe, asset_class), lambda: self._drops != drops)

    async def drop(self, symbol: str) -> None:
        """Where the symbol's closes changed within the market's day.

        Raises Unavailable where Redis did not confirm: what it kept would answer for an hour once it is back.
        """
        standing = await self._standing.now()
        keys = [standing.key(symbol, timeframe, asset_class) for timeframe in Timeframe for asset_class in AssetClass]
        self._drops += 1
        for key in keys:
            standing.answers.pop(key, None)
        if not await self._cache.delete(*keys):
            msg = f"The cached forecasts of {symbol} cannot be dropped while Redis is away."
            raise Unavailable(msg, retry_after_seconds=1.0)
