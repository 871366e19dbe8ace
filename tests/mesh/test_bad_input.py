"""Bad input: a problem that names the field, never a 500, and nothing lost."""

from typing import Any

import httpx
import pytest

from .accounts import API, events, funded_portfolio, key, new_portfolio, record

OPTION: dict[str, Any] = {
    "option_type": "call", "spot": 100, "strike": 100, "time_to_expiry": 1.0, "rate": 0.05, "volatility": 0.2,
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"volatility": -0.2}, "volatility"),
        ({"volatility": "0.2"}, "volatility"),
        ({"spot": 0}, "spot"),
        ({"strike": None}, "strike"),
        ({"option_type": "straddle"}, "option_type"),
        ({"time_to_expiry": -1}, "time_to_expiry"),
        ({"unknown": 1}, "unknown"),
        ({"model": "magic"}, "model"),
        ({"time_to_expiry": None, "expiry": "2001-01-01"}, "expiry"),
    ],
)
def test_an_option_out_of_its_domain_names_the_field(user: httpx.Client, change: dict[str, Any], field: str) -> None:
    body = {name: value for name, value in (OPTION | change).items() if value is not None or name == "strike"}
    answer = user.post(f"{API}/options/price", json=body)
    assert answer.status_code == 422, answer.text
    problem = answer.json()
    assert problem["type"].startswith("/problems/")
    assert problem["request_id"]
    assert any(field in error["pointer"] for error in problem["errors"]), problem


@pytest.mark.parametrize(
    "body", [b"{", b'{"spot": NaN}', b'{"spot": Infinity}', b"\xff\xfe", b"", b'{"spot": 1, "spot": 2}']
)
def test_what_is_not_json_is_400(user: httpx.Client, body: bytes) -> None:
    answer = user.post(f"{API}/options/price", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_limits_of_size_and_kind(user: httpx.Client) -> None:
    big = b'{"name": "' + b"x" * 2_000_000 + b'"}'
    assert user.post(f"{API}/portfolios", content=big, headers={"Content-Type": "application/json"}).status_code == 413
    text = user.post(f"{API}/portfolios", content=b"name=x", headers={"Content-Type": "text/plain"})
    assert text.status_code == 415
    assert user.get(f"{API}/nothing/here").status_code == 404
    assert user.put(f"{API}/portfolios").status_code == 405
    assert user.post(f"{API}/portfolios", json={"name": "x" * 5000}).status_code == 422


def test_an_unreachable_price_has_no_volatility(user: httpx.Client) -> None:
    body = {name: value for name, value in OPTION.items() if name != "volatility"} | {"price": 200.0}
    assert user.post(f"{API}/options/implied-volatility", json=body).status_code == 422
    columns = {"option_type": "call", "spot": 100.0, "strike": 100.0, "time_to_expiry": 1.0, "price": [200.0, 10.0]}
    answer = user.post(f"{API}/options/implied-volatility", json={"columns": columns}).json()
    values = answer["columns"]["implied_volatility"]
    assert values[0] is None
    assert values[1] is not None
    assert answer["errors"][0]["index"] == 0


def test_spending_what_is_not_there_says_by_how_much(user: httpx.Client) -> None:
    portfolio = funded_portfolio(user, "1000.00")
    before = events(user, portfolio)
    buy = record(
        user, portfolio, type="buy", symbol="AAPL", quantity="100", price="73.35", executed_at="2020-01-03T21:00:00Z"
    )
    assert buy.status_code == 422
    assert "6335" in buy.text
    sell = record(
        user, portfolio, type="sell", symbol="AAPL", quantity="3", price="73.35", executed_at="2020-01-03T21:00:00Z"
    )
    assert sell.status_code == 422
    assert events(user, portfolio) == before


def test_a_backdated_withdrawal_is_checked_at_every_later_instant(user: httpx.Client) -> None:
    portfolio = funded_portfolio(user, "1000.00")
    later = {"executed_at": "2021-01-04T21:00:00Z"}
    assert record(user, portfolio, type="withdrawal", amount="900.00", **later).status_code == 201
    early = record(user, portfolio, type="withdrawal", amount="200.00", executed_at="2020-06-01T21:00:00Z")
    assert early.status_code == 422, early.text


def test_a_split_by_hand_on_a_total_return_series_is_refused_with_the_reason(user: httpx.Client) -> None:
    portfolio = funded_portfolio(user)
    answer = record(user, portfolio, type="split", symbol="AAPL", split_ratio="4")
    assert answer.status_code == 422
    assert "total" in answer.text


def test_a_key_is_required_and_gives_one_effect(user: httpx.Client) -> None:
    portfolio = new_portfolio(user)
    path = f"{API}/portfolios/{portfolio}/transactions"
    body = {"type": "deposit", "amount": "10.00", "currency": "USD", "executed_at": "2020-01-02T15:00:00Z"}
    assert user.post(path, json=body).status_code == 400
    headers = key()
    first = user.post(path, json=body, headers=headers)
    again = user.post(path, json=body, headers=headers)
    assert first.status_code == again.status_code == 201
    assert first.content == again.content
    assert again.headers["Idempotent-Replayed"] == "true"
    assert user.post(path, json=body | {"amount": "11.00"}, headers=headers).status_code == 422
    assert len(events(user, portfolio)) == 1


def test_an_old_version_may_not_overwrite_a_newer_one(user: httpx.Client) -> None:
    portfolio = new_portfolio(user)
    path = f"{API}/portfolios/{portfolio}"
    tag = user.get(path).headers["ETag"]
    assert user.get(path, headers={"If-None-Match": tag}).status_code == 304
    assert user.patch(path, json={"name": "Second"}, headers={"If-Match": tag}).status_code == 200
    assert user.patch(path, json={"name": "Third"}, headers={"If-Match": tag}).status_code == 412
