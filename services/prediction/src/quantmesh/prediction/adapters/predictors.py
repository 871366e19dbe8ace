"""Registered models, loaded once and kept."""

import asyncio
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from prometheus_client import Histogram

from quantmesh.prediction.adapters.onnx_runtime import OnnxSession
from quantmesh.prediction.adapters.registry import FolderRegistry
from quantmesh.prediction.core.calibration import Calibration
from quantmesh.prediction.core.model import ModelVersion, Timeframe
from quantmesh.prediction.core.panel import Windows

_SECONDS = Histogram(
    "quantmesh_prediction_inference_seconds",
    "Time that a trained model took for its answer",
    ["model"],
    buckets=(0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25),
)


@dataclass(frozen=True, slots=True)
class LoadedModel:
    name: str
    version: str
    session: OnnxSession
    calibration: Calibration

    def predict(self, windows: Windows) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        with _SECONDS.labels(self.name).time():
            return self.session.predict(windows)


class RegistryPredictors:
    """One model per timeframe: a newer one takes its predecessor's place."""

    def __init__(self, registry: FolderRegistry) -> None:
        self._registry = registry
        self._loaded: dict[Timeframe, LoadedModel] = {}
        self._loading = asyncio.Lock()

    async def load(self, model: ModelVersion) -> LoadedModel:
        """Raises ModelMissing."""
        async with self._loading:
            loaded = self._loaded.get(model.timeframe)
            if loaded is None or loaded.version != model.version:
                loaded = await asyncio.to_thread(self._read, model)
                self._loaded[model.timeframe] = loaded
        return loaded

    def _read(self, model: ModelVersion) -> LoadedModel:
        card, onnx = self._registry.load(model.version)
        return LoadedModel(model.name, model.version, OnnxSession(onnx), card.calibration)
