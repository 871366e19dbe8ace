"""Risk numbers and optimised weights: JSON to messages and back."""

from typing import Any

from quantmesh.api.risk.v1 import risk_pb2 as pb
from quantmesh.gateway.http.models.risk import ConstraintsBody, PortfolioOptimizeBody, ValueAtRiskBody
from quantmesh.gateway.translation.common import (
    decimal,
    decimal_request,
    finite,
    instant,
    instant_request,
    inverse,
)

METHODS = {
    "historical": pb.VALUE_AT_RISK_METHOD_HISTORICAL,
    "parametric": pb.VALUE_AT_RISK_METHOD_PARAMETRIC,
}
OBJECTIVES = {
    "minimum_variance": pb.OBJECTIVE_MINIMUM_VARIANCE,
    "maximum_sharpe": pb.OBJECTIVE_MAXIMUM_SHARPE,
    "risk_parity": pb.OBJECTIVE_RISK_PARITY,
}
_METHOD_NAMES = inverse(METHODS)
_OBJECTIVE_NAMES = inverse(OBJECTIVES)


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


def optimize_request(body: PortfolioOptimizeBody, portfolio_id: str | None) -> pb.OptimizeRequest:
    return pb.OptimizeRequest(
        portfolio_id=portfolio_id or "",
        symbols=body.symbols,
        objective=OBJECTIVES[body.objective],
        constraints=constraints(body.constraints),
        risk_free_rate=body.risk_free_rate,
        observations=body.observations or 0,
        as_of=instant_request(body.as_of),
        known_at=instant_request(body.known_at),
    )


def constraints(body: ConstraintsBody) -> pb.Constraints:
    return pb.Constraints(
        minimum_weight=body.minimum_weight,
        maximum_weight=body.maximum_weight,
        bounds=[
            pb.WeightBounds(symbol=symbol, minimum=bounds.minimum, maximum=bounds.maximum)
            for symbol, bounds in body.bounds.items()
        ],
    )


def allocation(message: pb.Allocation) -> dict[str, Any]:
    return {
        "weights": dict(message.weights),
        "expected_return": message.statistics.expected_return,
        "volatility": message.statistics.volatility,
        "sharpe": finite(message.statistics.sharpe),
    }


def optimization(answer: pb.OptimizeResponse) -> dict[str, Any]:
    return {
        "objective": _OBJECTIVE_NAMES[answer.objective],
        **allocation(answer.optimal),
        "benchmarks": {name: allocation(item) for name, item in answer.benchmarks.items()},
        "observations": answer.observations,
        "as_of": instant(answer, "as_of"),
        "solver": answer.solver,
        "orders": [
            {
                "symbol": item.symbol,
                "side": item.side,
                "quantity": item.quantity.value,
                "price": decimal(item, "price"),
            }
            for item in answer.orders
        ],
    }
