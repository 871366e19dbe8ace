"""A market, a store and a registry in memory."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from quantmesh.prediction.core.calibration import Calibration
from quantmesh.prediction.core.errors import ModelMissing
from quantmesh.prediction.core.model import AssetClass, Closes, Forecast, ModelVersion, Skill, Timeframe
from quantmesh.prediction.core.model_card import ModelCard
from quantmesh.prediction.core.panel import Windows
from quantmesh.prediction.core.ports import Asset, History

AS_OF = datetime(2022, 6, 1, 20, tzinfo=UTC)
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def skill(rmse: float = 0.09, naive_rmse: float = 0.1) -> Skill:
    return Skill(rmse, naive_rmse, directional_accuracy=0.55, interval_coverage=0.9, windows=100)


def model(symbols: Sequence[str] = ("AAA",), **changes: object) -> ModelVersion:
    made = ModelVersion("lstm", "lstm-1m-00", Timeframe.MONTH, skill(), tuple(symbols), NOW, AS_OF, active=True)
    return replace(made, **changes)  # type: ignore[arg-type]  # each test names fields of its own


@dataclass
class FakeMarket:
    series: dict[str, Closes] = field(default_factory=dict)
    classes: dict[str, AssetClass] = field(default_factory=dict)
    raw: set[str] = field(default_factory=set)
    as_of: datetime = AS_OF

    async def asset(self, symbol: str) -> Asset | None:
        if symbol not in self.series:
            return None
        return Asset(symbol, self.classes.get(symbol, AssetClass.STOCK), symbol not in self.raw)

    async def stocks(self) -> Sequence[Asset]:
        return [Asset(symbol, AssetClass.STOCK, symbol not in self.raw) for symbol in sorted(self.series)]

    async def history(self, symbol: str, observations: int) -> History | None:
        series = self.series[symbol]
        if not len(series):
            return None
        return History(Closes(symbol, series.dates[-observations:], series.closes[-observations:]), self.as_of)


@dataclass
class FakeStore:
    active: ModelVersion | None = None
    forecasts: list[Forecast] = field(default_factory=list)

    async def active_model(self, timeframe: Timeframe) -> ModelVersion | None:
        return self.active if self.active is not None and self.active.timeframe is timeframe else None

    async def find(
        self, symbol: str, timeframe: Timeframe, model_version: str, as_of: datetime, last_price: float
    ) -> Forecast | None:
        key = (symbol, timeframe, model_version, as_of, last_price)
        return next(
            (
                each
                for each in self.forecasts
                if (each.symbol, each.timeframe, each.model_version, each.as_of, each.last_price) == key
            ),
            None,
        )

    async def publish(self, forecast: Forecast) -> Forecast:
        self.forecasts.append(forecast)
        return forecast

    async def register(self, model: ModelVersion) -> ModelVersion:
        self.active = model
        return model


@dataclass
class FakePredictor:
    """Answers the same for every window."""

    location: float = 0.5
    scale: float = 1.0
    calibration: Calibration = field(default_factory=lambda: Calibration.of(np.linspace(-2.0, 2.0, 199)))

    def predict(self, windows: Windows) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        return np.full(len(windows), self.location), np.full(len(windows), self.scale)


@dataclass
class FakePredictors:
    predictor: FakePredictor | None = field(default_factory=FakePredictor)

    async def load(self, model: ModelVersion) -> FakePredictor:
        if self.predictor is None:
            raise ModelMissing(model.version, "it is not in the registry")
        return self.predictor


@dataclass
class FakeRegistry:
    saved: dict[str, tuple[ModelCard, bytes]] = field(default_factory=dict)

    def save(self, card: ModelCard, onnx: bytes) -> None:
        self.saved[card.version] = (card, onnx)
