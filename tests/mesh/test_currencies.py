"""A portfolio in several currencies through the gateway, at the reference rates of the European Central Bank."""

from decimal import Decimal

import httpx
import pytest

from .accounts import API, funded_portfolio, key, new_portfolio, record


def rate(user: httpx.Client, base: str, quote: str, **more: str) -> Decimal:
    answer = user.get(f"{API}/market/exchange-rates", params={"base": base, "quote": quote, **more})
    assert answer.status_code == 200, answer.text
    (found,) = answer.json()["data"]
    return Decimal(found["rate"])


def test_rates_are_those_that_were_published(user: httpx.Client) -> None:
    # ECB, 2020-01-02: 1.1193 dollars and 0.84828 pounds a euro.
    assert rate(user, "EUR", "USD", date="2020-01-02") == Decimal("1.1193")
    assert rate(user, "GBP", "USD", date="2020-01-05") == pytest.approx(Decimal("1.1147") / Decimal("0.85115"))
    nothing = user.get(f"{API}/market/exchange-rates", params={"base": "EUR", "quote": "USD", "date": "1998-12-31"})
    assert (nothing.status_code, nothing.json()["missing"]) == (200, ["USD"])
    for bad in ({"base": "usd", "quote": "EUR"}, {"base": "USD"}, {"base": "USD", "quote": "EUR", "date": "soon"}):
        assert user.get(f"{API}/market/exchange-rates", params=bad).status_code == 422


def test_foreign_cash_counts_in_the_total_and_in_the_performance(user: httpx.Client) -> None:
    portfolio = new_portfolio(user)
    deposit = {"type": "deposit", "executed_at": "2020-01-02T12:00:00Z"}
    assert record(user, portfolio, **deposit, amount="1000.00", currency="EUR").status_code == 201
    assert record(user, portfolio, **deposit, amount="500.00", currency="USD").status_code == 201
    then = user.get(f"{API}/portfolios/{portfolio}/positions", params={"as_of": "2020-01-02T20:00:00Z"}).json()
    assert then["total_value"] == {"currency": "USD", "amount": "1619.30"}
    assert then["exchange_rates"] == [{"currency": "EUR", "rate": "1.1193", "date": "2020-01-02", "stale": False}]
    performance = user.get(f"{API}/portfolios/{portfolio}/performance", params={"end": "2020-01-03", "limit": 1}).json()
    assert (len(performance["series"]), performance["next_cursor"] is None) == (1, False)
    # The euro fell from 1.1193 to 1.1147 the day after.
    assert performance["value"] == {"currency": "USD", "amount": "1614.70"}
    assert performance["time_weighted_return"] == pytest.approx(1614.70 / 1619.30 - 1, abs=1e-12)


def test_a_plan_in_a_currency_without_cash_says_what_to_convert_and_then_passes(user: httpx.Client) -> None:
    """A portfolio in euros that wants what trades in dollars."""
    portfolio = new_portfolio(user, base_currency="EUR")
    deposit = {"type": "deposit", "amount": "10000.00", "currency": "EUR", "executed_at": "2020-01-02T12:00:00Z"}
    assert record(user, portfolio, **deposit).status_code == 201
    path = f"{API}/portfolios/{portfolio}/rebalance"
    planned = user.post(path, json={"target_weights": {"AAPL": 0.4, "JPM": 0.4}})
    assert planned.status_code == 200, planned.text
    plan = planned.json()
    assert (plan["orders"], plan["invested"], plan["drift"]) == ([], "10000.00", 0.4)
    (used,) = plan["exchange_rates"]
    into_euros = Decimal(used["rate"])
    short = next(each for each in plan["cash_by_currency"] if each["currency"] == "USD")
    withdrawn, paid_in = plan["suggestion"]["transactions"]
    assert (withdrawn["type"], withdrawn["currency"]) == ("withdrawal", "EUR")
    assert paid_in == {"type": "deposit", "amount": short["shortfall"], "currency": "USD"}
    assert Decimal(withdrawn["amount"]) == pytest.approx(Decimal(paid_in["amount"]) * into_euros, abs=Decimal("0.01"))
    for move in (withdrawn, paid_in):
        # Quotes move between the plan and the orders.
        more = move | {"amount": f"{Decimal(move['amount']) * Decimal('1.03'):.2f}"}
        assert record(user, portfolio, **more).status_code == 201
    placed = user.post(f"{path}/execute", json={"orders": plan["suggestion"]["orders"]}, headers=key())
    assert placed.status_code == 201, placed.text
    assert {order["status"] for order in placed.json()["orders"]} == {"filled"}
    again = user.post(path, json={"target_weights": {"AAPL": 0.4, "JPM": 0.4}, "minimum_trade": "300.00"}).json()
    assert (again["orders"], again["suggestion"]) == ([], None)
    assert again["drift"] < 0.05


def test_before_there_were_rates_the_performance_is_refused(user: httpx.Client) -> None:
    portfolio = new_portfolio(user)
    early = {"type": "deposit", "amount": "1.00", "currency": "EUR", "executed_at": "1998-05-04T12:00:00Z"}
    assert record(user, portfolio, **early).status_code == 201
    refused = user.get(f"{API}/portfolios/{portfolio}/performance")
    assert (refused.status_code, refused.json()["type"]) == (422, "/problems/exchange-rate-missing")


def test_without_a_currency_money_is_in_the_base_currency(user: httpx.Client) -> None:
    portfolio = new_portfolio(user, base_currency="CHF")
    body = {"type": "deposit", "amount": "5.00", "executed_at": "2020-01-02T12:00:00Z"}
    answer = user.post(f"{API}/portfolios/{portfolio}/transactions", json=body, headers=key())
    assert answer.json()["cash"] == {"currency": "CHF", "amount": "5.00"}


def test_a_filled_order_cannot_be_cancelled_which_is_a_conflict_with_its_state(user: httpx.Client) -> None:
    portfolio = funded_portfolio(user)
    order = {"portfolio_id": portfolio, "symbol": "AAPL", "side": "buy", "quantity": "1"}
    filled = user.post(f"{API}/trade/execute", json=order, headers=key()).json()
    assert filled["status"] == "filled", filled
    refused = user.delete(f"{API}/orders/{filled['id']}")
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/illegal-order-transition")
