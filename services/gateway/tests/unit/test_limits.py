"""/risk/limits at the edge."""

import json

from quantmesh.api.common.v1.common_pb2 import Decimal
from quantmesh.api.risk.v1 import limits_pb2 as pb
from quantmesh.api.risk.v1 import margin_pb2, risk_pb2
from quantmesh.chassis.errors import RuleBroken
from quantmesh.gateway.http.models.limits import LimitsShown, LimitsUsedShown, WhatIfShown

from .edges import ADA, Edge
from .samples import NOW, amount

PATH = f"/api/v2/risk/limits/{ADA}"
TAIL = pb.Limit(
    rule=pb.LIMIT_RULE_VALUE_AT_RISK,
    limit=amount("100"),
    method=risk_pb2.VALUE_AT_RISK_METHOD_HISTORICAL,
    confidence=0.99,
    horizon_days=1,
)
MARGIN = pb.Limit(
    rule=pb.LIMIT_RULE_MARGIN_UTILISATION,
    limit=amount("0.8"),
    warning=amount("0.5"),
    margin_rule=margin_pb2.MARGIN_RULE_PORTFOLIO,
)
DEFINITION = pb.LimitDefinition(portfolio_id=str(ADA), version=3, recorded_at=NOW, limits=[TAIL, MARGIN])


async def test_limits_are_shown_with_what_is_used_of_them_and_are_never_not_modified(edge: Edge) -> None:
    edge.peers["risk"].answers["GetLimits"] = pb.GetLimitsResponse(
        definition=DEFINITION,
        utilisations=[
            pb.LimitUtilisation(
                limit=TAIL, value=amount("50"), utilisation=0.5, state=pb.LIMIT_STATE_OK, symbol="AAPL"
            ),
            pb.LimitUtilisation(limit=MARGIN, state=pb.LIMIT_STATE_UNKNOWN, reason="AAPL has no price"),
        ],
        base_currency="USD",
        as_of=NOW,
    )
    answer = await edge.http.get(PATH, headers={"If-None-Match": '"3"'})
    shown = LimitsUsedShown.model_validate(answer.json())
    assert (answer.status_code, answer.headers["etag"]) == (200, '"3"')
    used, unknown = shown.utilisation
    assert (used.rule, used.value, used.utilisation, used.state, used.method) == (
        "value_at_risk", "50", 0.5, "ok", "historical",
    )  # fmt: skip
    assert (unknown.value, unknown.utilisation, unknown.state, unknown.margin_rule) == (
        None, None, "unknown", "portfolio",
    )  # fmt: skip
    await edge.http.get(f"{PATH}?known_at=2020-01-02T00:00:00Z")
    assert edge.peers["risk"].last("GetLimits").HasField("known_at")


async def test_a_definition_is_passed_on_whole_with_the_version_that_was_seen(edge: Edge) -> None:
    risk = edge.peers["risk"]
    risk.answers["SetLimits"] = pb.SetLimitsResponse(definition=DEFINITION)
    body = {
        "limits": [
            {"rule": "value_at_risk", "limit": "100", "confidence": 0.95, "method": "parametric"},
            {"rule": "symbol_notional", "limit": "5", "warning": "4", "symbol": "AAPL"},
            {"rule": "margin_utilisation", "limit": "0.8", "margin_rule": "portfolio"},
        ]
    }
    answer = await edge.http.put(PATH, json=body, headers={"If-Match": '"2"'})
    assert (answer.status_code, answer.headers["etag"]) == (200, '"3"')
    LimitsShown.model_validate(answer.json())
    asked = risk.last("SetLimits")
    assert asked.expected_version == 2
    assert [each.rule for each in asked.limits] == [
        pb.LIMIT_RULE_VALUE_AT_RISK,
        pb.LIMIT_RULE_SYMBOL_NOTIONAL,
        pb.LIMIT_RULE_MARGIN_UTILISATION,
    ]
    assert (asked.limits[0].method, asked.limits[0].confidence) == (risk_pb2.VALUE_AT_RISK_METHOD_PARAMETRIC, 0.95)
    assert (asked.limits[1].symbol, asked.limits[1].warning.value) == ("AAPL", "4")
    await edge.http.put(PATH, json={"limits": []})
    assert not risk.last("SetLimits").HasField("expected_version")


async def test_a_definition_that_breaks_the_schema_is_refused(edge: Edge) -> None:
    for wrong in (
        {},
        {"limits": [{"rule": "courage", "limit": "1"}]},
        {"limits": [{"rule": "leverage"}]},
        {"limits": [{"rule": "leverage", "limit": 2}]},
        {"limits": [{"rule": "value_at_risk", "limit": "2", "confidence": 1.0}]},
    ):
        assert (await edge.http.put(PATH, json=wrong)).status_code == 422
    assert not edge.peers["risk"].asked


async def test_what_if_suggests_the_same_orders_with_quantities_that_pass(edge: Edge) -> None:
    change = pb.LimitChange(limit=TAIL, before=amount("50"), after=amount("150"), denied=True)
    risk = edge.peers["risk"]
    risk.answers["WhatIf"] = pb.WhatIfResponse(
        changes=[change], passing_quantities=[Decimal(value="4"), Decimal(value="0")], base_currency="USD", as_of=NOW
    )
    orders = [
        {"symbol": "AAPL", "side": "buy", "quantity": "10", "price": "99.5"},
        {"symbol": "JPM", "side": "sell", "quantity": "1"},
    ]
    answer = await edge.http.post(f"{PATH}/what-if", json={"orders": orders})
    shown = WhatIfShown.model_validate(answer.json(), strict=True)
    assert not shown.allowed
    assert (shown.changes[0].before, shown.changes[0].after, shown.changes[0].denied) == ("50", "150", True)
    assert answer.json()["suggestion"] == {"orders": [{**orders[0], "quantity": "4"}]}
    asked = risk.last("WhatIf").orders
    assert (asked[0].price.value, asked[0].rests, asked[1].HasField("price")) == ("99.5", True, False)


async def test_a_denial_shows_its_rule_its_numbers_and_a_request_that_passes(edge: Edge) -> None:
    denial = {"rule": "gross_exposure", "value": "450", "limit": "1000", "after": "1950"}
    suggestion = {"symbol": "AAPL", "side": "buy", "quantity": "3"}
    metadata = {
        "rule": "gross_exposure",
        "denials": json.dumps([denial]),
        "suggestion": json.dumps(suggestion),
        "other": "not shown",
    }
    edge.peers["risk"].answers["WhatIf"] = RuleBroken("The order would break a limit.", metadata=metadata)
    orders = [{"symbol": "AAPL", "side": "buy", "quantity": "10"}]
    answer = await edge.http.post(f"{PATH}/what-if", json={"orders": orders})
    problem = answer.json()
    assert answer.status_code == 422
    assert (problem["rule"], problem["denials"], problem["suggestion"]) == ("gross_exposure", [denial], suggestion)
    assert "other" not in problem
