"""The values of prediction: frozen, checked when made."""

import math
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

import numpy as np
import numpy.typing as npt

INTERVAL_CONFIDENCE: Final = 0.9
"""The share of outcomes that an interval promises to hold."""


class Timeframe(StrEnum):
    """How far ahead a forecast looks."""

    DAY = "1d"
    WEEK = "1w"
    MONTH = "1m"
    QUARTER = "3m"


class AssetClass(StrEnum):
    STOCK = "stock"
    CRYPTO = "crypto"


class Direction(StrEnum):
    UP = "up"
    DOWN = "down"
    FLAT = "flat"


_SESSIONS_AHEAD: Final = {
    AssetClass.STOCK: {Timeframe.DAY: 1, Timeframe.WEEK: 5, Timeframe.MONTH: 21, Timeframe.QUARTER: 63},
    AssetClass.CRYPTO: {Timeframe.DAY: 1, Timeframe.WEEK: 7, Timeframe.MONTH: 30, Timeframe.QUARTER: 91},
}


def sessions_ahead(timeframe: Timeframe, asset_class: AssetClass) -> int:
    """The horizon in closes: exchanges are shut at weekends, crypto trades every day."""
    return _SESSIONS_AHEAD[asset_class][timeframe]


@dataclass(frozen=True, slots=True)
class Closes:
    """Daily closes of one symbol: dates strictly increasing (datetime64[D]), closes positive and finite."""

    symbol: str
    dates: npt.NDArray[np.datetime64]
    closes: npt.NDArray[np.float64]

    def __post_init__(self) -> None:
        if self.dates.shape != self.closes.shape or self.dates.ndim != 1:
            raise ValueError(f"{self.symbol}: {self.dates.shape} dates for {self.closes.shape} closes")
        if not np.all(np.isfinite(self.closes) & (self.closes > 0.0)):
            raise ValueError(f"{self.symbol}: a close is not a positive number")
        if np.any(np.diff(self.dates) <= np.timedelta64(0, "D")):
            raise ValueError(f"{self.symbol}: dates do not increase")

    def __len__(self) -> int:
        return len(self.closes)


@dataclass(frozen=True, slots=True)
class Skill:
    """How forecasts did out of sample, beside the naive ones on the same windows; errors are of log returns."""

    rmse: float
    naive_rmse: float
    directional_accuracy: float
    interval_coverage: float
    windows: int
    interval_confidence: float = INTERVAL_CONFIDENCE

    @property
    def skill(self) -> float:
        """1 - mse / naive mse: the share of the naive forecast's squared error that is gone."""
        return 1.0 - (self.rmse / self.naive_rmse) ** 2 if self.naive_rmse > 0.0 else 0.0

    @property
    def beats_naive(self) -> bool:
        return self.skill > 0.0


@dataclass(frozen=True, slots=True)
class ReturnForecast:
    """The log return over a horizon: its location, and the scale in which errors are measured."""

    location: float
    scale: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.location) and math.isfinite(self.scale) and self.scale > 0.0):
            raise ValueError(f"a forecast needs finite numbers, got {self.location} and {self.scale}")


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """A trained model as it is registered; `version` is a hash of what it computes."""

    name: str
    version: str
    timeframe: Timeframe
    skill: Skill
    symbols: tuple[str, ...]
    trained_at: datetime
    training_end: datetime
    active: bool


@dataclass(frozen=True, slots=True)
class Forecast:
    """A published forecast: public, stored once, never changed."""

    id: str
    symbol: str
    timeframe: Timeframe
    last_price: float
    predicted_price: float
    confidence_lower: float
    confidence_upper: float
    direction: Direction
    confidence_score: float
    model: str
    model_version: str
    skill: Skill
    as_of: datetime
    published_at: datetime
    note: str
