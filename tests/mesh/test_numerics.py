"""Prices, simulations, calibrations and weights through the gateway, each beside the numerics called directly."""

import math
import time
from collections.abc import Callable
from typing import Any

import httpx
import numpy as np
import pytest

from quantmesh.local.testing.mesh import Mesh
from quantmesh.quant import american, bachelier, bates, black_76, black_scholes, heston, sabr

from .accounts import API

CONTRACT: dict[str, Any] = {"option_type": "put", "spot": 95.0, "strike": 100.0, "time_to_expiry": 0.75, "rate": 0.04}
CARRIED: dict[str, Any] = {**CONTRACT, "dividend_yield": 0.01}
ON_FORWARD: dict[str, Any] = {name: value for name, value in CONTRACT.items() if name != "spot"} | {"forward": 97.0}
HESTON = {"v0": 0.04, "kappa": 1.5, "theta": 0.05, "sigma": 0.6, "rho": -0.7}
BATES = {**HESTON, "jump_intensity": 0.4, "jump_mean": -0.1, "jump_volatility": 0.15}
SABR = {"alpha": 2.0, "beta": 0.5, "rho": -0.3, "nu": 0.4, "shift": 1.0}
GREEKS = ("delta", "gamma", "vega", "theta", "rho")
SYMBOLS = ["AAPL", "JPM", "KO", "MSFT", "PG", "XOM"]
PRICED: dict[str, tuple[dict[str, Any], Callable[..., Any], dict[str, float]]] = {
    "american": ({**CARRIED, "style": "american"}, american.price_and_greeks, {"volatility": 0.3}),
    "black_76": (ON_FORWARD, black_76.price_and_greeks, {"volatility": 0.25}),
    "bachelier": (ON_FORWARD, bachelier.price_and_greeks, {"volatility": 9.0}),
    "heston": (CARRIED, heston.price_and_greeks, HESTON),
    "bates": (CARRIED, bates.price_and_greeks, BATES),
    "sabr": (ON_FORWARD, sabr.price_and_greeks, SABR),
    "sabr_normal": (ON_FORWARD, sabr.normal_price_and_greeks, SABR),
}


def post(user: httpx.Client, path: str, body: dict[str, Any], status: int = 200) -> dict[str, Any]:
    answer = user.post(f"{API}{path}", json=body)
    assert answer.status_code == status, answer.text
    return dict(answer.json())


@pytest.mark.parametrize("name", PRICED)
def test_every_model_prices_as_the_numerics_do(user: httpx.Client, name: str) -> None:
    contract, price_and_greeks, parameters = PRICED[name]
    arguments = {argument: value for argument, value in contract.items() if argument != "style"}
    expected = price_and_greeks(**arguments, **parameters)
    model = "black_scholes" if name == "american" else name
    shown = post(user, "/options/price", {**contract, **parameters, "model": model})
    # A process's own kernels may vectorise otherwise: the last bits differ.
    assert shown["price"] == pytest.approx(expected[0], rel=1e-12)
    assert [shown["greeks"][greek] for greek in GREEKS] == pytest.approx(list(expected[1:]), rel=1e-9)


def test_greeks_to_the_third_order_are_those_of_the_numerics(user: httpx.Client) -> None:
    body = {**CARRIED, "volatility": 0.3, "greeks": "all"}
    expected = black_scholes.greeks(**CARRIED, volatility=0.3, higher_orders=True)._asdict()
    assert post(user, "/options/price", body)["greeks"] == pytest.approx(expected, rel=1e-9)
    columns = {**CARRIED, "strike": [90.0, 100.0], "volatility": 0.3}
    shown = post(user, "/options/price/batch", {"columns": columns, "greeks": "all"})["columns"]
    assert [shown[name][1] for name in expected] == pytest.approx(list(expected.values()), rel=1e-9)
    refused = post(user, "/options/price", {**body, "style": "american"}, 422)
    assert refused["type"] == "/problems/unsupported-model"


def test_a_batch_of_american_options_is_priced_in_columns(user: httpx.Client) -> None:
    strikes = [90.0, 100.0, 110.0]
    columns = {**CARRIED, "strike": strikes, "volatility": 0.3}
    shown = post(user, "/options/price/batch", {"style": "american", "columns": columns})
    expected = american.price("put", 95.0, strikes, 0.75, 0.04, 0.01, 0.3)
    assert shown["columns"]["price"] == pytest.approx(list(np.asarray(expected)), rel=1e-12)


def test_an_american_price_has_its_volatility(user: httpx.Client) -> None:
    price = float(american.price(**CARRIED, volatility=0.3))
    body = {**CARRIED, "style": "american"}
    shown = post(user, "/options/implied-volatility", {**body, "price": price})
    assert shown["implied_volatility"] == pytest.approx(0.3, abs=1e-7)
    refused = post(user, "/options/implied-volatility", {**body, "price": 101.0}, 422)
    assert refused["type"] == "/problems/no-volatility"


def test_cash_dividends_lower_a_call_and_are_in_the_record(user: httpx.Client) -> None:
    dividends = [{"time": 0.25, "amount": 1.0}, {"time": 0.5, "amount": 1.5}]
    body = {**CONTRACT, "option_type": "call", "style": "american", "volatility": 0.3, "dividends": dividends}
    expected = american.price_and_greeks_with_dividends(
        "call", 95.0, 100.0, 0.75, 0.04, 0.0, 0.3, dividend_times=[0.25, 0.5], dividend_amounts=[1.0, 1.5]
    )
    shown = post(user, "/options/price", body)
    assert shown["price"] == pytest.approx(expected.price, rel=1e-12)
    assert [shown["greeks"][greek] for greek in GREEKS] == pytest.approx(list(expected[1:]), rel=1e-8)
    assert shown["price"] < float(american.price("call", 95.0, 100.0, 0.75, 0.04, 0.0, 0.3))
    wrong = post(user, "/options/price", {**body, "dividends": [{"time": 0.0, "amount": 1.0}]}, 422)
    assert [error["pointer"] for error in wrong["errors"]] == ["#/dividends/0/time"]


ASIAN = {
    "payoff": {"kind": "asian", "option_type": "call", "strike": 100.0},
    "spot": 100.0,
    "time_to_expiry": 1.0,
    "rate": 0.05,
    "volatility": 0.2,
    "steps": 32,
    "seed": 7,
}


def finished(user: httpx.Client, place: str) -> dict[str, Any]:
    deadline = time.monotonic() + 90.0
    while time.monotonic() < deadline:
        job = dict(user.get(place).json())
        if job["status"] not in {"queued", "running"}:
            return job
        time.sleep(0.1)
    pytest.fail(f"{place} did not end")


def test_a_simulation_is_answered_at_once_with_its_standard_error(user: httpx.Client) -> None:
    shown = post(user, "/options/monte-carlo", {**ASIAN, "paths": 8192})
    assert 0.0 < shown["standard_error"] < 0.01
    assert shown["control_variates"]
    european = float(black_scholes.price("call", 100.0, 100.0, 1.0, 0.05, 0.0, 0.2))
    # An average varies less than its end.
    assert 0.5 * european < shown["price"] < 0.65 * european
    assert post(user, "/options/monte-carlo", {**ASIAN, "paths": 8192}) == shown


def test_a_long_simulation_is_a_job_of_its_owner(user: httpx.Client, stranger: httpx.Client) -> None:
    at_once = post(user, "/options/monte-carlo", {**ASIAN, "paths": 8192})
    accepted = user.post(f"{API}/options/monte-carlo", json={**ASIAN, "paths": 1_000_000})
    assert accepted.status_code == 202, accepted.text
    place = accepted.headers["Location"]
    assert place == f"{API}/jobs/{accepted.json()['id']}"
    assert stranger.get(place).status_code == 404
    assert stranger.delete(place).status_code == 404
    job = finished(user, place)
    assert (job["status"], job["problem"]) == ("succeeded", None)
    found = job["result"]
    assert found.keys() == at_once.keys()
    assert found["standard_error"] < at_once["standard_error"]
    apart = abs(found["price"] - at_once["price"])
    assert apart < 5.0 * math.hypot(found["standard_error"], at_once["standard_error"])


@pytest.fixture(scope="module")
def spy(mesh: Mesh) -> dict[str, Any]:
    """The listed chain of SPY as quotes out of the money, at strikes that make the spot each expiry's forward."""
    with mesh.new_user() as user:
        answer = user.get(f"{API}/market/SPY/option-chain")
    assert answer.status_code == 200, answer.text
    chain = answer.json()
    quotes = [
        {
            "option_type": option["option_type"],
            "strike": option["strike"] * chain["spot"] / option["forward"],
            "time_to_expiry": option["time_to_expiry"],
            "implied_volatility": (option["bid_implied_volatility"] + option["ask_implied_volatility"]) / 2.0,
            "bid": option["bid_implied_volatility"],
            "ask": option["ask_implied_volatility"],
        }
        for option in chain["data"]
        if (option["option_type"] == "call") == (option["strike"] >= option["forward"])
        and option["bid_implied_volatility"]
        and option["ask_implied_volatility"]
    ]
    assert len(quotes) > 200
    return {"spot": chain["spot"], "quotes": quotes}


def test_heston_fits_the_chain_of_spy(user: httpx.Client, spy: dict[str, Any]) -> None:
    shown = post(user, "/options/calibrate", {**spy, "model": "heston"})
    assert shown["converged"]
    assert len(shown["residuals"]) == len(spy["quotes"])
    # Five parameters for the smiles of all expiries, in volatilities.
    assert shown["rmse"] < 0.03
    assert shown["parameters"]["rho"] < 0.0
    quote = max(range(len(spy["quotes"])), key=lambda row: spy["quotes"][row]["time_to_expiry"])
    asked = {name: spy["quotes"][quote][name] for name in ("option_type", "strike", "time_to_expiry")}
    priced = post(user, "/options/price", {**asked, "spot": spy["spot"], "model": "heston", **shown["parameters"]})
    volatility = post(user, "/options/implied-volatility", {**asked, "spot": spy["spot"], "price": priced["price"]})
    fitted = spy["quotes"][quote]["implied_volatility"] + shown["residuals"][quote]
    assert volatility["implied_volatility"] == pytest.approx(fitted, abs=1e-6)


def test_the_surface_of_spy_has_no_arbitrage_and_its_diffusion_reprices_it(
    user: httpx.Client, spy: dict[str, Any]
) -> None:
    strike, years = spy["spot"], max(quote["time_to_expiry"] for quote in spy["quotes"])
    point = {"strike": strike, "time_to_expiry": years}
    surface = post(user, "/options/surface", {**spy, "points": [point]})
    assert surface["rmse"] < 0.02
    assert min(surface["arbitrage"][kind]["value"] for kind in ("butterfly", "calendar")) >= 0.0
    local = post(user, "/options/local-volatility", {**spy, "options": [{"option_type": "call", **point}]})
    assert [len(row) for row in local["volatilities"]] == [len(local["spots"])] * len(local["times"])
    expected = black_scholes.price("call", strike, strike, years, 0.0, 0.0, surface["volatilities"][0])
    assert local["prices"][0] == pytest.approx(float(expected), rel=2e-3)


GROUPS = [
    {"name": "staples", "symbols": ["KO", "PG"], "maximum": 0.3},
    {"name": "technology", "symbols": ["AAPL", "MSFT"], "minimum": 0.25},
]


def test_weights_keep_to_their_groups(user: httpx.Client) -> None:
    body = {"objective": "minimum_variance", "symbols": SYMBOLS, "covariance": "ledoit_wolf"}
    free = post(user, "/risk/optimize", body)
    held = post(user, "/risk/optimize", {**body, "constraints": {"groups": GROUPS}})
    weights = held["weights"]
    assert sum(weights.values()) == pytest.approx(1.0, abs=1e-9)
    assert weights["KO"] + weights["PG"] <= 0.3 + 1e-9
    assert weights["AAPL"] + weights["MSFT"] >= 0.25 - 1e-9
    assert free["volatility"] < held["volatility"] <= held["benchmarks"]["equal_weight"]["volatility"]
    assert post(user, "/risk/optimize", {**body, "covariance": "sample"})["weights"] != free["weights"]


@pytest.mark.parametrize("path", ["/risk/optimize", "/risk/frontier"])
def test_what_no_weights_satisfy_is_answered_with_what_would_pass(user: httpx.Client, path: str) -> None:
    groups = [{**GROUPS[0], "minimum": 0.2}, {**GROUPS[1], "minimum": 0.9}]
    body: dict[str, Any] = {"symbols": SYMBOLS, "constraints": {"groups": groups}}
    if path.endswith("optimize"):
        body["objective"] = "minimum_variance"
    refused = post(user, path, body, 422)
    assert refused["type"] == "/problems/infeasible-constraints"
    post(user, path, body | refused["suggestion"])


def test_the_frontier_rises_and_passes_no_weights_that_are_better(user: httpx.Client) -> None:
    shown = post(user, "/risk/frontier", {"symbols": SYMBOLS, "points": 9, "constraints": {"groups": GROUPS}})
    volatilities = [point["volatility"] for point in shown["points"]]
    returns = [point["expected_return"] for point in shown["points"]]
    assert len(volatilities) == 9
    assert volatilities == sorted(volatilities)
    assert returns == sorted(returns)
    body = {"objective": "maximum_sharpe", "symbols": SYMBOLS, "constraints": {"groups": GROUPS}}
    best = post(user, "/risk/optimize", body)["sharpe"]
    assert max(point["sharpe"] for point in shown["points"]) <= best + 1e-9
