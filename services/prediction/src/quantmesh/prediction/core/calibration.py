"""Split-conformal calibration: intervals as wide as held-out errors show them to need (PRD-7 in its simplest form)."""

import math
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from quantmesh.prediction.core.model import INTERVAL_CONFIDENCE, ReturnForecast

KEPT_SCORES: Final = 999
"""So many order statistics say all that a 90 % interval needs, and fit in a model's metadata."""

FEWEST_SCORES: Final = round(2.0 / (1.0 - INTERVAL_CONFIDENCE)) - 1
"""With fewer, the finite-sample correction asks for more than the largest error seen."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """Sorted errors of forecasts on data that their model had not seen, each in units of its forecast's scale.

    Each tail is cut at its own conformal rank, so that for exchangeable errors an interval holds at least
    `INTERVAL_CONFIDENCE` of the outcomes (Vovk et al. 2005; Lei et al. 2018), and is skewed as the errors are.
    """

    scores: npt.NDArray[np.float64]

    def __post_init__(self) -> None:
        if len(self.scores) < FEWEST_SCORES:
            raise ValueError(f"calibration needs {FEWEST_SCORES} errors, got {len(self.scores)}")
        if not np.all(np.isfinite(self.scores)) or np.any(np.diff(self.scores) < 0.0):
            raise ValueError("scores must be finite and sorted")

    @classmethod
    def of(cls, scores: npt.NDArray[np.float64]) -> Self:
        """From errors in any order; many are thinned to evenly spaced order statistics."""
        ordered = np.sort(scores)
        if len(ordered) > KEPT_SCORES:
            ordered = ordered[np.linspace(0, len(ordered) - 1, KEPT_SCORES).round().astype(np.intp)]
        return cls(ordered)

    def bounds(self) -> tuple[float, float]:
        """The interval in units of the scale, around the location, which it always holds."""
        count = len(self.scores)
        tail = (1.0 - INTERVAL_CONFIDENCE) / 2.0
        # Rounded before the ceiling: (n + 1)(1 - tail) is often a whole number that floating point overshoots.
        rank = math.ceil(round((count + 1) * (1.0 - tail), 9))
        return min(0.0, float(self.scores[count - rank])), max(0.0, float(self.scores[rank - 1]))

    def interval(self, forecast: ReturnForecast) -> tuple[float, float]:
        """Lower and upper log return."""
        lower, upper = self.bounds()
        return forecast.location + forecast.scale * lower, forecast.location + forecast.scale * upper

    def probability_up(self, forecast: ReturnForecast) -> float:
        """That the log return ends above zero, by the errors seen; never 0 or 1."""
        threshold = -forecast.location / forecast.scale
        above = len(self.scores) - int(np.searchsorted(self.scores, threshold, side="right"))
        return (above + 0.5) / (len(self.scores) + 1.0)
