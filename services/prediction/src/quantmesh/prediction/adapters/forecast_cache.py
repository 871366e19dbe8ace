"""Answers kept for an hour in Redis and a second in process, under a key that a new close, a correction or a new model
changes."""

from dataclasses import dataclass
from typing import Final
from uuid import uuid4

from quantmesh.api.prediction.v1 import prediction_pb2 as pb
from quantmesh.chassis.cache import Cache
from quantmesh.chassis.errors import Unavailable
from quantmesh.prediction.adapters.standing import Standing, StandingMemo
from quantmesh.prediction.core.model import AssetClass, Timeframe

_SECONDS: Final = 3600.0
_BRIEFLY_SECONDS: Final = 10.0
# Longer than anything that was put under the key before.
_MARK_SECONDS: Final = 2.0 * _SECONDS


@dataclass(frozen=True, slots=True)
class Entry:
    """What is kept of a forecast, and under which keys, in process and in Redis."""

    standing: Standing
    held_as: str
    kept_as: str
    answer: pb.GetForecastResponse | None


class ForecastCache:
    def __init__(self, cache: Cache, standing: StandingMemo) -> None:
        self._cache = cache
        self._standing = standing

    async def look_up(self, symbol: str, timeframe: Timeframe, asset_class: AssetClass) -> Entry:
        standing = await self._standing.now()
        key = standing.key(symbol, timeframe, asset_class)
        answer = standing.answers.get(key)
        if answer is not None:
            return Entry(standing, key, "", answer)
        mark = await self._cache.get(_mark_of(symbol))
        kept_as = key if mark is None else f"{key}:{mark.hex()}"
        stored = await self._cache.get(kept_as)
        if stored is not None:
            answer = standing.answers.setdefault(key, pb.GetForecastResponse.FromString(stored))
        return Entry(standing, key, kept_as, answer)

    async def put(self, entry: Entry, answer: pb.GetForecastResponse, *, of_newest_close: bool) -> None:
        """Briefly where a newer close can be known: a replica of market may have been behind the others."""
        entry.standing.answers[entry.held_as] = answer
        seconds = _SECONDS if of_newest_close else _BRIEFLY_SECONDS
        await self._cache.set(entry.kept_as, answer.SerializeToString(), seconds)

    async def drop(self, symbol: str) -> None:
        """Where the symbol's closes changed: what any replica made of those before is put where nobody looks any more.

        Raises Unavailable where Redis did not confirm: what it kept would answer for an hour once it is back.
        """
        if not await self._cache.set(_mark_of(symbol), uuid4().bytes, _MARK_SECONDS):
            msg = f"The cached forecasts of {symbol} cannot be dropped while Redis is away."
            raise Unavailable(msg, retry_after_seconds=1.0)
        self._standing.forget()


def _mark_of(symbol: str) -> str:
    return f"changed:{symbol}"
