"""Value at risk, stress, margin, backtests and exposures through the gateway, on the prices that come with it."""

import math
from datetime import date, timedelta
from typing import Any

import httpx
import pytest

from quantmesh.quant import american

from .accounts import API

PUT = {"option_type": "put", "style": "american", "time_to_expiry": 0.5, "volatility": 0.35, "multiplier": 100}


def post(user: httpx.Client, path: str, body: dict[str, Any], status: int = 200) -> dict[str, Any]:
    answer = user.post(f"{API}/risk/{path}", json=body)
    assert answer.status_code == status, answer.text
    return dict(answer.json())


def test_every_method_measures_a_hedged_book(user: httpx.Client) -> None:
    stock = {"symbol": "AAPL", "quantity": "100"}
    spot = post(user, "exposure", {"positions": [stock]})["exposures"][0]["spot"]
    put = {"symbol": "AAPL", "quantity": "1", "option": {**PUT, "strike": round(spot)}}
    body = {"positions": [stock, put], "rate": 0.03, "confidence": 0.99, "paths": 4000}
    for method in ("historical", "filtered_historical", "parametric", "monte_carlo"):
        hedged = post(user, "var", {**body, "method": method})
        naked = post(user, "var", {**body, "method": method, "positions": [stock]})
        assert 0 < hedged["value_at_risk"] < naked["value_at_risk"]
        parts = [item["value_at_risk"] for item in hedged["contributions"]]
        assert sum(parts) == pytest.approx(hedged["value_at_risk"])
        assert (hedged["standard_error"] is None) == (method != "monte_carlo")
    price = american.price("put", spot, round(spot), 0.5, 0.03, 0.0, 0.35)
    assert post(user, "var", body)["contributions"][1]["market_value"] == pytest.approx(100 * float(price), rel=1e-6)


def test_lehman_and_covid_are_the_falls_that_they_were(user: httpx.Client) -> None:
    body = {"positions": [{"symbol": "JPM", "quantity": "10"}, {"symbol": "XOM", "quantity": "-5"}]}
    shown = post(user, "stress", {**body, "episodes": ["lehman", "covid"], "reverse": {"loss": 250}})
    for episode in shown["episodes"]:
        bars = user.get(
            f"{API}/market/JPM/bars", params={"start": episode["first_day"], "end": episode["last_day"]}
        ).json()["data"]
        move = float(bars[-1]["close"]) / float(bars[0]["close"]) - 1
        assert episode["spot_moves"]["JPM"] == pytest.approx(move)
        assert episode["last"]["positions"][0]["profit"] == pytest.approx(
            move * episode["last"]["positions"][0]["market_value"]
        )
        assert math.fsum(item["profit"] for item in episode["last"]["positions"]) == pytest.approx(
            episode["last"]["profit"]
        )
    assert shown["reverse"]["outcome"]["profit"] == pytest.approx(-250)
    refused = post(user, "stress", {**body, "episodes": ["tulips"]}, 422)
    assert refused["errors"][0]["pointer"] == "#/episodes/0"


def test_the_book_that_margin_suggests_passes(user: httpx.Client) -> None:
    body: dict[str, Any] = {"positions": [{"symbol": "JPM", "quantity": "10"}, {"symbol": "XOM", "quantity": "-5"}]}
    for rule in ("regulation_t", "portfolio"):
        asked = {**body, "rule": rule}
        equity = 0.8 * post(user, "margin", asked)["requirement"]
        short = post(user, "margin", {**asked, "equity": equity})["shortfall"]
        cured = post(user, "margin", {**asked, **short["suggestion"], "equity": equity})
        assert cured["shortfall"] is None


def test_a_year_of_forecasts_is_judged(user: httpx.Client) -> None:
    body = {"positions": [{"symbol": "JPM", "quantity": "10"}, {"symbol": "XOM", "quantity": "5"}]}
    shown = post(user, "backtest", {**body, "method": "historical", "confidence": 0.99})
    lost = sum(day["profit"] < -day["value_at_risk"] for day in shown["series"])
    assert (shown["observations"], shown["exceptions"]) == (250, lost)
    assert shown["traffic_light"]["multiplier_increase"] is not None
    option = {**body["positions"][0], "option": {**PUT, "strike": 100}}
    insured = post(user, "backtest", {"positions": [*body["positions"], {**option, "quantity": "0.1"}], "rate": 0.03})
    assert insured["series"][-1]["value_at_risk"] < shown["series"][-1]["value_at_risk"]
    refused = post(user, "backtest", {"positions": [option], "method": "parametric"}, 422)
    assert refused["errors"][0]["pointer"] == "#/method"


def test_students_t_has_more_beyond_the_quantile_than_normal_shocks(user: httpx.Client) -> None:
    body = {"positions": [{"symbol": "JPM", "quantity": "10"}], "method": "monte_carlo", "confidence": 0.995}
    normal = post(user, "var", body)
    heavy = post(user, "var", {**body, "distribution": "student_t", "degrees_of_freedom": 3})
    assert heavy["expected_shortfall"] > normal["expected_shortfall"]
    refused = post(user, "var", {**body, "method": "historical", "distribution": "student_t"}, 422)
    assert refused["errors"][0]["pointer"] == "#/distribution"


def test_volumes_that_are_not_given_are_those_of_the_bars_that_have_any(user: httpx.Client) -> None:
    shown = post(user, "exposure", {"positions": [{"symbol": "BTC-USD", "quantity": "5000"}]})
    coin = shown["exposures"][0]
    last = date.fromisoformat(shown["as_of"][:10])
    month = {"start": str(last - timedelta(days=30)), "end": str(last)}
    bars = user.get(f"{API}/market/BTC-USD/bars", params=month).json()["data"]
    volumes = [float(bar["volume"]) for bar in bars if bar["volume"] is not None]
    assert coin["daily_volume"] == pytest.approx(sum(volumes) / len(volumes))
    assert coin["days_to_sell"] == pytest.approx(5000 / (0.2 * coin["daily_volume"]))
    closes_alone = post(user, "exposure", {"positions": [{"symbol": "AAPL", "quantity": "100"}]})
    assert (closes_alone["exposures"][0]["daily_volume"], closes_alone["liquidity"]) == (None, None)
