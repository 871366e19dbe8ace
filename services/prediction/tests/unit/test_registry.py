import json
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from quantmesh.prediction.adapters.registry import FolderRegistry
from quantmesh.prediction.core.calibration import Calibration
from quantmesh.prediction.core.errors import ModelMissing
from quantmesh.prediction.core.model import Timeframe
from quantmesh.prediction.core.model_card import ModelCard, version_of

from .fakes import AS_OF, NOW, skill

ONNX = b"a graph"


def card() -> ModelCard:
    calibration = Calibration.of(np.random.default_rng(0).standard_normal(500))
    return ModelCard(
        version=version_of(Timeframe.MONTH, ONNX, calibration),
        timeframe=Timeframe.MONTH,
        symbols=("AAA", "BBB"),
        horizon_sessions=21,
        skill=skill(),
        calibration=calibration,
        trained_at=NOW,
        training_start=date(1990, 1, 2),
        training_end=AS_OF,
        data_sha256="ab",
        seed=1,
        steps=(600, 150),
        stopped_early=False,
        code={"sha256": "cd"},
    )


def test_a_model_is_read_as_it_was_saved(tmp_path: Path) -> None:
    registry = FolderRegistry(tmp_path / "models")
    registry.save(card(), ONNX)
    read, onnx = registry.load(card().version)
    assert onnx == ONNX
    np.testing.assert_array_equal(read.calibration.scores, card().calibration.scores)
    for name in ("version", "timeframe", "symbols", "skill", "trained_at", "training_start", "training_end", "steps"):
        assert getattr(read, name) == getattr(card(), name)


def test_saving_twice_leaves_one_whole_version(tmp_path: Path) -> None:
    registry = FolderRegistry(tmp_path)
    registry.save(card(), ONNX)
    registry.save(card(), ONNX)
    assert [path.name for path in tmp_path.iterdir()] == [card().version]


def test_a_version_that_is_not_there_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match="not in the registry"):
        FolderRegistry(tmp_path).load("lstm-1m-nothing")


@pytest.mark.parametrize("part", ["model.onnx", "calibration_scores"])
def test_a_changed_model_is_refused(tmp_path: Path, part: str) -> None:
    registry = FolderRegistry(tmp_path)
    registry.save(card(), ONNX)
    folder = tmp_path / card().version
    if part == "model.onnx":
        (folder / part).write_bytes(b"another")
    else:
        document = json.loads((folder / "metadata.json").read_bytes())
        document[part][-1] += 1.0
        (folder / "metadata.json").write_text(json.dumps(document))
    with pytest.raises(ModelMissing, match="have changed"):
        registry.load(card().version)


def test_metadata_that_cannot_be_read_is_a_missing_model(tmp_path: Path) -> None:
    registry = FolderRegistry(tmp_path)
    registry.save(card(), ONNX)
    (tmp_path / card().version / "metadata.json").write_text("{")
    with pytest.raises(ModelMissing, match="cannot be read"):
        registry.load(card().version)
