"""What is asked before a trade, on the whole mesh: risk limits, verification, what-if; and rebalancing."""

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from quantmesh.local.testing.mesh import Mesh

from .accounts import API, events, funded_portfolio, key, live_quotes


@pytest.fixture
def operator(mesh: Mesh) -> Iterator[httpx.Client]:
    with mesh.login(mesh.operator.email, mesh.operator.password) as client:
        yield client


@pytest.fixture
def portfolio(user: httpx.Client) -> str:
    """Funded, once the feed quotes both sides."""
    live_quotes(user)
    return funded_portfolio(user)


def order(user: httpx.Client, portfolio: str, quantity: str, side: str = "buy", symbol: str = "AAPL") -> httpx.Response:
    body = {"portfolio_id": portfolio, "symbol": symbol, "side": side, "quantity": quantity, "time_in_force": "fok"}
    return user.post(f"{API}/orders", json=body, headers=key())


def limit(user: httpx.Client, portfolio: str, **limits: str) -> httpx.Response:
    body = {"limits": [{"rule": rule, "limit": most} for rule, most in limits.items()]}
    answer = user.put(f"{API}/risk/limits/{portfolio}", json=body)
    assert answer.status_code == 200, answer.text
    return answer


def states(user: httpx.Client, portfolio: str) -> dict[str, str]:
    used = user.get(f"{API}/risk/limits/{portfolio}")
    assert used.status_code == 200, used.text
    return {each["rule"]: each["state"] for each in used.json()["utilisation"]}


def wait_for(user: httpx.Client, portfolio: str, kind: str) -> dict[str, Any]:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = [event for event in events(user, portfolio) if event["type"] == kind]
        if found:
            return found[0]
        time.sleep(0.25)
    pytest.fail(f"no {kind} within a minute")


def test_a_denied_order_brings_one_that_passes(user: httpx.Client, portfolio: str) -> None:
    limit(user, portfolio, gross_exposure="5000", value_at_risk="100000", margin_utilisation="0.9", daily_loss="1000")
    before = events(user, portfolio)
    deadline = time.monotonic() + 30
    while True:
        denied = order(user, portfolio, "500")
        assert denied.status_code == 422, denied.text
        problem = denied.json()
        assert (problem["type"], problem["rule"]) == ("/problems/limit-exceeded", "gross_exposure")
        assert [each["rule"] for each in problem["denials"]] == ["gross_exposure"]
        assert float(problem["denials"][0]["after"]) > 5000
        assert events(user, portfolio) == before
        suggested = user.post(f"{API}/orders", json=problem["suggestion"], headers=key())
        # One that fills the limit is refused where the price rose in between.
        if suggested.status_code != 422 or time.monotonic() > deadline:
            break
    assert (suggested.status_code, suggested.json()["status"]) == (201, "filled"), suggested.text
    # One more would be too many.
    assert order(user, portfolio, "10").status_code == 422
    assert states(user, portfolio) == {
        "gross_exposure": "ok",
        "value_at_risk": "ok",
        "margin_utilisation": "ok",
        "daily_loss": "ok",
    }


def test_a_breach_is_in_the_accounts_log_and_only_closing_lessens_it(user: httpx.Client, portfolio: str) -> None:
    assert order(user, portfolio, "20").status_code == 201
    tag = limit(user, portfolio, gross_exposure="100").headers["ETag"]
    wait_for(user, portfolio, "risk.limit_breached")
    assert states(user, portfolio) == {"gross_exposure": "breached"}
    assert order(user, portfolio, "1").status_code == 422
    assert order(user, portfolio, "1", side="sell").status_code == 201
    path, body = f"{API}/risk/limits/{portfolio}", {"limits": [{"rule": "gross_exposure", "limit": "90000"}]}
    assert user.put(path, json=body, headers={"If-Match": '"7"'}).status_code == 412
    assert user.put(path, json=body, headers={"If-Match": tag}).status_code == 200
    wait_for(user, portfolio, "risk.limit_cleared")
    told = [event["type"] for event in events(user, portfolio) if event["type"].startswith("risk.")]
    assert told == ["risk.limit_breached", "risk.limit_cleared"]


def test_what_if_tells_the_same_and_places_nothing(user: httpx.Client, portfolio: str) -> None:
    limit(user, portfolio, symbol_notional="3000")
    before = events(user, portfolio)
    orders = [{"symbol": "AAPL", "side": "buy", "quantity": "500"}]
    answer = user.post(f"{API}/risk/limits/{portfolio}/what-if", json={"orders": orders})
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert not told["allowed"]
    assert [each["rule"] for each in told["changes"] if each["denied"]] == ["symbol_notional"]
    assert 0 < float(told["suggestion"]["orders"][0]["quantity"]) < 500
    assert events(user, portfolio) == before


def test_a_preview_tells_what_becomes_of_the_risk(user: httpx.Client, portfolio: str) -> None:
    body = {"portfolio_id": portfolio, "symbol": "AAPL", "side": "buy", "quantity": "10"}
    answer = user.post(f"{API}/orders", params={"dry_run": "true"}, json=body, headers=key())
    assert answer.status_code == 200, answer.text
    changes = {each["name"]: each for each in answer.json()["changes"]}
    assert {"gross_exposure", "value_at_risk", "margin_utilisation"} <= changes.keys()
    assert float(changes["value_at_risk"]["after"]) > float(changes["value_at_risk"]["before"]) == 0


def test_a_suspended_user_does_not_trade_and_is_told_why(
    user: httpx.Client, operator: httpx.Client, portfolio: str
) -> None:
    me = user.get(f"{API}/auth/me").json()["id"]
    assert user.get(f"{API}/compliance/kyc").json()["status"] == "unverified"
    assert user.post(f"{API}/compliance/kyc").json()["status"] == "pending"
    assert order(user, portfolio, "1").status_code == 201
    body = {"portfolio_id": portfolio, "symbol": "AAPL", "side": "buy", "quantity": "1", "type": "limit"}
    resting = user.post(f"{API}/orders", json=body | {"limit_price": "1", "time_in_force": "gtc"}, headers=key())
    assert resting.json()["status"] == "accepted", resting.text
    path = f"{API}/compliance/kyc/{me}"
    assert user.put(path, json={"status": "approved", "reason": "it is me"}).status_code == 403
    assert operator.put(path, json={"status": "suspended", "reason": "a court asked for it"}).status_code == 200
    ended = wait_for(user, portfolio, "order.cancelled")["data"]
    assert (ended["id"], "(KYC)" in ended["reason"]) == (resting.json()["id"], True)
    # A status is remembered for five seconds.
    deadline = time.monotonic() + 30
    while (refused := order(user, portfolio, "1")).status_code == 201 and time.monotonic() < deadline:
        time.sleep(0.25)
    assert refused.status_code == 422, refused.text
    assert (refused.json()["type"], refused.json()["rule"]) == ("/problems/kyc-refused", "kyc")
    assert user.get(f"{API}/compliance/kyc").json()["reason"] == "a court asked for it"
    history = operator.get(path).json()["data"]
    assert [each["status"] for each in history] == ["suspended", "pending"]


def test_optimised_weights_become_one_basket(user: httpx.Client, portfolio: str) -> None:
    for symbol in ("AAPL", "JPM"):
        assert order(user, portfolio, "50", symbol=symbol).status_code == 201
    body = {"objective": "minimum_variance", "constraints": {"maximum_weight": 0.7}}
    optimum = user.post(f"{API}/portfolios/{portfolio}/optimize", json=body)
    assert optimum.status_code == 200, optimum.text
    wishes = {"target_weights": optimum.json()["weights"], "cash_buffer": "1000.00", "minimum_trade": "200.00"}
    path = f"{API}/portfolios/{portfolio}/rebalance"
    planned = user.post(path, json=wishes)
    assert planned.status_code == 200, planned.text
    plan = planned.json()
    assert plan["drift_after"] < 0.02 < plan["drift"]
    chosen = [{name: each[name] for name in ("symbol", "side", "quantity")} for each in plan["orders"]]
    idempotency = key()
    placed = user.post(f"{path}/execute", json={"orders": chosen}, headers=idempotency)
    assert placed.status_code == 201, placed.text
    basket = placed.json()
    assert {each["status"] for each in basket["orders"]} == {"filled"}
    assert {each["basket_id"] for each in basket["orders"]} == {basket["basket_id"]}
    again = user.post(f"{path}/execute", json={"orders": chosen}, headers=idempotency)
    assert (again.json(), again.headers["Idempotent-Replayed"]) == (basket, "true")
    left = next(item for item in user.get(f"{API}/portfolios/{portfolio}/positions").json()["cash"])
    # Quotes move between the plan and the orders.
    assert float(left["amount"]) == pytest.approx(1000, abs=1500)
