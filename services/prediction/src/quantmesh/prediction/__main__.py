"""Serve, migrate, or train: `python -m quantmesh.prediction [migrate | worker]`."""

import asyncio
import os
from pathlib import Path
from typing import Final

from pydantic import Field

from quantmesh.api.common.v1.job_pb2_grpc import add_JobServiceServicer_to_server
from quantmesh.api.market.v1 import market_pb2
from quantmesh.api.prediction.v1.prediction_pb2_grpc import add_PredictionServiceServicer_to_server
from quantmesh.chassis.cache import Cache
from quantmesh.chassis.jobs import JobRpc, JobWorker
from quantmesh.chassis.service import Service, serve
from quantmesh.chassis.settings import ServiceSettings
from quantmesh.prediction.adapters.bus import bars_consumer
from quantmesh.prediction.adapters.forecast_cache import ForecastCache
from quantmesh.prediction.adapters.peers import MarketPeer
from quantmesh.prediction.adapters.predictors import RegistryPredictors
from quantmesh.prediction.adapters.registry import FolderRegistry
from quantmesh.prediction.adapters.rpc import PredictionRpc
from quantmesh.prediction.adapters.standing import StandingMemo
from quantmesh.prediction.adapters.store import Store
from quantmesh.prediction.adapters.training_job import JOB_SCOPES, KIND, TrainingJob
from quantmesh.prediction.adapters.workers import WorkerSpawner, stop_when_idle
from quantmesh.prediction.core.training import Recipe

_MARKET: Final = market_pb2.DESCRIPTOR.services_by_name["MarketService"]
_CLOSES_SECONDS: Final = 10.0
"""A worker asks for thirty years of closes while everything else goes on."""


class PredictionSettings(ServiceSettings):
    prediction_registry: Path = Path(".quantmesh/models")
    # Unset: only where the environment is "local"; elsewhere the worker is a deployment of its own.
    prediction_spawn_worker: bool | None = None
    # 0: the worker stays, for a supervisor that would only start it again.
    prediction_worker_idle_seconds: float = Field(default=10.0, ge=0.0)
    prediction_seed: int = Field(default=1, ge=0, lt=2**31)
    # Of the first fit; each that continues it takes a quarter as many.
    prediction_training_steps: int = Field(default=600, ge=40)

    @property
    def spawns_worker(self) -> bool:
        return self.environment == "local" if self.prediction_spawn_worker is None else self.prediction_spawn_worker


async def wire(service: Service[PredictionSettings]) -> None:
    settings = service.settings
    store = Store(service.database)
    market = MarketPeer(service.peer("market", _MARKET))
    redis = Cache(settings.redis_url, "prediction")
    cache = ForecastCache(redis, StandingMemo(market, store))
    predictors = RegistryPredictors(FolderRegistry(settings.prediction_registry))
    job_queued = asyncio.Event()
    rpc = PredictionRpc(service.database, store, market, predictors, cache, service.clock, job_queued)
    service.add_servicer(add_PredictionServiceServicer_to_server, rpc)
    service.add_servicer(add_JobServiceServicer_to_server, JobRpc(service.database, JOB_SCOPES))
    service.add_consumer(bars_consumer(cache))
    service.publish_events()
    if settings.spawns_worker:
        # The worker listens nowhere: the addresses are this process's.
        environment = {**os.environ, "QUANTMESH_GRPC_BIND": "", "QUANTMESH_OPS_BIND": ""}
        service.add_work("worker", WorkerSpawner(service.database, job_queued, environment).run)
    service.on_stop(redis.close)


async def wire_worker(service: Service[PredictionSettings]) -> None:
    settings = service.settings
    market = MarketPeer(service.peer("market", _MARKET, timeout_seconds=_CLOSES_SECONDS))
    registry = FolderRegistry(settings.prediction_registry)
    steps = settings.prediction_training_steps
    recipe = Recipe(first_steps=steps, next_steps=steps // 4, seed=settings.prediction_seed)
    job = TrainingJob(market, Store(service.database), registry, service.clock, recipe)
    service.add_work("jobs", JobWorker(service.database, {KIND: job.run}).run)
    if settings.prediction_worker_idle_seconds:
        idle_seconds = settings.prediction_worker_idle_seconds
        service.add_task("idle", lambda: stop_when_idle(service.database, idle_seconds, service.stop))


if __name__ == "__main__":
    serve("prediction", PredictionSettings, wire, wire_worker=wire_worker)
