"""Value at risk and expected shortfall."""

import asyncio
from typing import Any

from quantmesh.api.risk.v1 import risk_pb2 as pb
from quantmesh.chassis.identity import requires
from quantmesh.chassis.times import to_timestamp
from quantmesh.risk.adapters.rpc.base import ESTIMATORS, Methods, chosen
from quantmesh.risk.adapters.rpc.positions import option_to
from quantmesh.risk.core.model import checked_observations
from quantmesh.risk.core.value_at_risk import (
    DEFAULT_DEGREES_OF_FREEDOM,
    DEFAULT_PATHS,
    BookRisk,
    Distribution,
    Method,
    Wanted,
    value_at_risk_of,
)

METHODS: dict[int, Method] = {
    pb.VALUE_AT_RISK_METHOD_HISTORICAL: "historical",
    pb.VALUE_AT_RISK_METHOD_PARAMETRIC: "parametric",
    pb.VALUE_AT_RISK_METHOD_FILTERED_HISTORICAL: "filtered_historical",
    pb.VALUE_AT_RISK_METHOD_MONTE_CARLO: "monte_carlo",
}
_DISTRIBUTIONS: dict[int, Distribution] = {
    pb.SHOCK_DISTRIBUTION_UNSPECIFIED: "normal",
    pb.SHOCK_DISTRIBUTION_NORMAL: "normal",
    pb.SHOCK_DISTRIBUTION_STUDENT_T: "student_t",
}


class ValueAtRiskMethods(Methods):
    @requires("risk:use")
    async def ValueAtRisk(self, request: pb.ValueAtRiskRequest, context: Any) -> pb.ValueAtRiskResponse:
        wanted = Wanted(
            method=chosen("method", request.method, METHODS),
            confidence=request.confidence,
            horizon_days=request.horizon_days,
            observations=checked_observations(request.observations),
            estimator=chosen("covariance", request.covariance, ESTIMATORS),
            paths=request.paths or DEFAULT_PATHS,
            seed=request.seed,
            rate=request.rate,
            distribution=chosen("distribution", request.distribution, _DISTRIBUTIONS),
            degrees_of_freedom=request.degrees_of_freedom or DEFAULT_DEGREES_OF_FREEDOM,
        )
        book, history = await self._measured(request, wanted.observations + 1)
        risk = await asyncio.to_thread(value_at_risk_of, book, history, wanted)
        return pb.ValueAtRiskResponse(
            value_at_risk=risk.figure.value,
            expected_shortfall=risk.figure.expected_shortfall,
            contributions=_contributions(risk),
            observations=wanted.observations,
            as_of=to_timestamp(history.as_of),
            currency=book.currency,
            market_value=float(risk.market_values.sum()),
            method=request.method,
            confidence=request.confidence,
            horizon_days=request.horizon_days,
            stale=bool(book.stale) or history.is_stale,
            standard_error=risk.figure.standard_error,
            shortfall_standard_error=risk.figure.shortfall_standard_error,
        )


def _contributions(risk: BookRisk) -> list[pb.RiskContribution]:
    figure = risk.figure
    return [
        pb.RiskContribution(
            symbol=part if isinstance(part, str) else part.symbol,
            option=None if isinstance(part, str) else option_to(part.option),
            market_value=value,
            value_at_risk=at_risk,
            expected_shortfall=shortfall,
            marginal=at_risk / value if value else None,
            incremental=incremental,
        )
        for part, value, at_risk, shortfall, incremental in zip(
            risk.parts,
            risk.market_values.tolist(),
            figure.contributions.tolist(),
            figure.shortfall_contributions.tolist(),
            figure.incremental.tolist(),
            strict=True,
        )
    ]
