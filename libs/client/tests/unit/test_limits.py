"""KYC, risk limits and rebalancing through the client: what is sent, and what is read from the answers."""

import json
from decimal import Decimal
from typing import Any

import httpx
import pytest

from quantmesh.client import Client
from quantmesh.client.errors import Problem

from .test_orders import ORDER, Mesh

KYC = {"user_id": "u1", "status": "approved", "reason": "seen", "decided_at": "2026-03-01T09:00:00Z", "version": 2}
LIMIT = {
    "rule": "gross_exposure",
    "limit": "1000.50",
    "warning": None,
    "symbol": None,
    "method": None,
    "confidence": None,
    "horizon_days": None,
    "margin_rule": None,
}
DEFINITION = {"portfolio_id": "p1", "version": 3, "recorded_at": "2026-03-01T09:00:00Z", "limits": [LIMIT]}
CHANGE = {**LIMIT, "before": "450", "after": None, "largest": None, "reason": "AAPL has no price", "denied": True}
TRADE = {
    "symbol": "AAPL",
    "side": "sell",
    "quantity": "5",
    "currency": "EUR",
    "price": "130",
    "estimated_price": "129.95",
    "fee": "0.06",
    "slippage": "0.25",
    "realized_gain": "149.75",
    "weight": 0.8,
    "target_weight": 0.5,
    "weight_after": 0.52,
    "stale": False,
}
PLAN = {
    "orders": [TRADE],
    "base_currency": "USD",
    "invested": "1000.00",
    "cash": "10.00",
    "cash_after": "659.69",
    "drift": 0.3,
    "drift_after": 0.02,
    "fees": "0.06",
    "slippage": "0.25",
    "realized_gain": "149.75",
    "lot_method": "fifo",
    "as_of": "2026-03-01T09:00:00Z",
    "seq": 9,
    "cash_by_currency": [
        {
            "currency": "EUR",
            "before": "0.00",
            "proceeds": "649.75",
            "purchases": "0.00",
            "fees": "0.06",
            "after": "649.69",
            "kept": "0.00",
            "shortfall": "50.31",
        }
    ],
    "exchange_rates": [{"currency": "EUR", "rate": "1.1", "date": "2022-12-20", "stale": False}],
    "suggestion": {
        "transactions": [{"type": "deposit", "amount": "50.31", "currency": "EUR"}],
        "orders": [{"symbol": "SAP", "side": "buy", "quantity": "14"}],
    },
}


def sent(mesh: Mesh) -> tuple[str, str, Any]:
    """Method, path and body of the last request."""
    request = mesh.asked[-1]
    return request.method, request.url.path.removeprefix("/api/v2"), json.loads(request.content or "null")


def test_one_reads_ones_own_status_and_an_officer_decides_on_a_version() -> None:
    mesh = Mesh(GET=(200, KYC), PUT=(200, KYC), POST=(200, KYC))
    compliance = mesh.client.compliance
    assert compliance.kyc().status == "approved"
    assert sent(mesh) == ("GET", "/compliance/kyc", None)
    compliance.submit()
    assert mesh.asked[-1].headers["Idempotency-Key"]
    compliance.decide("u1", "approved", "seen", if_version=1)
    assert sent(mesh) == ("PUT", "/compliance/kyc/u1", {"status": "approved", "reason": "seen"})
    assert mesh.asked[-1].headers["If-Match"] == '"1"'
    compliance.decide("u1", "approved", "seen")
    assert "If-Match" not in mesh.asked[-1].headers


def test_limits_are_set_whole_and_read_with_their_use() -> None:
    used = {**LIMIT, "value": "450", "utilisation": 0.45, "state": "ok", "largest": None, "reason": None}
    shown = {**DEFINITION, "utilisation": [used], "base_currency": "USD", "as_of": None}
    mesh = Mesh(GET=(200, shown), PUT=(200, DEFINITION))
    asked = [{"rule": "gross_exposure", "limit": "1000.50"}]
    assert mesh.client.limits.set("p1", asked, if_version=0).limits[0].limit == Decimal("1000.50")
    assert sent(mesh) == ("PUT", "/risk/limits/p1", {"limits": asked})
    assert mesh.asked[-1].headers["If-Match"] == '"0"'
    (found,) = mesh.client.limits.get("p1").utilisation
    assert (found.value, found.state) == (Decimal(450), "ok")


def test_a_what_if_tells_what_would_pass() -> None:
    suggestion = {"orders": [{"symbol": "AAPL", "side": "buy", "quantity": "3", "price": None}]}
    answer = {
        "portfolio_id": "p1",
        "allowed": False,
        "changes": [CHANGE],
        "suggestion": suggestion,
        "base_currency": "USD",
        "as_of": None,
    }
    mesh = Mesh(POST=(200, answer))
    found = mesh.client.limits.what_if("p1", [{"symbol": "AAPL", "side": "buy", "quantity": "10"}])
    assert (found.allowed, found.changes[0].after, found.suggestion) == (False, None, suggestion)


def test_what_was_planned_is_placed_as_it_is() -> None:
    plan = Mesh(POST=(200, PLAN))
    planned = plan.client.rebalance.plan(
        "p1", {"AAPL": 0.5}, cash_buffer=Decimal("100.00"), maximum_realized_gain=Decimal(0)
    )
    assert sent(plan) == (
        "POST",
        "/portfolios/p1/rebalance",
        {"target_weights": {"AAPL": 0.5}, "tax_aware": True, "cash_buffer": "100.00", "maximum_realized_gain": "0"},
    )
    basket = Mesh(POST=(201, {"basket_id": "b1", "orders": [ORDER]}))
    placed = basket.client.rebalance.execute("p1", planned.orders)
    assert (placed.basket_id, placed.orders[0].id) == ("b1", "o1")
    orders = [{"symbol": "AAPL", "side": "sell", "quantity": "5"}]
    assert sent(basket) == ("POST", "/portfolios/p1/rebalance/execute", {"orders": orders})
    assert basket.asked[-1].headers["Idempotency-Key"]


def test_what_a_plan_suggests_is_placed_too() -> None:
    planned = Mesh(POST=(200, PLAN)).client.rebalance.plan("p1", {"AAPL": 0.5})
    assert (planned.cash_by_currency[0].shortfall, planned.exchange_rates[0].rate) == (Decimal("50.31"), Decimal("1.1"))
    assert planned.suggestion is not None
    assert [(each.type, each.amount) for each in planned.suggestion.transactions] == [("deposit", Decimal("50.31"))]
    basket = Mesh(POST=(201, {"basket_id": "b1", "orders": [ORDER]}))
    basket.client.rebalance.execute("p1", planned.suggestion.orders)
    assert sent(basket)[2] == {"orders": [{"symbol": "SAP", "side": "buy", "quantity": "14"}]}


def test_a_denied_order_brings_the_request_that_passes() -> None:
    problem = {
        "type": "/problems/limit-exceeded",
        "title": "A risk limit forbids it",
        "status": 422,
        "detail": "no",
        "instance": "/api/v2/orders",
        "request_id": "r",
        "rule": "gross_exposure",
        "denials": [{"rule": "gross_exposure", "before": "450", "after": "1750", "limit": "1000.50"}],
        "suggestion": {"quantity": "3"},
    }

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(422, json=problem)

    client = Client("http://mesh.test", api_key="k", http=httpx.Client(transport=httpx.MockTransport(answer)))
    with pytest.raises(Problem) as refused:
        client.orders.trade("p1", "AAPL", "buy", Decimal(10))
    assert refused.value.suggestion == {"quantity": "3"}
    assert str(refused.value) == 'no\n  What would pass: {"quantity": "3"}'
    assert (refused.value.rule, refused.value.denials[0]["limit"]) == ("gross_exposure", "1000.50")
