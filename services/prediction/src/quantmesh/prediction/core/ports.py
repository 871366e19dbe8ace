"""What the core needs of the world."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import numpy as np
import numpy.typing as npt

from quantmesh.prediction.core.calibration import Calibration
from quantmesh.prediction.core.model import AssetClass, Closes, Forecast, ModelVersion, Timeframe
from quantmesh.prediction.core.panel import Windows


@dataclass(frozen=True, slots=True)
class Asset:
    """What the market knows of a symbol; `asset_class` is None where forecasts have no path for it."""

    symbol: str
    asset_class: AssetClass | None
    adjusted: bool


@dataclass(frozen=True, slots=True)
class History:
    """Closes known at the market's now, and when the last of them became known."""

    closes: Closes
    as_of: datetime


class Market(Protocol):
    async def asset(self, symbol: str) -> Asset | None:
        """None: no such symbol."""
        ...

    async def stocks(self) -> Sequence[Asset]: ...

    async def history(self, symbol: str, observations: int) -> History | None:
        """The last `observations` closes (0: all of them), or as many as there are; None: not one is known."""
        ...


class Predictor(Protocol):
    """A registered model, ready to answer."""

    @property
    def calibration(self) -> Calibration: ...

    def predict(self, windows: Windows) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Location and scale in units of the naive scale."""
        ...


class Predictors(Protocol):
    async def load(self, model: ModelVersion) -> Predictor:
        """Raises ModelMissing."""
        ...


class ForecastStore(Protocol):
    async def active_model(self, timeframe: Timeframe) -> ModelVersion | None: ...

    async def find(
        self, symbol: str, timeframe: Timeframe, model_version: str, as_of: datetime, last_price: float
    ) -> Forecast | None: ...

    async def publish(self, forecast: Forecast) -> Forecast:
        """Store and announce it; where a twin was first, that one is answered and nothing is announced."""
        ...
