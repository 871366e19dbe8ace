"""PredictionService on a real Postgres and a real Redis, over real channels."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest

from quantmesh.api.common.v1 import job_pb2
from quantmesh.api.common.v1.job_pb2_grpc import JobServiceStub, add_JobServiceServicer_to_server
from quantmesh.api.prediction.v1 import prediction_pb2 as pb
from quantmesh.api.prediction.v1.prediction_pb2_grpc import (
    PredictionServiceStub,
    add_PredictionServiceServicer_to_server,
)
from quantmesh.chassis.cache import Cache
from quantmesh.chassis.clock import SystemClock
from quantmesh.chassis.database import Database
from quantmesh.chassis.identity import TokenVerifier
from quantmesh.chassis.jobs import JobRpc
from quantmesh.chassis.rpc import Peer, RpcServer, open_channel
from quantmesh.local.testing import NewDatabase, RunningServer, ServiceDatabase
from quantmesh.prediction.adapters.forecast_cache import ForecastCache
from quantmesh.prediction.adapters.peers import MarketPeer
from quantmesh.prediction.adapters.predictors import RegistryPredictors
from quantmesh.prediction.adapters.registry import FolderRegistry
from quantmesh.prediction.adapters.rpc import PredictionRpc
from quantmesh.prediction.adapters.standing import StandingMemo
from quantmesh.prediction.adapters.store import Store
from quantmesh.prediction.adapters.training_job import JOB_SCOPES

from .mesh import ALICE, FakeMarket, OneKey, call_as, handlers


@dataclass
class Around:
    """The services that prediction calls, on one port."""

    market: FakeMarket
    target: str


@pytest.fixture
async def around() -> AsyncIterator[Around]:
    market = FakeMarket()
    server = grpc.aio.server()
    server.add_generic_rpc_handlers(handlers(market))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield Around(market, f"127.0.0.1:{port}")
    await server.stop(0)


@dataclass
class Prediction:
    """The service as its clients and its tests see it."""

    peer: Peer
    stub: PredictionServiceStub
    jobs: JobServiceStub
    database: Database
    postgres: ServiceDatabase
    store: Store
    market: FakeMarket
    market_peer: MarketPeer
    registry: FolderRegistry
    cache: ForecastCache
    job_queued: asyncio.Event

    async def forecast(
        self, symbol: str = "AAA", timeframe: pb.Timeframe.ValueType = pb.TIMEFRAME_1W, asset_class: str = "stock"
    ) -> pb.Forecast:
        request = pb.GetForecastRequest(symbol=symbol, timeframe=timeframe, asset_class=asset_class)
        return (await self.peer.call(self.stub.GetForecast, request)).forecast

    async def train(self, *symbols: str, max_seconds: int = 0) -> job_pb2.Job:
        request = pb.TrainModelRequest(timeframe=pb.TIMEFRAME_1W, symbols=symbols, max_seconds=max_seconds)
        return (await self.peer.call(self.stub.TrainModel, request)).job

    async def job(self, job_id: str) -> job_pb2.Job:
        return (await self.peer.call(self.jobs.GetJob, job_pb2.GetJobRequest(id=job_id))).job

    async def until(self, job_id: str, reached: Callable[[job_pb2.Job], bool], seconds: float = 100.0) -> job_pb2.Job:
        async with asyncio.timeout(seconds):
            while True:
                job = await self.job(job_id)
                if reached(job):
                    return job
                await asyncio.sleep(0.05)

    async def ended(self, job_id: str, seconds: float = 100.0) -> job_pb2.Job:
        open_states = {job_pb2.JOB_STATUS_QUEUED, job_pb2.JOB_STATUS_RUNNING}
        return await self.until(job_id, lambda job: job.status not in open_states, seconds)

    async def models(self) -> list[pb.ModelVersion]:
        return list((await self.peer.call(self.stub.ListModels, pb.ListModelsRequest())).models)


@pytest.fixture
async def prediction(
    service_database: NewDatabase, redis_server: RunningServer, around: Around, tmp_path: Path
) -> AsyncIterator[Prediction]:
    postgres = service_database("prediction")
    database = Database(postgres.url, "prediction")
    market_peer = Peer("market", open_channel(around.target, []), timeout_seconds=30.0)
    market = MarketPeer(market_peer)
    store = Store(database)
    registry = FolderRegistry(tmp_path / "registry")
    redis = Cache(redis_server.url, "prediction", timeout_seconds=30.0)
    cache = ForecastCache(redis, StandingMemo(market, store))
    job_queued = asyncio.Event()
    rpc = PredictionRpc(database, store, market, RegistryPredictors(registry), cache, SystemClock(), job_queued)
    server = RpcServer("127.0.0.1:0", TokenVerifier(OneKey()))
    server.add_servicer(add_PredictionServiceServicer_to_server, rpc)
    server.add_servicer(add_JobServiceServicer_to_server, JobRpc(database, JOB_SCOPES))
    await server.start()
    peer = Peer("prediction", open_channel(f"127.0.0.1:{server.port}", []), timeout_seconds=30.0)
    call_as(ALICE)
    yield Prediction(
        peer,
        PredictionServiceStub(peer.channel),
        JobServiceStub(peer.channel),
        database,
        postgres,
        store,
        around.market,
        market,
        registry,
        cache,
        job_queued,
    )
    await peer.close()
    await server.stop(0)
    await redis.close()
    await market_peer.close()
    await database.close()
