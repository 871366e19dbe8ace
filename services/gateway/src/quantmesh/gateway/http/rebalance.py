"""/portfolios/{id}/rebalance: from target weights to orders, and those orders as one basket."""

from quantmesh.api.portfolio.v1.rebalance_pb2_grpc import RebalanceServiceStub
from quantmesh.chassis.rpc import Peer
from quantmesh.gateway.http.answer import Answer, created, ok, replayed
from quantmesh.gateway.http.models import rebalance as models
from quantmesh.gateway.http.models.base import Id
from quantmesh.gateway.http.operations import Operations
from quantmesh.gateway.translation import rebalance as translation

_SECONDS = 15.0


class Rebalance:
    def __init__(self, portfolio: Peer) -> None:
        self._portfolio = portfolio
        self._stub = RebalanceServiceStub(portfolio.channel)

    def declare(self, operations: Operations) -> None:
        operations.add(
            "POST",
            "/{portfolio_id}/rebalance",
            self.plan_rebalance,
            summary="The orders that lead to target weights, with what they cost and realise; nothing is recorded",
            scope="portfolio:read",
            answer=models.RebalanceShown,
            takes_body=True,
            deadline_seconds=_SECONDS,
        )
        operations.add(
            "POST",
            "/{portfolio_id}/rebalance/execute",
            self.execute_rebalance,
            summary="Place orders as one basket: all are filled, or none is placed",
            scope="orders:write",
            answer=models.BasketShown,
            status=201,
            idempotency="required",
            takes_body=True,
            deadline_seconds=_SECONDS,
        )

    async def plan_rebalance(self, portfolio_id: Id, body: models.RebalanceBody) -> Answer:
        request = translation.plan_request(portfolio_id, body)
        answer = await self._portfolio.call(self._stub.PlanRebalance, request, timeout_seconds=_SECONDS)
        return ok(translation.plan(answer))

    async def execute_rebalance(self, portfolio_id: Id, body: models.BasketBody) -> Answer:
        request = translation.execute_request(portfolio_id, body)
        answer, again = await self._portfolio.call_replayable(
            self._stub.ExecuteRebalance, request, timeout_seconds=_SECONDS
        )
        return created(translation.basket(answer), headers=replayed(again))
