"""Risk limits: JSON to messages and back."""

from typing import Any

from quantmesh.api.risk.v1 import limits_pb2 as pb
from quantmesh.api.risk.v1 import margin_pb2, risk_pb2
from quantmesh.gateway.http.models.limits import LimitBody, TriedOrderBody, WhatIfBody
from quantmesh.gateway.translation.common import decimal, decimal_request, instant, inverse, names_of, optional
from quantmesh.gateway.translation.orders import SIDES
from quantmesh.gateway.translation.risk import METHOD_NAMES, METHODS
from quantmesh.gateway.translation.risk_measures import MARGIN_RULE_NAMES, MARGIN_RULES

RULES = names_of(pb.LimitRule, "LIMIT_RULE_")
_RULE_NAMES = inverse(RULES)
_STATE_NAMES = inverse(names_of(pb.LimitState, "LIMIT_STATE_"))


def limit_request(body: LimitBody) -> pb.Limit:
    return pb.Limit(
        rule=RULES[body.rule],
        limit=decimal_request(body.limit),
        warning=decimal_request(body.warning),
        symbol=body.symbol or "",
        method=METHODS[body.method] if body.method else risk_pb2.VALUE_AT_RISK_METHOD_UNSPECIFIED,
        confidence=body.confidence or 0.0,
        horizon_days=body.horizon_days or 0,
        margin_rule=MARGIN_RULES[body.margin_rule] if body.margin_rule else margin_pb2.MARGIN_RULE_UNSPECIFIED,
    )


def order_request(body: TriedOrderBody) -> pb.CheckedOrder:
    return pb.CheckedOrder(
        symbol=body.symbol,
        side=SIDES[body.side],
        quantity=decimal_request(body.quantity),
        price=decimal_request(body.price),
        rests=body.price is not None,
    )


def limit(message: pb.Limit) -> dict[str, Any]:
    return {
        "rule": _RULE_NAMES[message.rule],
        "limit": decimal(message, "limit"),
        "warning": decimal(message, "warning"),
        "symbol": message.symbol or None,
        "method": METHOD_NAMES[message.method] if message.method else None,
        "confidence": message.confidence or None,
        "horizon_days": message.horizon_days or None,
        "margin_rule": MARGIN_RULE_NAMES[message.margin_rule] if message.margin_rule else None,
    }


def definition(message: pb.LimitDefinition) -> dict[str, Any]:
    return {
        "portfolio_id": message.portfolio_id,
        "version": message.version,
        "recorded_at": instant(message, "recorded_at"),
        "limits": [limit(each) for each in message.limits],
    }


def limits(answer: pb.GetLimitsResponse) -> dict[str, Any]:
    return {
        **definition(answer.definition),
        "utilisation": [
            {
                **limit(each.limit),
                "value": decimal(each, "value"),
                "utilisation": optional(each, "utilisation"),
                "state": _STATE_NAMES[each.state],
                "largest": each.symbol or None,
                "reason": each.reason or None,
            }
            for each in answer.utilisations
        ],
        "base_currency": answer.base_currency,
        "as_of": instant(answer, "as_of"),
    }


def what_if(portfolio_id: str, body: WhatIfBody, answer: pb.WhatIfResponse) -> dict[str, Any]:
    return {
        "portfolio_id": portfolio_id,
        "allowed": answer.allowed,
        "changes": [
            {
                **limit(each.limit),
                "before": decimal(each, "before"),
                "after": decimal(each, "after"),
                "largest": each.symbol or None,
                "reason": each.reason or None,
                "denied": each.denied,
            }
            for each in answer.changes
        ],
        "suggestion": _suggestion(body, answer),
        "base_currency": answer.base_currency,
        "as_of": instant(answer, "as_of"),
    }


def _suggestion(body: WhatIfBody, answer: pb.WhatIfResponse) -> dict[str, Any] | None:
    passing = list(zip(body.orders, answer.passing_quantities, strict=False))
    if not passing:
        return None
    return {
        "orders": [
            {**asked.model_dump(), "quantity": quantity.value}
            for asked, quantity in passing
            if quantity.value.strip("0.")
        ]
    }
