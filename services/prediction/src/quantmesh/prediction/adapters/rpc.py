"""gRPC in: translate, call the use case, translate back."""

import asyncio
from typing import Any, Final
from uuid import UUID

from quantmesh.api.common.v1 import common_pb2
from quantmesh.api.prediction.v1 import prediction_pb2 as pb
from quantmesh.api.prediction.v1.prediction_pb2_grpc import PredictionServiceServicer
from quantmesh.chassis import idempotency, jobs
from quantmesh.chassis.clock import Clock
from quantmesh.chassis.database import Database
from quantmesh.chassis.identity import current_caller, requires
from quantmesh.chassis.ids import uuid7
from quantmesh.prediction.adapters.forecast_cache import ForecastCache
from quantmesh.prediction.adapters.peers import MarketPeer
from quantmesh.prediction.adapters.predictors import RegistryPredictors
from quantmesh.prediction.adapters.store import Store
from quantmesh.prediction.adapters.training_job import BUDGET_SECONDS, KIND
from quantmesh.prediction.adapters.translate import forecast_message, model_message, timeframe_of
from quantmesh.prediction.core.errors import (
    BudgetOutOfRange,
    CursorUnknown,
    ForecastUnknown,
    PathUnknown,
)
from quantmesh.prediction.core.get_forecast import get_forecast
from quantmesh.prediction.core.model import AssetClass
from quantmesh.prediction.core.train_model import check_trainable

_PAGE: Final = 50
_LARGEST_PAGE: Final = 200
_LEAST_SECONDS: Final = 5
_MOST_SECONDS: Final = 600
_SCOPE: Final = "predictions:read"


class PredictionRpc(PredictionServiceServicer):
    def __init__(
        self,
        database: Database,
        store: Store,
        market: MarketPeer,
        predictors: RegistryPredictors,
        cache: ForecastCache,
        clock: Clock,
        job_queued: asyncio.Event,
    ) -> None:
        self._database = database
        self._store = store
        self._market = market
        self._predictors = predictors
        self._cache = cache
        self._clock = clock
        self._job_queued = job_queued

    @requires(_SCOPE)
    async def GetForecast(self, request: pb.GetForecastRequest, _context: Any) -> pb.GetForecastResponse:
        timeframe = timeframe_of(request.timeframe)
        try:
            asset_class = AssetClass(request.asset_class)
        except ValueError:
            raise PathUnknown(request.asset_class) from None
        entry = await self._cache.look_up(request.symbol, timeframe, asset_class)
        if entry.answer is not None:
            return entry.answer
        day = entry.standing.day
        forecast = await get_forecast(
            request.symbol,
            timeframe,
            asset_class,
            market=self._market,
            store=self._store,
            predictors=self._predictors,
            day=day,
            new_id=uuid7(),
            now=self._clock.now(),
        )
        response = pb.GetForecastResponse(forecast=forecast_message(forecast))
        await self._cache.put(entry, response, of_newest_close=day.holds_newest(forecast, asset_class))
        return response

    @requires(_SCOPE)
    async def GetForecastById(self, request: pb.GetForecastByIdRequest, _context: Any) -> pb.GetForecastByIdResponse:
        try:
            forecast_id = UUID(request.id)
        except ValueError:
            raise ForecastUnknown(request.id) from None
        forecast = await self._store.get(forecast_id)
        if forecast is None:
            raise ForecastUnknown(request.id)
        return pb.GetForecastByIdResponse(forecast=forecast_message(forecast))

    @requires(_SCOPE)
    async def ListModels(self, request: pb.ListModelsRequest, _context: Any) -> pb.ListModelsResponse:
        limit = min(request.page.limit or _PAGE, _LARGEST_PAGE)
        found = await self._store.models(limit + 1, _position(request.page.cursor))
        page = found[:limit]
        more = str(page[-1][0]) if len(found) > limit else ""
        return pb.ListModelsResponse(
            models=[model_message(model) for _, model in page], page=common_pb2.PageInfo(next_cursor=more)
        )

    @requires("predictions:train")
    async def TrainModel(self, request: pb.TrainModelRequest, _context: Any) -> pb.TrainModelResponse:
        timeframe_of(request.timeframe)
        if not (request.max_seconds == 0 or _LEAST_SECONDS <= request.max_seconds <= _MOST_SECONDS):
            raise BudgetOutOfRange(request.max_seconds, _LEAST_SECONDS, _MOST_SECONDS)
        if request.symbols:
            check_trainable(request.symbols, await self._market.stocks())
        wanted = pb.TrainModelRequest(
            timeframe=request.timeframe,
            symbols=sorted(set(request.symbols)),
            max_seconds=request.max_seconds or BUDGET_SECONDS,
        )
        owner_id = current_caller().user_id
        async with self._database.transaction(owner_id) as session:

            async def queue() -> pb.TrainModelResponse:
                return pb.TrainModelResponse(job=await jobs.enqueue(session, owner_id, KIND, wanted))

            response = await idempotency.once(
                session, owner_id, scope="TrainModel", request=request, answer=pb.TrainModelResponse, run=queue
            )
        self._job_queued.set()
        return response


def _position(cursor: str) -> int | None:
    if not cursor:
        return None
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) <= 18):
        raise CursorUnknown
    return int(cursor)
