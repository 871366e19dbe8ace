"""What a model says before it becomes a forecast in prices."""

from dataclasses import dataclass

from quantmesh.prediction.core.calibration import Calibration
from quantmesh.prediction.core.model import ReturnForecast, Skill


@dataclass(frozen=True, slots=True)
class Prediction:
    """An expected log return, how far such expectations strayed, and whose it is; `note` is for the reader."""

    expected: ReturnForecast
    calibration: Calibration
    skill: Skill
    model: str
    model_version: str
    note: str
