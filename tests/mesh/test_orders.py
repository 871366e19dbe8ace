"""The life of an order through the gateway: rehearsed, placed, replaced, listed, cancelled, told."""

from decimal import Decimal

import httpx

from .accounts import API, events, funded_portfolio, key


def order_of(portfolio: str, **changes: str) -> dict[str, str]:
    """A purchase that waits far below the market."""
    order = {"symbol": "AAPL", "side": "buy", "type": "limit", "quantity": "3", "limit_price": "10"}
    return {"portfolio_id": portfolio, "time_in_force": "gtc", **order, **changes}


def place(user: httpx.Client, body: dict[str, str], **query: str) -> httpx.Response:
    return user.post(f"{API}/orders", json=body, params=query, headers=key())


def test_an_order_waits_is_replaced_and_cancelled_and_the_log_tells_all_of_it(user: httpx.Client) -> None:
    portfolio = funded_portfolio(user)
    placed = place(user, order_of(portfolio, client_order_id="mine"))
    assert placed.status_code == 201, placed.text
    order = placed.json()
    assert (order["status"], order["version"], order["fills"]) == ("accepted", 1, [])
    # 3 x 10 and the basis point of fee, which rounds to nothing.
    assert order["reserved"] == {"commodity": "USD", "amount": "30.00"}
    path = f"{API}/orders/{order['id']}"
    taken = place(user, order_of(portfolio, client_order_id="mine", quantity="1"))
    assert (taken.status_code, taken.json()["type"]) == (409, "/problems/client-order-id-taken")

    unseen = user.patch(path, json={"quantity": "5"})
    assert (unseen.status_code, unseen.json()["type"]) == (428, "/problems/if-match-missing")
    tag = {"If-Match": placed.headers["etag"]}
    replaced = user.patch(path, json={"quantity": "5", "limit_price": "12"}, headers=tag)
    assert replaced.status_code == 200, replaced.text
    assert (replaced.headers["etag"], replaced.json()["reserved"]["amount"]) == ('"2"', "60.01")
    late = user.patch(path, json={"quantity": "6"}, headers=tag)
    assert (late.status_code, late.json()["type"]) == (412, "/problems/order-changed")
    off_tick = user.patch(path, json={"limit_price": "12.00001"}, headers={"If-Match": "*"})
    assert (off_tick.status_code, off_tick.json()["errors"][0]["pointer"]) == (422, "#/limit_price")

    listed = user.get(f"{API}/orders", params={"portfolio_id": portfolio, "status": "open", "symbol": "AAPL"}).json()
    assert [item["id"] for item in listed["data"]] == [order["id"]]
    assert user.delete(path, headers=tag).status_code == 412
    cancelled = user.delete(path, headers={"If-Match": '"2"'})
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
    assert cancelled.json()["reserved"]["amount"] == "0.00"
    assert user.delete(path).status_code == 409
    told = [event for event in events(user, portfolio) if event["type"].startswith("order.")]
    assert [event["type"] for event in told] == ["order.accepted", "order.replaced", "order.cancelled"]
    assert [event["data"]["version"] for event in told] == [1, 2, 3]


def test_a_denial_is_answered_with_a_request_that_passes(user: httpx.Client) -> None:
    portfolio = funded_portfolio(user)
    denied = place(user, order_of(portfolio, quantity="100000000"))
    problem = denied.json()
    assert (denied.status_code, problem["type"], problem["rule"]) == (
        422,
        "/problems/insufficient-cash",
        "buying_power",
    )
    (numbers,) = problem["denials"]
    assert Decimal(numbers["needed"]) - Decimal(numbers["available"]) == Decimal(numbers["shortfall"])
    passing = place(user, problem["suggestion"])
    assert passing.status_code == 201, passing.text
    assert passing.json()["status"] == "accepted"


def test_a_rehearsal_answers_the_same_and_leaves_nothing(user: httpx.Client) -> None:
    portfolio = funded_portfolio(user)
    before = events(user, portfolio)
    body = order_of(portfolio, quantity="2", type="market")
    del body["limit_price"]
    rehearsed = place(user, body, dry_run="true")
    assert rehearsed.status_code == 200, rehearsed.text
    preview = rehearsed.json()
    assert (preview["order"]["status"], preview["position_after"], preview["denial"]) == ("filled", "2", None)
    denied = place(user, order_of(portfolio, quantity="100000000"), dry_run="true").json()["denial"]
    assert denied["type"] == "/problems/insufficient-cash"
    assert place(user, denied["suggestion"], dry_run="true").json()["denial"] is None
    assert events(user, portfolio) == before


def test_wrong_fields_are_named(user: httpx.Client) -> None:
    portfolio = funded_portfolio(user)
    for changes, pointer in (
        ({"type": "market"}, "#/limit_price"),
        ({"type": "stop"}, "#/limit_price"),
        ({"type": "stop_limit"}, "#/stop_price"),
        ({"type": "stop_limit", "stop_price": "9", "time_in_force": "ioc"}, "#/time_in_force"),
        ({"limit_price": "10.00001"}, "#/limit_price"),
        ({"quantity": "0.5"}, "#/quantity"),
        ({"time_in_force": "gtd"}, "#/time_in_force"),
    ):
        refused = place(user, order_of(portfolio, **changes))
        assert refused.status_code == 422, refused.text
        assert pointer in [error["pointer"] for error in refused.json()["errors"]]
