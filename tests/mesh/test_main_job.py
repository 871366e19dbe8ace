"""The main job through the gateway, as a client that knows nothing but the API."""

import asyncio
import json
import math
import time
from decimal import Decimal
from typing import Any

import httpx
import numpy as np
import pytest
import websockets

from quantmesh.local.testing.mesh import Mesh

from .accounts import API, cash, events, funded_portfolio, key, new_portfolio, record

CSV = """type,symbol,quantity,price,amount,fee,currency,executed_at,note
deposit,,,,50000.00,,USD,2020-01-02T15:00:00Z,opening
buy,AAPL,100,73.35,,1.00,USD,2020-01-02T21:00:00Z,
buy,JPM,50,120.00,,1.00,USD,2020-01-03T21:00:00Z,
buy,NOSUCH,5,10.00,,,USD,2020-01-03T21:00:00Z,
sell,AAPL,1000,80.00,,,USD,2020-02-03T21:00:00Z,more than is held
"""
CLEAN = "".join(line for line in CSV.splitlines(keepends=True) if "NOSUCH" not in line and "1000,80" not in line)


def imported(user: httpx.Client, portfolio: str, csv: str, *, dry_run: bool) -> httpx.Response:
    return user.post(
        f"{API}/portfolios/{portfolio}/transactions/import",
        params={"dry_run": str(dry_run).lower()},
        content=csv,
        headers={"Content-Type": "text/csv"} | key(),
    )


def test_a_dry_run_reports_every_bad_row_with_its_line_and_records_nothing(user: httpx.Client) -> None:
    portfolio = new_portfolio(user)
    answer = imported(user, portfolio, CSV, dry_run=True)
    assert answer.status_code == 200, answer.text
    assert [(row["line"], row["field"]) for row in answer.json()["rejected"]] == [(5, "symbol"), (6, "quantity")]
    assert cash(user, portfolio) in {"0", "0.00"}


def test_an_import_shows_in_positions_cash_and_performance(user: httpx.Client) -> None:
    portfolio = new_portfolio(user)
    answer = imported(user, portfolio, CLEAN, dry_run=False)
    assert answer.is_success, answer.text
    assert answer.json()["rejected"] == []
    held = user.get(f"{API}/portfolios/{portfolio}/positions").json()
    assert {row["symbol"]: Decimal(row["quantity"]) for row in held["data"]} == {"AAPL": 100, "JPM": 50}
    assert Decimal(cash(user, portfolio)) == Decimal(50000) - 7335 - 6000 - 2
    for row in held["data"]:
        assert Decimal(row["market_value"]) == pytest.approx(Decimal(row["quantity"]) * Decimal(row["price"]))
    performance = user.get(f"{API}/portfolios/{portfolio}/performance").json()
    # The book held stocks through March 2020.
    assert -1.0 < performance["maximum_drawdown"] < -0.1
    assert len(performance["series"]) > 500
    assert math.isfinite(performance["time_weighted_return"])


def test_a_daily_close_is_known_from_its_session_on(user: httpx.Client) -> None:
    clock = user.get(f"{API}/market/clock").json()
    bars = user.get(f"{API}/market/AAPL/bars", params={"start": "2022-01-01"}).json()["data"]
    assert bars[-1]["date"] == clock["last_session"]
    assert all(bar["time"] <= clock["market_time"] for bar in bars)


def chain(user: httpx.Client) -> dict[str, Any]:
    answer = user.get(f"{API}/market/SPY/option-chain")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_the_whole_spy_chain_prices_as_one_batch_and_its_volatilities_come_back(user: httpx.Client) -> None:
    options = [row for row in chain(user)["data"] if row["bid_implied_volatility"]]
    assert len(options) > 300
    columns = {
        "option_type": [row["option_type"] for row in options],
        "spot": [row["forward"] * row["discount_factor"] for row in options],
        "strike": [row["strike"] for row in options],
        "time_to_expiry": [row["time_to_expiry"] for row in options],
        "rate": [-math.log(row["discount_factor"]) / row["time_to_expiry"] for row in options],
        "dividend_yield": 0.0,
        "volatility": [row["bid_implied_volatility"] for row in options],
    }
    priced = user.post(f"{API}/options/price/batch", json={"columns": columns, "greeks": True}).json()["columns"]
    back = {name: column for name, column in columns.items() if name != "volatility"} | {"price": priced["price"]}
    answer = user.post(f"{API}/options/implied-volatility", json={"columns": back}).json()
    found = np.array([math.nan if v is None else v for v in answer["columns"]["implied_volatility"]])
    # A price without time value to the last bit has no volatility to give back.
    visible = np.array(priced["vega"]) > 1e-6
    assert visible.mean() > 0.8
    np.testing.assert_allclose(found[visible], np.array(columns["volatility"])[visible], rtol=1e-7)


def test_the_documented_option_is_priced_to_the_last_digits(user: httpx.Client) -> None:
    body = {"option_type": "call", "spot": 100, "strike": 100, "time_to_expiry": 1.0, "rate": 0.05, "volatility": 0.2}
    answer = user.post(f"{API}/options/price", json=body).json()
    assert answer["price"] == pytest.approx(10.450583572185565, abs=1e-12)
    assert answer["greeks"]["delta"] == pytest.approx(0.6368306511756191, abs=1e-12)
    deadline = time.monotonic() + 30
    record_path = f"{API}/options/quotes/{answer['quote_id']}"
    while (explained := user.get(record_path)).status_code == 404 and time.monotonic() < deadline:
        time.sleep(0.2)
    assert explained.json()["response"]["price"] == answer["price"]


def closes(user: httpx.Client, symbol: str, count: int) -> "np.ndarray[Any, np.dtype[np.float64]]":
    bars = user.get(f"{API}/market/{symbol}/bars", params={"limit": 5000, "start": "2018-01-01"}).json()["data"]
    return np.array([float(bar["close"]) for bar in bars[-count:]])


def test_historical_value_at_risk_equals_one_recomputed_from_the_bars(user: httpx.Client) -> None:
    book = {"AAPL": 100.0, "JPM": 50.0}
    positions = [{"symbol": symbol, "quantity": str(quantity)} for symbol, quantity in book.items()]
    body = {"positions": positions, "method": "historical", "confidence": 0.99, "horizon_days": 1}
    answer = user.post(f"{API}/risk/var", json=body).json()
    count = answer["observations"]
    prices = {symbol: closes(user, symbol, count + 1) for symbol in book}
    values = {symbol: quantity * prices[symbol][-1] for symbol, quantity in book.items()}
    losses = -sum(values[symbol] * (prices[symbol][1:] / prices[symbol][:-1] - 1) for symbol in book)
    worst = np.sort(np.asarray(losses))[::-1]
    tail = round(count * 0.01)
    # Whatever quantile is documented lies between its two neighbours in the sample.
    assert worst[tail] * (1 - 1e-9) <= answer["value_at_risk"] <= worst[tail - 1] * (1 + 1e-9)
    total = sum(item["value_at_risk"] for item in answer["contributions"])
    assert total == pytest.approx(answer["value_at_risk"], rel=1e-9)
    assert answer["expected_shortfall"] >= answer["value_at_risk"]


@pytest.mark.parametrize("objective", ["minimum_variance", "maximum_sharpe", "risk_parity"])
def test_weights_sum_to_one_and_beat_equal_weights_on_their_own_objective(user: httpx.Client, objective: str) -> None:
    symbols = ["AAPL", "JPM", "XOM", "KO", "WMT"]
    answer = user.post(f"{API}/risk/optimize", json={"objective": objective, "symbols": symbols})
    assert answer.status_code == 200, answer.text
    result = answer.json()
    assert sum(result["weights"].values()) == pytest.approx(1.0, abs=1e-9)
    equal = result["benchmarks"]["equal_weight"]
    if objective == "minimum_variance":
        assert result["volatility"] < equal["volatility"]
    if objective == "maximum_sharpe":
        assert result["sharpe"] > equal["sharpe"]


def test_a_forecast_answers_with_an_interval_and_its_score_before_anything_is_trained(user: httpx.Client) -> None:
    answer = user.get(f"{API}/predictions/stocks/AAPL", params={"timeframe": "1m"})
    assert answer.status_code == 200, answer.text
    forecast = answer.json()
    assert forecast["confidence_lower"] < forecast["predicted_price"] < forecast["confidence_upper"]
    assert forecast["model"] == "naive"
    assert forecast["note"]
    assert forecast["skill"]["windows"] > 0
    again = user.get(f"{API}/predictions/{forecast['id']}").json()
    assert again["predicted_price"] == forecast["predicted_price"]


def test_training_is_a_job_that_ends_and_changes_what_answers(mesh: Mesh, user: httpx.Client) -> None:
    operator = mesh.operator
    with mesh.login(operator.email, operator.password) as admin:
        body = {"timeframe": "1d", "symbols": ["AAPL", "JPM", "XOM"], "max_seconds": 40}
        started = admin.post(f"{API}/predictions/train", json=body, headers=key())
        assert started.status_code == 202, started.text
        deadline = time.monotonic() + 240
        while (job := admin.get(started.headers["Location"]).json())["status"] in {"queued", "running"}:
            assert time.monotonic() < deadline, job
            time.sleep(0.5)
    assert job["status"] == "succeeded", job
    assert user.get(started.headers["Location"]).status_code == 404
    trained = [model for model in user.get(f"{API}/predictions/models").json()["data"] if model["name"] == "lstm"]
    assert trained
    assert trained[0]["skill"]["naive_rmse"] > 0


def test_an_investor_may_not_train(user: httpx.Client) -> None:
    assert user.post(f"{API}/predictions/train", json={"timeframe": "1d"}, headers=key()).status_code == 403


async def listen(mesh: Mesh, user: httpx.Client, portfolio: str, after: int) -> list[dict[str, Any]]:
    """Buy once subscribed; what arrives until the fill, and one quote."""
    token = user.headers["Authorization"].removeprefix("Bearer ")
    received: list[dict[str, Any]] = []
    async with websockets.connect(mesh.url.replace("http", "ws") + f"{API}/stream") as stream:
        await stream.send(json.dumps({"op": "auth", "token": token}))
        channels = ["quotes.AAPL", f"portfolio.{portfolio}"]
        await stream.send(json.dumps({"op": "subscribe", "channels": channels}))
        await stream.send(json.dumps({"op": "resume", "channel": f"portfolio.{portfolio}", "after_seq": after}))
        async with asyncio.timeout(30):
            # In the order in which they were asked for: both are then open.
            while not received or received[-1].get("op") != "resumed":
                received.append(json.loads(await stream.recv()))
        order = {"portfolio_id": portfolio, "symbol": "AAPL", "side": "buy", "quantity": "5"}
        answer = await asyncio.to_thread(lambda: user.post(f"{API}/trade/execute", json=order, headers=key()))
        assert answer.is_success, answer.text
        assert answer.json()["status"] == "filled"
        async with asyncio.timeout(60):
            while not {"quotes.AAPL", "order.filled"} <= {item.get("channel") for item in received} | {
                item.get("type") for item in received
            }:
                received.append(json.loads(await stream.recv()))
    return [item for item in received if "channel" in item and "seq" in item]


async def test_a_market_order_fills_on_the_feed_and_arrives_on_the_stream_without_a_hole(
    mesh: Mesh, user: httpx.Client
) -> None:
    portfolio = funded_portfolio(user)
    last = events(user, portfolio)[-1]["seq"]
    received = await listen(mesh, user, portfolio, after=0)
    account = [item for item in received if item["channel"] == f"portfolio.{portfolio}"]
    numbers = sorted({item["seq"] for item in account})
    assert numbers == list(range(1, numbers[-1] + 1))
    assert numbers[-1] > last
    stored = events(user, portfolio)
    assert [event["seq"] for event in stored] == list(range(1, len(stored) + 1))
    assert {event["seq"]: event["type"] for event in stored}.items() >= {i["seq"]: i["type"] for i in account}.items()


def proof_of(user: httpx.Client, transaction: str) -> dict[str, Any]:
    deadline = time.monotonic() + 90
    while (answer := user.get(f"{API}/blockchain/proofs/{transaction}")).status_code == 425:
        assert answer.headers["Retry-After"]
        assert time.monotonic() < deadline, "the anchor was never confirmed"
        time.sleep(0.5)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def verdict(user: httpx.Client, proof: dict[str, Any]) -> bool:
    answer = user.post(f"{API}/blockchain/verify", json=proof)
    assert answer.status_code == 200, answer.text
    return bool(answer.json()["valid"])


def test_a_transaction_is_provable_and_any_change_to_its_proof_is_refused(
    mesh: Mesh, user: httpx.Client, stranger: httpx.Client
) -> None:
    portfolio = new_portfolio(user)
    transaction = record(user, portfolio, type="deposit", amount="100.00").json()["id"]
    record(user, portfolio, type="deposit", amount="200.00")
    proof = proof_of(user, transaction)
    assert verdict(user, proof)
    text = json.dumps(proof["payload"])
    altered = proof | {"payload": json.loads(text.replace('"100"', '"101"').replace('"100.00"', '"101.00"'))}
    assert altered["payload"] != proof["payload"]
    assert not verdict(user, altered)
    root = proof["root"]
    assert not verdict(user, proof | {"path": [*proof["path"], root]})
    flipped = root[:-1] + ("0" if root[-1] != "0" else "1")
    assert not verdict(user, proof | {"root": flipped})
    assert not verdict(user, proof | {"leaf": flipped})
    assert stranger.get(f"{API}/blockchain/proofs/{transaction}").status_code == 404
