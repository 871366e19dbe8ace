"""/predictions: forecasts, the models behind them, and training."""

from quantmesh.api.common.v1.common_pb2 import PageRequest
from quantmesh.api.prediction.v1 import prediction_pb2 as pb
from quantmesh.api.prediction.v1.prediction_pb2_grpc import PredictionServiceStub
from quantmesh.chassis.rpc import Peer
from quantmesh.gateway.http.answer import Answer, ok, replayed, tagged
from quantmesh.gateway.http.jobs import accepted_job
from quantmesh.gateway.http.models import predictions as models
from quantmesh.gateway.http.models.base import Id, PageQuery, Symbol
from quantmesh.gateway.http.models.jobs import JobShown
from quantmesh.gateway.http.operations import Operations
from quantmesh.gateway.http.route import QueryOf
from quantmesh.gateway.translation import predictions as translation
from quantmesh.gateway.translation.common import next_cursor


class Predictions:
    def __init__(self, prediction: Peer) -> None:
        self._prediction = prediction
        self._stub = PredictionServiceStub(prediction.channel)

    def operations(self) -> Operations:
        operations = Operations("/api/v2/predictions", "predictions")
        add = operations.add
        add(
            "GET",
            "/stocks/{symbol}",
            self.stock,
            summary="The forecast of a stock",
            scope="predictions:read",
            answer=models.ForecastShown,
            conditional="none-match",
        )
        add(
            "GET",
            "/crypto/{symbol}",
            self.crypto,
            summary="The forecast of a cryptocurrency",
            scope="predictions:read",
            answer=models.ForecastShown,
            conditional="none-match",
        )
        add(
            "POST",
            "/train",
            self.train,
            summary="Train a model, as a job",
            scope="predictions:train",
            answer=JobShown,
            status=202,
            statuses=(404, 409),
            idempotency="optional",
            takes_body=True,
        )
        add(
            "GET",
            "/models",
            self.list_models,
            summary="Trained models and their walk-forward skill",
            scope="predictions:read",
            answer=models.ModelsShown,
        )
        add(
            "GET",
            "/{prediction_id}",
            self.get,
            summary="A forecast as it was published",
            scope="predictions:read",
            answer=models.ForecastShown,
            conditional="none-match",
        )
        return operations

    async def stock(self, symbol: Symbol, query: QueryOf[models.ForecastQuery]) -> Answer:
        return await self._forecast(symbol, query.timeframe, "stock")

    async def crypto(self, symbol: Symbol, query: QueryOf[models.ForecastQuery]) -> Answer:
        return await self._forecast(symbol, query.timeframe, "crypto")

    async def _forecast(self, symbol: str, timeframe: str, asset_class: str) -> Answer:
        request = pb.GetForecastRequest(
            symbol=symbol, timeframe=translation.TIMEFRAMES[timeframe], asset_class=asset_class
        )
        answer = await self._prediction.call(self._stub.GetForecast, request)
        return tagged(translation.forecast(answer.forecast))

    async def get(self, prediction_id: Id) -> Answer:
        answer = await self._prediction.call(self._stub.GetForecastById, pb.GetForecastByIdRequest(id=prediction_id))
        return tagged(translation.forecast(answer.forecast))

    async def list_models(self, query: QueryOf[PageQuery]) -> Answer:
        request = pb.ListModelsRequest(page=PageRequest(limit=query.limit, cursor=query.cursor))
        answer = await self._prediction.call(self._stub.ListModels, request)
        return ok(
            {"data": [translation.model(item) for item in answer.models], "next_cursor": next_cursor(answer.page)}
        )

    async def train(self, body: models.TrainBody) -> Answer:
        request = translation.train_request(body)
        answer, again = await self._prediction.call_replayable(self._stub.TrainModel, request)
        return accepted_job(answer.job, replayed(again))
