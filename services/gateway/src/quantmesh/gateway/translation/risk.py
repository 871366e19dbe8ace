"""Risk numbers: JSON to messages and back."""

from typing import Any

from quantmesh.api.risk.v1 import risk_pb2 as pb
from quantmesh.gateway.http.models.risk import ValueAtRiskBody
from quantmesh.gateway.translation.common import (
    instant,
    instant_request,
    inverse,
    optional,
)
from quantmesh.gateway.translation.positions import inline_positions, option

METHODS = {
    "historical": pb.VALUE_AT_RISK_METHOD_HISTORICAL,
    "parametric": pb.VALUE_AT_RISK_METHOD_PARAMETRIC,
    "filtered_historical": pb.VALUE_AT_RISK_METHOD_FILTERED_HISTORICAL,
    "monte_carlo": pb.VALUE_AT_RISK_METHOD_MONTE_CARLO,
}
COVARIANCES = {
    "sample": pb.COVARIANCE_ESTIMATOR_SAMPLE,
    "ewma": pb.COVARIANCE_ESTIMATOR_EWMA,
    "ledoit_wolf": pb.COVARIANCE_ESTIMATOR_LEDOIT_WOLF,
    "factor": pb.COVARIANCE_ESTIMATOR_FACTOR,
    "garch_dcc": pb.COVARIANCE_ESTIMATOR_GARCH_DCC,
}
_DISTRIBUTIONS = {"normal": pb.SHOCK_DISTRIBUTION_NORMAL, "student_t": pb.SHOCK_DISTRIBUTION_STUDENT_T}
METHOD_NAMES = inverse(METHODS)


def value_at_risk_request(body: ValueAtRiskBody) -> pb.ValueAtRiskRequest:
    request = pb.ValueAtRiskRequest(
        method=METHODS[body.method],
        confidence=body.confidence,
        horizon_days=body.horizon_days,
        observations=body.observations or 0,
        as_of=instant_request(body.as_of),
        known_at=instant_request(body.known_at),
        rate=body.rate,
        covariance=COVARIANCES[body.covariance],
        paths=body.paths,
        seed=body.seed,
        distribution=_DISTRIBUTIONS[body.distribution],
        degrees_of_freedom=body.degrees_of_freedom or 0.0,
    )
    if body.portfolio_id is not None:
        request.portfolio_id = body.portfolio_id
    if body.positions is not None:
        request.positions.CopyFrom(inline_positions(body.positions))
    return request


def value_at_risk(answer: pb.ValueAtRiskResponse) -> dict[str, Any]:
    return {
        "value_at_risk": answer.value_at_risk,
        "expected_shortfall": answer.expected_shortfall,
        "contributions": [
            {
                "symbol": item.symbol,
                "option": option(item),
                "market_value": item.market_value,
                "value_at_risk": item.value_at_risk,
                "expected_shortfall": item.expected_shortfall,
                "marginal": optional(item, "marginal"),
                "incremental": item.incremental,
            }
            for item in answer.contributions
        ],
        "observations": answer.observations,
        "as_of": instant(answer, "as_of"),
        "currency": answer.currency,
        "market_value": answer.market_value,
        "method": METHOD_NAMES[answer.method],
        "confidence": answer.confidence,
        "horizon_days": answer.horizon_days,
        "stale": answer.stale,
        "standard_error": optional(answer, "standard_error"),
        "shortfall_standard_error": optional(answer, "shortfall_standard_error"),
    }
