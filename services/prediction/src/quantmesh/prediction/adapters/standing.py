"""What decides which stored forecast answers: the market's day and the active models, looked up once a second."""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Final

from prometheus_client import Gauge

from quantmesh.api.prediction.v1 import prediction_pb2 as pb
from quantmesh.prediction.adapters.peers import MarketPeer
from quantmesh.prediction.adapters.store import Store
from quantmesh.prediction.core.market_day import MarketDay
from quantmesh.prediction.core.model import AssetClass, Timeframe
from quantmesh.prediction.core.naive import NAIVE_VERSION

LIFETIME_SECONDS: Final = 1.0
"""How long after an activation a process may still answer by the model before."""

_COVERAGE = Gauge(
    "quantmesh_prediction_interval_coverage", "Share of outcomes inside the active model's intervals", ["timeframe"]
)
_SKILL = Gauge(
    "quantmesh_prediction_skill", "Share of the naive squared error that the active model takes away", ["timeframe"]
)


@dataclass(frozen=True, slots=True)
class Standing:
    """`answers` holds what was answered under this standing, and goes with it."""

    day: MarketDay
    versions: dict[Timeframe, str]
    answers: dict[str, pb.GetForecastResponse] = field(default_factory=dict)

    def key(self, symbol: str, timeframe: Timeframe, asset_class: AssetClass) -> str:
        """Of a cached forecast: a new close or a new model leads to another key, and so drops the old entry."""
        version = self.versions.get(timeframe, NAIVE_VERSION)
        return f"forecast:{asset_class}:{symbol}:{timeframe}:{version}:{self.day.last_session}:{self.day.today}"


class StandingMemo:
    def __init__(self, market: MarketPeer, store: Store) -> None:
        self._market = market
        self._store = store
        self._standing: Standing | None = None
        self._good_until = 0.0
        self._looking = asyncio.Lock()

    async def now(self) -> Standing:
        """At most a second old. Raises Unavailable where market or the database does not answer."""
        if self._standing is not None and time.monotonic() < self._good_until:
            return self._standing
        async with self._looking:
            if self._standing is None or time.monotonic() >= self._good_until:
                asked = time.monotonic()
                day, active = await asyncio.gather(self._market.day(), self._store.active_models())
                for timeframe, model in active.items():
                    _COVERAGE.labels(timeframe).set(model.skill.interval_coverage)
                    _SKILL.labels(timeframe).set(model.skill.skill)
                self._standing = Standing(day, {timeframe: model.version for timeframe, model in active.items()})
                # Counted from the question: what became true after it may not be in the answer.
                self._good_until = asked + LIFETIME_SECONDS
            return self._standing

    def forget(self) -> None:
        """With what was answered under it."""
        self._good_until = 0.0
