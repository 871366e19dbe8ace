"""Risk numbers: JSON to messages and back."""

from typing import Any

from quantmesh.api.risk.v1 import risk_pb2 as pb
from quantmesh.gateway.http.models.risk import ValueAtRiskBody
from quantmesh.gateway.translation.common import (
    decimal_request,
    instant,
    instant_request,
    inverse,
)

METHODS = {
    "historical": pb.VALUE_AT_RISK_METHOD_HISTORICAL,
    "parametric": pb.VALUE_AT_RISK_METHOD_PARAMETRIC,
}
COVARIANCES = {
    "sample": pb.COVARIANCE_ESTIMATOR_SAMPLE,
    "ewma": pb.COVARIANCE_ESTIMATOR_EWMA,
    "ledoit_wolf": pb.COVARIANCE_ESTIMATOR_LEDOIT_WOLF,
    "factor": pb.COVARIANCE_ESTIMATOR_FACTOR,
    "garch_dcc": pb.COVARIANCE_ESTIMATOR_GARCH_DCC,
}
_METHOD_NAMES = inverse(METHODS)


def value_at_risk_request(body: ValueAtRiskBody) -> pb.ValueAtRiskRequest:
    request = pb.ValueAtRiskRequest(
        method=METHODS[body.method],
        confidence=body.confidence,
        horizon_days=body.horizon_days,
        observations=body.observations or 0,
        as_of=instant_request(body.as_of),
        known_at=instant_request(body.known_at),
    )
    if body.portfolio_id is not None:
        request.portfolio_id = body.portfolio_id
    for position in body.positions or ():
        request.positions.positions.add(symbol=position.symbol, quantity=decimal_request(position.quantity))
    return request


def value_at_risk(answer: pb.ValueAtRiskResponse) -> dict[str, Any]:
    return {
        "value_at_risk": answer.value_at_risk,
        "expected_shortfall": answer.expected_shortfall,
        "contributions": [
            {
                "symbol": item.symbol,
                "market_value": item.market_value,
                "value_at_risk": item.value_at_risk,
                "expected_shortfall": item.expected_shortfall,
            }
            for item in answer.contributions
        ],
        "observations": answer.observations,
        "as_of": instant(answer, "as_of"),
        "currency": answer.currency,
        "market_value": answer.market_value,
        "method": _METHOD_NAMES[answer.method],
        "confidence": answer.confidence,
        "horizon_days": answer.horizon_days,
        "stale": answer.stale,
    }
