"""/risk: risk numbers and optimised weights."""

from quantmesh.api.risk.v1.risk_pb2_grpc import RiskServiceStub
from quantmesh.chassis.rpc import Peer
from quantmesh.gateway.http.answer import Answer, ok
from quantmesh.gateway.http.models import optimization
from quantmesh.gateway.http.models import risk as models
from quantmesh.gateway.http.operations import Operations
from quantmesh.gateway.translation import optimization as weights
from quantmesh.gateway.translation import risk as translation

_SECONDS = 15.0


class Risk:
    def __init__(self, risk: Peer) -> None:
        self._risk = risk
        self._stub = RiskServiceStub(risk.channel)

    def operations(self) -> Operations:
        operations = Operations("/api/v2/risk", "risk")
        for path, handler, summary, answer in (
            (
                "/var",
                self.value_at_risk,
                "Value at risk and expected shortfall, with each position's part",
                models.ValueAtRiskShown,
            ),
            (
                "/optimize",
                self.optimize,
                "Weights by an objective, beside equal ones",
                optimization.OptimizationShown,
            ),
            ("/frontier", self.frontier, "The least variance for each expected return", optimization.FrontierShown),
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

    async def value_at_risk(self, body: models.ValueAtRiskBody) -> Answer:
        request = translation.value_at_risk_request(body)
        answer = await self._risk.call(self._stub.ValueAtRisk, request, timeout_seconds=_SECONDS)
        return ok(translation.value_at_risk(answer))

    async def optimize(self, body: optimization.OptimizeBody) -> Answer:
        request = weights.optimize_request(body, body.portfolio_id)
        answer = await self._risk.call(self._stub.Optimize, request, timeout_seconds=_SECONDS)
        return ok(weights.optimization(answer))

    async def frontier(self, body: optimization.FrontierBody) -> Answer:
        request = weights.frontier_request(body)
        answer = await self._risk.call(self._stub.Frontier, request, timeout_seconds=_SECONDS)
        return ok(weights.frontier(answer))
