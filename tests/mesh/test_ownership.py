"""What belongs to somebody else does not exist: 404 on every path and body that takes a portfolio's id."""

import uuid
from collections.abc import Callable

import httpx
import pytest

from .accounts import API, events, funded_portfolio, key, record

Request = Callable[[httpx.Client, str], httpx.Response]
TRANSACTION = {"type": "deposit", "amount": "1.00", "currency": "USD", "executed_at": "2020-01-02T15:00:00Z"}

REQUESTS: dict[str, Request] = {
    "read": lambda user, it: user.get(f"{API}/portfolios/{it}"),
    "rename": lambda user, it: user.patch(f"{API}/portfolios/{it}", json={"name": "Mine"}),
    "delete": lambda user, it: user.delete(f"{API}/portfolios/{it}"),
    "transactions": lambda user, it: user.get(f"{API}/portfolios/{it}/transactions"),
    "record": lambda user, it: user.post(f"{API}/portfolios/{it}/transactions", json=TRANSACTION, headers=key()),
    "import": lambda user, it: user.post(
        f"{API}/portfolios/{it}/transactions/import",
        content="type,amount,currency,executed_at\ndeposit,1.00,USD,2020-01-02T15:00:00Z\n",
        headers={"Content-Type": "text/csv"} | key(),
    ),
    "positions": lambda user, it: user.get(f"{API}/portfolios/{it}/positions"),
    "lots": lambda user, it: user.get(f"{API}/portfolios/{it}/lots?symbol=AAPL"),
    "performance": lambda user, it: user.get(f"{API}/portfolios/{it}/performance"),
    "ledger": lambda user, it: user.get(f"{API}/portfolios/{it}/ledger"),
    "events": lambda user, it: user.get(f"{API}/portfolios/{it}/events"),
    "optimize its holdings": lambda user, it: user.post(
        f"{API}/portfolios/{it}/optimize", json={"objective": "minimum_variance"}
    ),
    "order": lambda user, it: user.post(
        f"{API}/orders",
        json={"portfolio_id": it, "symbol": "AAPL", "side": "buy", "type": "market", "quantity": "1"},
        headers=key(),
    ),
    "trade": lambda user, it: user.post(
        f"{API}/trade/execute",
        json={"portfolio_id": it, "symbol": "AAPL", "side": "buy", "quantity": "1"},
        headers=key(),
    ),
    "reverse a transaction": lambda user, it: user.post(
        f"{API}/portfolios/{it}/transactions/{it}/reverse", json={}, headers=key()
    ),
    "reverse an import": lambda user, it: user.post(
        f"{API}/portfolios/{it}/transactions/import/{it}/reverse", json={}, headers=key()
    ),
    "list orders": lambda user, it: user.get(f"{API}/orders", params={"portfolio_id": it}),
    "limits": lambda user, it: user.get(f"{API}/risk/limits/{it}"),
    "set limits": lambda user, it: user.put(f"{API}/risk/limits/{it}", json={"limits": []}),
    "what if": lambda user, it: user.post(
        f"{API}/risk/limits/{it}/what-if", json={"orders": [{"symbol": "AAPL", "side": "buy", "quantity": "1"}]}
    ),
    "plan rebalancing": lambda user, it: user.post(f"{API}/portfolios/{it}/rebalance", json={"target_weights": {}}),
    "rebalance": lambda user, it: user.post(
        f"{API}/portfolios/{it}/rebalance/execute",
        json={"orders": [{"symbol": "AAPL", "side": "buy", "quantity": "1"}]},
        headers=key(),
    ),
    "value at risk": lambda user, it: user.post(f"{API}/risk/var", json={"portfolio_id": it}),
    "optimize": lambda user, it: user.post(
        f"{API}/risk/optimize", json={"objective": "risk_parity", "portfolio_id": it}
    ),
}


@pytest.mark.parametrize("request_name", REQUESTS)
def test_a_foreign_and_an_unknown_portfolio_both_answer_404(
    user: httpx.Client, stranger: httpx.Client, request_name: str
) -> None:
    portfolio = funded_portfolio(user)
    before = events(user, portfolio)
    for asked in (portfolio, str(uuid.uuid4())):
        answer = REQUESTS[request_name](stranger, asked)
        assert answer.status_code == 404, answer.text
        assert answer.headers["Content-Type"] == "application/problem+json"
    assert events(user, portfolio) == before


def test_a_foreign_order_and_a_foreign_key_answer_404(user: httpx.Client, stranger: httpx.Client) -> None:
    portfolio = funded_portfolio(user)
    body = {"portfolio_id": portfolio, "symbol": "AAPL", "side": "buy", "type": "market", "quantity": "1"}
    order = user.post(f"{API}/orders", json=body, headers=key()).json()["id"]
    assert user.get(f"{API}/orders/{order}").status_code == 200
    assert stranger.get(f"{API}/orders/{order}").status_code == 404
    assert stranger.delete(f"{API}/orders/{order}").status_code == 404
    made = user.post(f"{API}/auth/api-keys", json={"name": "bot"}, headers=key())
    assert made.status_code == 201, made.text
    assert stranger.delete(f"{API}/auth/api-keys/{made.json()['id']}").status_code == 404


def test_a_foreign_quote_record_answers_404(user: httpx.Client, stranger: httpx.Client) -> None:
    body = {"option_type": "put", "spot": 90, "strike": 100, "time_to_expiry": 0.5, "rate": 0.01, "volatility": 0.3}
    quote = user.post(f"{API}/options/price", json=body).json()["quote_id"]
    assert stranger.get(f"{API}/options/quotes/{quote}").status_code == 404


def test_no_answer_without_an_identity(user: httpx.Client) -> None:
    portfolio = funded_portfolio(user)
    anonymous = httpx.Client(base_url=str(user.base_url), timeout=30.0)
    with anonymous:
        for name, request in REQUESTS.items():
            assert request(anonymous, portfolio).status_code == 401, name


def test_an_api_key_acts_within_its_scopes(user: httpx.Client) -> None:
    portfolio = funded_portfolio(user)
    made = user.post(f"{API}/auth/api-keys", json={"name": "reader", "scopes": ["portfolio:read"]}, headers=key())
    assert made.status_code == 201, made.text
    secret = made.json()["key"]
    with httpx.Client(base_url=str(user.base_url), headers={"X-Api-Key": secret}, timeout=30.0) as program:
        assert program.get(f"{API}/portfolios/{portfolio}").status_code == 200
        assert record(program, portfolio, type="deposit", amount="1.00").status_code == 403
    user.delete(f"{API}/auth/api-keys/{made.json()['id']}")
