"""/risk/limits: what a portfolio may risk, and what is used of it."""

from functools import partial

from quantmesh.api.risk.v1 import limits_pb2 as pb
from quantmesh.api.risk.v1.limits_pb2_grpc import LimitServiceStub
from quantmesh.chassis.rpc import Peer
from quantmesh.gateway.core.conditional import version_tag
from quantmesh.gateway.http.answer import Answer, ok
from quantmesh.gateway.http.call import Call
from quantmesh.gateway.http.models import limits as models
from quantmesh.gateway.http.models.base import Id
from quantmesh.gateway.http.operations import Operations
from quantmesh.gateway.http.route import QueryOf
from quantmesh.gateway.translation import limits as translation
from quantmesh.gateway.translation.common import instant_request

_SECONDS = 15.0


class RiskLimits:
    def __init__(self, risk: Peer) -> None:
        self._risk = risk
        self._risk_unscoped = risk.in_own_name()
        self._stub = LimitServiceStub(risk.channel)

    def operations(self) -> Operations:
        operations = Operations("/api/v2/risk/limits", "risk")
        add = operations.add
        add(
            "GET",
            "/{portfolio_id}",
            self.limits,
            summary="A portfolio's risk limits, and what is used of them",
            scope="portfolio:read risk:use",
            answer=models.LimitsUsedShown,
            deadline_seconds=_SECONDS,
        )
        add(
            "PUT",
            "/{portfolio_id}",
            self.set_limits,
            summary="Set a portfolio's risk limits",
            scope="portfolio:read portfolio:write",
            answer=models.LimitsShown,
            takes_body=True,
            conditional="match",
            statuses=(409,),
        )
        add(
            "POST",
            "/{portfolio_id}/what-if",
            self.what_if,
            summary="What orders would make of the limits, and the largest quantities that pass",
            scope="portfolio:read risk:use",
            answer=models.WhatIfShown,
            takes_body=True,
            deadline_seconds=_SECONDS,
        )
        return operations

    async def limits(self, portfolio_id: Id, query: QueryOf[models.LimitsQuery]) -> Answer:
        request = pb.GetLimitsRequest(portfolio_id=portfolio_id, known_at=instant_request(query.known_at))
        answer = await self._risk.call(self._stub.GetLimits, request, timeout_seconds=_SECONDS)
        # The tag is the definition's: what is used changes under it, so that nobody is told "not modified".
        tag = (b"etag", version_tag(answer.definition.version).encode("ascii"))
        return ok(translation.limits(answer), headers=(tag,))

    async def set_limits(self, call: Call, portfolio_id: Id, body: models.LimitsBody) -> Answer:
        request = pb.SetLimitsRequest(
            portfolio_id=portfolio_id,
            limits=[translation.limit_request(each) for each in body.limits],
            expected_version=await call.expected_version(partial(self._version, portfolio_id)),
        )
        answer = await self._risk.call(self._stub.SetLimits, request)
        return ok(translation.definition(answer.definition), tag=version_tag(answer.definition.version))

    async def what_if(self, portfolio_id: Id, body: models.WhatIfBody) -> Answer:
        request = pb.WhatIfRequest(
            portfolio_id=portfolio_id, orders=[translation.order_request(each) for each in body.orders]
        )
        answer = await self._risk.call(self._stub.WhatIf, request, timeout_seconds=_SECONDS)
        return ok(translation.what_if(portfolio_id, body, answer))

    async def _version(self, portfolio_id: Id) -> int:
        request = pb.GetLimitsRequest(portfolio_id=portfolio_id)
        return (await self._risk_unscoped.call(self._stub.GetLimits, request)).definition.version
