"""Walk-forward evaluation: forecasts made in time order, scored beside the naive forecast on the same windows."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from quantmesh.prediction.core.calibration import Calibration
from quantmesh.prediction.core.model import Skill

Floats = npt.NDArray[np.float64]
Dates = npt.NDArray[np.datetime64]


@dataclass(frozen=True, slots=True)
class Scored:
    """Forecasts of one stretch of time by a model that had seen nothing of it, and what came: arrays of shape (n,)."""

    made_on: Dates
    known_on: Dates
    location: Floats
    scale: Floats
    outcome: Floats

    @property
    def errors(self) -> Floats:
        """In units of the forecast's scale."""
        return (self.outcome - self.location) / self.scale


def walk_forward(stretches: Sequence[Scored]) -> tuple[Skill, Calibration]:
    """The skill over all stretches but the first, and the calibration that all of them together give.

    Each stretch's intervals come from the errors of the stretches before it, as far as these were known when it began;
    the first one is there to calibrate the second. The naive forecast is that the price stays.
    """
    covered = 0
    for index in range(1, len(stretches)):
        stretch = stretches[index]
        began = stretch.made_on.min()
        known = np.concatenate([past.errors[past.known_on <= began] for past in stretches[:index]])
        lower, upper = Calibration.of(known).bounds()
        covered += int(np.count_nonzero((stretch.errors >= lower) & (stretch.errors <= upper)))
    scored = stretches[1:]
    outcome = np.concatenate([stretch.outcome for stretch in scored])
    location = np.concatenate([stretch.location for stretch in scored])
    skill = Skill(
        rmse=_root_mean_square(outcome - location),
        naive_rmse=_root_mean_square(outcome),
        directional_accuracy=_directional_accuracy(location, outcome),
        interval_coverage=covered / len(outcome),
        windows=len(outcome),
    )
    return skill, Calibration.of(np.concatenate([stretch.errors for stretch in stretches]))


def _root_mean_square(values: Floats) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


def _directional_accuracy(location: Floats, outcome: Floats) -> float:
    """The share of moves whose sign was forecast; a forecast of no move is half right, as a coin toss is."""
    moved = outcome != 0.0
    if not np.any(moved):
        return 0.5
    right = np.where(location == 0.0, 0.5, np.sign(location) == np.sign(outcome))
    return float(np.mean(right[moved]))
