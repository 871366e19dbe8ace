"""Registered models, loaded once and kept."""

import asyncio
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from quantmesh.prediction.adapters.onnx_runtime import OnnxSession
from quantmesh.prediction.adapters.registry import FolderRegistry
from quantmesh.prediction.core.calibration import Calibration
from quantmesh.prediction.core.model import ModelVersion, Timeframe
from quantmesh.prediction.core.panel import Windows


@dataclass(frozen=True, slots=True)
class LoadedModel:
    version: str
    session: OnnxSession
    calibration: Calibration

    def predict(self, windows: Windows) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
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
                loaded = await asyncio.to_thread(self._read, model.version)
                self._loaded[model.timeframe] = loaded
        return loaded

    def _read(self, version: str) -> LoadedModel:
        card, onnx = self._registry.load(version)
        return LoadedModel(version, OnnxSession(onnx), card.calibration)
