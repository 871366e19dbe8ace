"""The job behind TrainModel, as a worker does it."""

import asyncio
import hashlib
import threading
import time
from collections.abc import Callable
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from typing import Any, Final

from quantmesh.api.prediction.v1 import prediction_pb2 as pb
from quantmesh.chassis.clock import Clock
from quantmesh.chassis.jobs import RunningJob
from quantmesh.prediction.adapters.peers import MarketPeer
from quantmesh.prediction.adapters.registry import FolderRegistry
from quantmesh.prediction.adapters.standing import LIFETIME_SECONDS
from quantmesh.prediction.adapters.store import Store
from quantmesh.prediction.adapters.translate import timeframe_of
from quantmesh.prediction.core.errors import WorkerIncomplete
from quantmesh.prediction.core.train_model import TrainingRequest, train_model
from quantmesh.prediction.core.training import Recipe, SequenceModel

KIND: Final = "train-model"
# As the call that starts it.
JOB_SCOPES: Final = {KIND: "predictions:train"}
BUDGET_SECONDS: Final = 45
_EXPORT_SECONDS: Final = 2.0
"""Kept back of the budget for the scoring, the export and its comparison with TensorFlow."""

_TRAINING_CODE: Final = ("core/features.py", "core/panel.py", "core/training.py", "adapters/tensorflow_model.py")


class TrainingStopped(Exception):
    """Raised inside the training's thread, when the job was cancelled or the worker is going."""


class JobWatch:
    """Between the training's thread and its job.

    The budget counts from here on, so also for TensorFlow's start; but however slow that was, the fits get a third.
    """

    def __init__(self, job: RunningJob, budget_seconds: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._job = job
        self._monotonic = monotonic
        self._budget_seconds = budget_seconds
        self._end = monotonic() + budget_seconds - _EXPORT_SECONDS
        self._stopped = threading.Event()

    def fits_begin(self) -> None:
        self._end = max(self._end, self._monotonic() + self._budget_seconds / 3.0)

    def report(self, progress: float, message: str) -> None:
        if self._stopped.is_set():
            raise TrainingStopped
        self._job.report(progress, message)

    def seconds_left(self) -> float:
        return self._end - self._monotonic()

    def stop(self) -> None:
        self._stopped.set()


class TrainingJob:
    """Trains, registers and activates. Repeated after a worker's death, it gives the same model."""

    def __init__(
        self, market: MarketPeer, store: Store, registry: FolderRegistry, clock: Clock, recipe: Recipe
    ) -> None:
        self._market = market
        self._store = store
        self._registry = registry
        self._clock = clock
        self._recipe = recipe

    async def run(self, job: RunningJob) -> dict[str, Any]:
        request = pb.TrainModelRequest.FromString(job.parameters)
        watch = JobWatch(job, request.max_seconds)
        started = time.monotonic()
        now: Callable[[], datetime] = self._clock.now
        card, model = await train_model(
            TrainingRequest(timeframe_of(request.timeframe), tuple(request.symbols)),
            market=self._market,
            network=_network,
            registry=self._registry,
            store=self._store,
            watch=watch,
            recipe=self._recipe,
            code=await asyncio.to_thread(_code),
            now=now,
        )
        # Whoever sees this job succeed gets the new model's forecasts from every replica.
        await asyncio.sleep(LIFETIME_SECONDS)
        skill = model.skill
        verdict = "beats" if skill.beats_naive else "does not beat"
        job.report(1.0, f"{model.version} {verdict} the naive forecast out of sample")
        return {
            "model": model.name,
            "model_version": model.version,
            "timeframe": str(model.timeframe),
            "active": model.active,
            "symbols": list(model.symbols),
            "skill": {
                "rmse": skill.rmse,
                "naive_rmse": skill.naive_rmse,
                "skill": skill.skill,
                "directional_accuracy": skill.directional_accuracy,
                "interval_coverage": skill.interval_coverage,
                "interval_confidence": skill.interval_confidence,
                "windows": skill.windows,
                "beats_naive": skill.beats_naive,
            },
            "steps": list(card.steps),
            "stopped_early": card.stopped_early,
            "seconds": round(time.monotonic() - started, 1),
        }


def _network(seed: int) -> SequenceModel:
    try:
        from quantmesh.prediction.adapters.tensorflow_model import TensorFlowLstm
    except ModuleNotFoundError as error:
        raise WorkerIncomplete(str(error)) from error
    return TensorFlowLstm(seed)


def _code() -> dict[str, str]:
    """What trained: versions, and a hash over the sources that decide what is learnt."""
    package = files("quantmesh.prediction")
    digest = hashlib.sha256()
    for name in _TRAINING_CODE:
        digest.update(package.joinpath(name).read_bytes())
    found = {"sha256": digest.hexdigest()}
    for distribution in ("quantmesh-prediction", "tensorflow-cpu", "keras", "numpy"):
        try:
            found[distribution] = version(distribution)
        except PackageNotFoundError:
            found[distribution] = "unknown"
    return found
