"""Value at risk and expected shortfall."""

import asyncio
from typing import Any

from quantmesh.api.risk.v1 import risk_pb2 as pb
from quantmesh.chassis.identity import requires
from quantmesh.chassis.times import to_timestamp
from quantmesh.risk.adapters.rpc.base import Methods, chosen, instant
from quantmesh.risk.core.model import checked_observations
from quantmesh.risk.core.value_at_risk import Method, value_at_risk_of

_METHODS: dict[int, Method] = {
    pb.VALUE_AT_RISK_METHOD_HISTORICAL: "historical",
    pb.VALUE_AT_RISK_METHOD_PARAMETRIC: "parametric",
}


class ValueAtRiskMethods(Methods):
    @requires("risk:use")
    async def ValueAtRisk(self, request: pb.ValueAtRiskRequest, context: Any) -> pb.ValueAtRiskResponse:
        method = chosen("method", request.method, _METHODS)
        observations = checked_observations(request.observations)
        as_of, known_at = instant(request, "as_of"), instant(request, "known_at")
        book = (await self._book(request, as_of, known_at)).require_positions()
        history, now, _ = await asyncio.gather(
            self._market.history(list(book.quantities), observations + 1, as_of, known_at),
            self._market.now(),
            self._adjusted(list(book.quantities)),
        )
        risk = await asyncio.to_thread(
            value_at_risk_of, book, history, method, request.confidence, request.horizon_days, observations
        )
        contributions = [
            pb.RiskContribution(symbol=symbol, market_value=value, value_at_risk=at_risk, expected_shortfall=shortfall)
            for symbol, value, at_risk, shortfall in zip(
                history.symbols,
                risk.market_values,
                risk.figure.contributions,
                risk.figure.shortfall_contributions,
                strict=True,
            )
        ]
        return pb.ValueAtRiskResponse(
            value_at_risk=risk.figure.value,
            expected_shortfall=risk.figure.expected_shortfall,
            contributions=contributions,
            observations=observations,
            as_of=to_timestamp(history.as_of),
            currency=book.currency,
            market_value=float(risk.market_values.sum()),
            method=request.method,
            confidence=request.confidence,
            horizon_days=request.horizon_days,
            stale=book.stale or history.is_stale(now if as_of is None else min(as_of, now)),
        )
