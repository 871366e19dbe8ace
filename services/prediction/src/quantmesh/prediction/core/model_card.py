"""What is known of a trained model: enough to judge it, and to train it again."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from quantmesh.prediction.core.calibration import Calibration
from quantmesh.prediction.core.model import Closes, ModelVersion, Skill, Timeframe

LSTM_NAME = "lstm"


@dataclass(frozen=True, slots=True)
class ModelCard:
    """Kept beside the model in the registry. `code` names versions and a hash of the code that trained it."""

    version: str
    timeframe: Timeframe
    symbols: tuple[str, ...]
    horizon_sessions: int
    skill: Skill
    calibration: Calibration
    trained_at: datetime
    training_start: date
    training_end: datetime
    data_sha256: str
    seed: int
    steps: tuple[int, ...]
    stopped_early: bool
    code: dict[str, str]

    def registered(self, *, active: bool) -> ModelVersion:
        return ModelVersion(
            name=LSTM_NAME,
            version=self.version,
            timeframe=self.timeframe,
            skill=self.skill,
            symbols=self.symbols,
            trained_at=self.trained_at,
            training_end=self.training_end,
            active=active,
        )


def version_of(timeframe: Timeframe, onnx: bytes, calibration: Calibration) -> str:
    """Names what a model computes: the same training gives the same version."""
    digest = hashlib.sha256(onnx)
    digest.update(calibration.scores.astype("<f8").tobytes())
    return f"{LSTM_NAME}-{timeframe}-{digest.hexdigest()[:16]}"


def fingerprint(histories: Sequence[Closes]) -> str:
    """SHA-256 over symbols, dates and closes, whatever their order."""
    digest = hashlib.sha256()
    for series in sorted(histories, key=lambda each: each.symbol):
        digest.update(series.symbol.encode() + b"\0")
        digest.update(series.dates.astype("datetime64[D]").astype("<i8").tobytes())
        digest.update(series.closes.astype("<f8").tobytes())
    return digest.hexdigest()
