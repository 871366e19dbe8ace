"""Steps that several tests take through the public API."""

import time
import uuid
from collections.abc import Sequence
from typing import Any

import httpx

API = "/api/v2"


def key() -> dict[str, str]:
    return {"Idempotency-Key": str(uuid.uuid4())}


def new_portfolio(user: httpx.Client, **body: str) -> str:
    answer = user.post(f"{API}/portfolios", json={"name": "Growth", "base_currency": "USD"} | body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def record(user: httpx.Client, portfolio: str, **transaction: str) -> httpx.Response:
    body = {"currency": "USD", "executed_at": "2020-01-02T21:00:00Z"} | transaction
    return user.post(f"{API}/portfolios/{portfolio}/transactions", json=body, headers=key())


def funded_portfolio(user: httpx.Client, amount: str = "100000.00") -> str:
    portfolio = new_portfolio(user)
    assert record(user, portfolio, type="deposit", amount=amount).status_code == 201
    return portfolio


def live_quotes(user: httpx.Client, symbols: Sequence[str] = ("AAPL",)) -> list[dict[str, Any]]:
    """Once the feed sends them: not before its first tick, nor while its database is away."""
    deadline = time.monotonic() + 60
    while True:
        answer = user.get(f"{API}/market/quotes", params={"symbols": ",".join(symbols)})
        quotes = list(answer.json()["data"]) if answer.is_success else []
        if quotes and all(quote["bid"] and not quote["stale"] for quote in quotes):
            return quotes
        assert time.monotonic() < deadline, answer.text
        time.sleep(0.1)


def events(user: httpx.Client, portfolio: str, after: int = 0) -> list[dict[str, Any]]:
    answer = user.get(f"{API}/portfolios/{portfolio}/events", params={"after": after, "limit": 500})
    assert answer.status_code == 200, answer.text
    return list(answer.json()["data"])


def cash(user: httpx.Client, portfolio: str) -> str:
    answer = user.get(f"{API}/portfolios/{portfolio}/positions")
    assert answer.status_code == 200, answer.text
    return next((str(item["amount"]) for item in answer.json()["cash"] if item["currency"] == "USD"), "0")
