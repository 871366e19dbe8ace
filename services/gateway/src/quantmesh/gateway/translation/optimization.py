"""Optimised weights and the frontier: JSON to messages and back."""

from typing import Any

from quantmesh.api.risk.v1 import risk_pb2 as pb
from quantmesh.gateway.http.models.optimization import (
    AllocationBody,
    ConstraintsBody,
    FrontierBody,
    PortfolioOptimizeBody,
)
from quantmesh.gateway.translation.common import decimal, finite, instant, instant_request, inverse, optional
from quantmesh.gateway.translation.risk import COVARIANCES

OBJECTIVES = {
    "minimum_variance": pb.OBJECTIVE_MINIMUM_VARIANCE,
    "maximum_sharpe": pb.OBJECTIVE_MAXIMUM_SHARPE,
    "risk_parity": pb.OBJECTIVE_RISK_PARITY,
    "mean_variance": pb.OBJECTIVE_MEAN_VARIANCE,
    "minimum_cvar": pb.OBJECTIVE_MINIMUM_CVAR,
    "hierarchical_risk_parity": pb.OBJECTIVE_HIERARCHICAL_RISK_PARITY,
    "black_litterman": pb.OBJECTIVE_BLACK_LITTERMAN,
}
_OBJECTIVE_NAMES = inverse(OBJECTIVES)


def optimize_request(body: PortfolioOptimizeBody, portfolio_id: str | None) -> pb.OptimizeRequest:
    request = _allocation_request(body, portfolio_id)
    request.objective = OBJECTIVES[body.objective]
    request.risk_aversion = body.risk_aversion
    request.confidence = body.confidence
    request.market_weights.update(body.market_weights)
    request.budgets.update(body.budgets)
    for view in body.views:
        request.views.add(weights=view.weights, expected_return=view.expected_return, confidence=view.confidence)
    return request


def frontier_request(body: FrontierBody) -> pb.FrontierRequest:
    return pb.FrontierRequest(allocation=_allocation_request(body, body.portfolio_id), points=body.points)


def _allocation_request(body: AllocationBody, portfolio_id: str | None) -> pb.OptimizeRequest:
    return pb.OptimizeRequest(
        portfolio_id=portfolio_id or "",
        symbols=body.symbols,
        constraints=constraints(body.constraints),
        risk_free_rate=body.risk_free_rate,
        covariance=COVARIANCES[body.covariance],
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
        groups=[
            pb.WeightGroup(name=group.name, symbols=group.symbols, minimum=group.minimum, maximum=group.maximum)
            for group in body.groups
        ],
        maximum_turnover=body.maximum_turnover,
        cost=body.cost,
        maximum_holdings=body.maximum_holdings,
        minimum_position=body.minimum_position,
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
        **_shared(answer),
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
        "objective_value": answer.objective_value,
        "bound": optional(answer, "bound"),
        "gap": optional(answer, "gap"),
        "iterations": answer.iterations,
    }


def frontier(answer: pb.FrontierResponse) -> dict[str, Any]:
    return {"points": [allocation(point) for point in answer.points], **_shared(answer)}


def _shared(answer: pb.OptimizeResponse | pb.FrontierResponse) -> dict[str, Any]:
    return {
        "benchmarks": {name: allocation(item) for name, item in answer.benchmarks.items()},
        "observations": answer.observations,
        "as_of": instant(answer, "as_of"),
    }
