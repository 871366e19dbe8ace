"""Optimised weights and the frontier at the edge."""

import json
from typing import Any

import pytest

from quantmesh.api.risk.v1 import risk_pb2 as pb
from quantmesh.chassis.errors import RuleBroken
from quantmesh.gateway.http.models.optimization import FrontierShown, OptimizationShown

from .edges import Edge
from .samples import OPTIMUM

PATH = "/api/v2/risk/optimize"
BODY = {"objective": "black_litterman", "symbols": ["AAPL", "JPM", "XOM"]}


async def test_constraints_views_and_estimators_are_passed_on(edge: Edge) -> None:
    edge.peers["risk"].answers["Optimize"] = OPTIMUM
    body = BODY | {
        "covariance": "ledoit_wolf",
        "risk_aversion": 3.0,
        "views": [{"weights": {"AAPL": 1, "JPM": -1}, "expected_return": 0.02, "confidence": 0.6}],
        "market_weights": {"AAPL": 0.5, "JPM": 0.3, "XOM": 0.2},
        "constraints": {
            "groups": [{"name": "cyclical", "symbols": ["JPM", "XOM"], "maximum": 0.5}],
            "maximum_turnover": 0.4,
            "cost": 0.001,
            "maximum_holdings": 2,
            "minimum_position": 0.05,
        },
    }
    answer = await edge.http.post(PATH, json=body)
    assert answer.status_code == 200, answer.text
    OptimizationShown.model_validate(answer.json())
    asked = edge.peers["risk"].last("Optimize")
    assert asked.covariance == pb.COVARIANCE_ESTIMATOR_LEDOIT_WOLF
    assert (asked.views[0].weights["JPM"], asked.views[0].confidence) == (-1, 0.6)
    assert asked.constraints.groups[0] == pb.WeightGroup(name="cyclical", symbols=["JPM", "XOM"], maximum=0.5)
    assert (asked.constraints.maximum_turnover, asked.constraints.maximum_holdings) == (0.4, 2)
    assert asked.market_weights["AAPL"] == 0.5


async def test_a_frontier_is_shown_point_by_point(edge: Edge) -> None:
    point = pb.Allocation(weights={"AAPL": 1.0}, statistics=pb.AllocationStatistics(volatility=0.2))
    edge.peers["risk"].answers["Frontier"] = pb.FrontierResponse(points=[point, point], observations=500)
    answer = await edge.http.post("/api/v2/risk/frontier", json={"symbols": ["AAPL", "JPM"], "points": 2})
    assert answer.status_code == 200, answer.text
    assert len(FrontierShown.model_validate(answer.json()).points) == 2
    assert edge.peers["risk"].last("Frontier").points == 2


async def test_what_would_pass_comes_as_a_ready_request(edge: Edge) -> None:
    suggestion = {"constraints": {"maximum_turnover": 0.6}}
    edge.peers["risk"].answers["Optimize"] = RuleBroken(
        "No weights satisfy this.", metadata={"suggestion": json.dumps(suggestion)}
    )
    answer = await edge.http.post(PATH, json=BODY)
    assert (answer.status_code, answer.json()["suggestion"]) == (422, suggestion)


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"objective": "maximum_return"}, "#/objective"),
        ({"covariance": "guess"}, "#/covariance"),
        ({"views": [{"weights": {}, "expected_return": 0.1}]}, "#/views/0/weights"),
        ({"constraints": {"groups": [{"name": "a", "symbols": []}]}}, "#/constraints/groups/0/symbols"),
        ({"constraints": {"maximum_holdings": 0}}, "#/constraints/maximum_holdings"),
        ({"budgets": {"AAPL": 0}}, "#/budgets/AAPL"),
        ({"symbols": []}, "#"),
    ],
)
async def test_a_broken_rule_is_named_by_its_place(edge: Edge, change: dict[str, Any], pointer: str) -> None:
    answer = await edge.http.post(PATH, json=BODY | change)
    assert answer.status_code == 422
    assert pointer in [item["pointer"] for item in answer.json()["errors"]]
