"""Trained models in a folder: `<version>/model.onnx` beside `<version>/metadata.json`."""

import json
import os
import shutil
import tempfile
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np

from quantmesh.prediction.core.calibration import Calibration
from quantmesh.prediction.core.errors import ModelMissing
from quantmesh.prediction.core.model import Skill, Timeframe
from quantmesh.prediction.core.model_card import ModelCard, version_of

_MODEL = "model.onnx"
_METADATA = "metadata.json"


class FolderRegistry:
    """Versions appear whole, by a rename, and never change: their name is a hash of what they compute."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def save(self, card: ModelCard, onnx: bytes) -> None:
        target = self._root / card.version
        if target.is_dir():
            return
        self._root.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=self._root))
        try:
            _write(unfinished / _MODEL, onnx)
            _write(unfinished / _METADATA, json.dumps(_document(card), indent=1, allow_nan=False).encode())
            # mkdtemp's folders are for their maker alone; the service may run as another user.
            unfinished.chmod(0o755)
            unfinished.rename(target)
        except OSError:
            shutil.rmtree(unfinished, ignore_errors=True)
            # Another worker was first with the same model.
            if not target.is_dir():
                raise

    def load(self, version: str) -> tuple[ModelCard, bytes]:
        """Raises ModelMissing where it is not there, cannot be read, or is not what it was when it was saved."""
        folder = self._root / version
        try:
            onnx = (folder / _MODEL).read_bytes()
            card = _card(json.loads((folder / _METADATA).read_bytes()))
        except FileNotFoundError as error:
            raise ModelMissing(version, "it is not in the registry") from error
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ModelMissing(version, f"its files cannot be read ({error})") from error
        if version_of(card.timeframe, onnx, card.calibration) != version:
            raise ModelMissing(version, "its files have changed since it was trained")
        return card, onnx


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _document(card: ModelCard) -> dict[str, Any]:
    skill = card.skill
    return {
        "version": card.version,
        "timeframe": card.timeframe,
        "horizon_sessions": card.horizon_sessions,
        "symbols": list(card.symbols),
        "training_start": card.training_start.isoformat(),
        "training_end": card.training_end.isoformat(),
        "trained_at": card.trained_at.isoformat(),
        "data_sha256": card.data_sha256,
        "code": card.code,
        "seed": card.seed,
        "steps": list(card.steps),
        "stopped_early": card.stopped_early,
        "skill": {
            "rmse": skill.rmse,
            "naive_rmse": skill.naive_rmse,
            "directional_accuracy": skill.directional_accuracy,
            "interval_coverage": skill.interval_coverage,
            "windows": skill.windows,
            "interval_confidence": skill.interval_confidence,
        },
        "calibration_scores": card.calibration.scores.tolist(),
    }


def _card(document: dict[str, Any]) -> ModelCard:
    return ModelCard(
        version=document["version"],
        timeframe=Timeframe(document["timeframe"]),
        symbols=tuple(document["symbols"]),
        horizon_sessions=document["horizon_sessions"],
        skill=Skill(**document["skill"]),
        calibration=Calibration(np.array(document["calibration_scores"], np.float64)),
        trained_at=datetime.fromisoformat(document["trained_at"]),
        training_start=date.fromisoformat(document["training_start"]),
        training_end=datetime.fromisoformat(document["training_end"]),
        data_sha256=document["data_sha256"],
        seed=document["seed"],
        steps=tuple(document["steps"]),
        stopped_early=document["stopped_early"],
        code=document["code"],
    )
