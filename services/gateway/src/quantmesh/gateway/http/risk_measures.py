"""/risk: stress, margin, backtests and exposures."""

from quantmesh.api.risk.v1.backtest_pb2_grpc import BacktestServiceStub
from quantmesh.api.risk.v1.exposure_pb2_grpc import ExposureServiceStub
from quantmesh.api.risk.v1.margin_pb2_grpc import MarginServiceStub
from quantmesh.api.risk.v1.stress_pb2_grpc import StressServiceStub
from quantmesh.chassis.rpc import Peer
from quantmesh.gateway.http.answer import Answer, ok
from quantmesh.gateway.http.models.backtest import BacktestBody, BacktestShown
from quantmesh.gateway.http.models.exposure import ExposureBody, ExposureShown
from quantmesh.gateway.http.models.margin import MarginBody, MarginShown
from quantmesh.gateway.http.models.stress import StressBody, StressShown
from quantmesh.gateway.http.operations import Operations
from quantmesh.gateway.translation import risk_measures as translation

_SECONDS = 15.0


class RiskMeasures:
    def __init__(self, risk: Peer) -> None:
        self._risk = risk
        self._stress = StressServiceStub(risk.channel)
        self._margin = MarginServiceStub(risk.channel)
        self._backtest = BacktestServiceStub(risk.channel)
        self._exposure = ExposureServiceStub(risk.channel)

    def operations(self) -> Operations:
        operations = Operations("/api/v2/risk", "risk")
        for path, handler, summary, answer in (
            (
                "/stress",
                self.stress,
                "What a book loses in episodes, under shocks, and at worst likelihood",
                StressShown,
            ),
            ("/margin", self.margin, "The equity that a book requires, and what cures a lack of it", MarginShown),
            ("/backtest", self.backtest, "Whether forecasts of value at risk held", BacktestShown),
            ("/exposure", self.exposure, "Greeks by underlying, concentration and liquidity", ExposureShown),
        ):
            operations.add(
                "POST",
                path,
                handler,
                summary=summary,
                scope="risk:use",
                answer=answer,
                statuses=(404,),
                takes_body=True,
                deadline_seconds=_SECONDS,
            )
        return operations

    async def stress(self, body: StressBody) -> Answer:
        request = translation.stress_request(body)
        answer = await self._risk.call(self._stress.Stress, request, timeout_seconds=_SECONDS)
        return ok(translation.stress(answer))

    async def margin(self, body: MarginBody) -> Answer:
        request = translation.margin_request(body)
        answer = await self._risk.call(self._margin.Margin, request, timeout_seconds=_SECONDS)
        return ok(translation.margin(answer))

    async def backtest(self, body: BacktestBody) -> Answer:
        request = translation.backtest_request(body)
        answer = await self._risk.call(self._backtest.Backtest, request, timeout_seconds=_SECONDS)
        return ok(translation.backtest(answer))

    async def exposure(self, body: ExposureBody) -> Answer:
        request = translation.exposure_request(body)
        answer = await self._risk.call(self._exposure.Exposure, request, timeout_seconds=_SECONDS)
        return ok(translation.exposure(answer))
