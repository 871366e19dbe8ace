"""Fits that recover what made the quotes, real quotes, bounds, intervals, and what is wrong with a problem."""

import gzip
import json
import math
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quantmesh.quant import bates, black_scholes, heston, sabr
from quantmesh.quant._calibration_least_squares import least_squares
from quantmesh.quant._calibration_models import MODELS
from quantmesh.quant.calibration import Quotes, calibrate
from quantmesh.quant.errors import DomainError

HESTON = {"v0": 0.04, "kappa": 2.0, "theta": 0.06, "sigma": 0.6, "rho": -0.7}
JUMPS = {"jump_intensity": 0.5, "jump_mean": -0.1, "jump_volatility": 0.12}
TIMES = np.repeat([0.08, 0.25, 0.5, 1.0, 2.0], 9)
STRIKES = np.tile(np.linspace(70.0, 130.0, 9), 5)
CONTRACT: dict[str, Any] = {
    "option_type": np.where(STRIKES < 100.0, "put", "call"),
    "spot": 100.0,
    "strike": STRIKES,
    "time_to_expiry": TIMES,
    "rate": 0.03,
    "dividend_yield": 0.01,
}


def heston_quotes(**more: Any) -> Quotes:
    return Quotes(**CONTRACT, price=heston.price(**CONTRACT, **HESTON), **more)


def spy_quotes() -> Quotes:
    """427 quotes of SPY in four expiries, 2022-07-15."""
    chain = json.loads(gzip.decompress((Path(__file__).parent / "data/spy_option_chain.json.gz").read_bytes()))
    now = datetime.fromisoformat(chain["time"])
    rows: list[tuple[Any, ...]] = []
    for expiry in chain["expiries"]:
        years = (datetime.fromisoformat(expiry["expiry"]) - now).total_seconds() / (365 * 86_400)
        common = (expiry["forward"], expiry["discount_factor"], years)
        # Its volatilities are for its own count of days, to the same variance.
        stretch = math.sqrt(expiry["ttm_360"] / years)
        for kind, strike, bid, ask in zip(
            expiry["types"], expiry["strikes"], expiry["bid"], expiry["ask"], strict=True
        ):
            rows.append(("call" if kind == "C" else "put", *common, strike, stretch * bid, stretch * ask))
    kinds, forward, factor, time, strikes, bids, asks = (np.array(column) for column in zip(*rows, strict=True))
    middle = 0.5 * (bids + asks)
    return Quotes.from_forwards(kinds, forward, factor, strikes, time, implied_volatility=middle, bid=bids, ask=asks)


@pytest.mark.parametrize("starts", [1, 3])
def test_heston_quotes_give_back_their_parameters(starts: int) -> None:
    fit = calibrate("heston", heston_quotes(), starts=starts)
    assert fit.converged
    assert fit.parameters == pytest.approx(HESTON, rel=1e-6)
    assert fit.rmse < 1e-7
    assert fit.binding == ()
    assert fit.seconds > 0.0


def test_bates_quotes_give_back_their_parameters() -> None:
    law = {**HESTON, **JUMPS}
    fit = calibrate("bates", Quotes(**CONTRACT, price=bates.price(**CONTRACT, **law)), starts=3)
    assert fit.parameters == pytest.approx(law, rel=1e-3)
    assert fit.price_rmse < 1e-6


def test_a_flat_volatility_is_found_from_prices_and_from_volatilities() -> None:
    price = black_scholes.price(**CONTRACT, volatility=0.23)
    for quotes in (Quotes(**CONTRACT, price=price), Quotes(**CONTRACT, implied_volatility=0.23)):
        assert calibrate("black_scholes", quotes).parameters["volatility"] == pytest.approx(0.23, rel=1e-12)


def test_the_chain_of_spy_is_fitted_and_repriced() -> None:
    quotes = spy_quotes()
    flat, stochastic, jumping = (calibrate(model, quotes) for model in ("black_scholes", "heston", "bates"))
    assert flat.rmse > 0.04
    assert stochastic.rmse < 0.0031
    assert jumping.rmse < 0.0027
    repriced = np.asarray(heston.price(*quotes.contract, **stochastic.parameters))
    np.testing.assert_allclose(repriced - quotes.price, stochastic.price_residuals, rtol=0, atol=1e-12)
    volatility = np.asarray(black_scholes.implied_volatility(repriced, *quotes.contract))
    np.testing.assert_allclose(volatility - quotes.implied_volatility, stochastic.residuals, rtol=0, atol=1e-9)
    assert stochastic.rmse == pytest.approx(math.sqrt(np.mean(stochastic.residuals**2)))


def test_the_fit_is_a_least_sum_of_squares() -> None:
    """No step along any parameter betters it."""
    quotes = spy_quotes()
    fit = calibrate("heston", quotes, weights="equal")
    assert fit.price_rmse == pytest.approx(math.sqrt(np.mean(fit.price_residuals**2)))
    for name, value in fit.parameters.items():
        for factor in (0.999, 1.001):
            moved = heston.price(*quotes.contract, **{**fit.parameters, name: factor * value})
            assert np.sum((moved - quotes.price) ** 2) > np.sum(fit.price_residuals**2)


def test_gradients_of_every_model_are_the_slopes_of_its_prices() -> None:
    quotes = Quotes(
        **{name: np.ravel(value)[:9] if np.ndim(value) else value for name, value in CONTRACT.items()},
        implied_volatility=0.2,
    )
    for name, model in MODELS.items():
        point = 0.9 * model.guess(quotes, {})
        gradient = model.evaluate(quotes, point)[1]
        for index, parameter in enumerate(model.parameters):
            width = np.zeros(point.size)
            width[index] = 1e-4
            up, down = (model.evaluate(quotes, point + side * width)[0] for side in (1, -1))
            np.testing.assert_allclose(
                gradient[index], (up - down) / 2e-4, rtol=1e-4, atol=1e-4, err_msg=f"{name} {parameter.name}"
            )


def test_fixed_parameters_stay_and_bounds_hold() -> None:
    fit = calibrate("heston", heston_quotes(), fixed={"kappa": 1.0}, bounds={"rho": (-0.5, 0.5)})
    assert fit.parameters["kappa"] == 1.0
    assert fit.parameters["rho"] == -0.5
    assert fit.binding == ("rho",)
    assert set(fit.intervals) == {"v0", "theta", "sigma"}
    assert fit.rmse > 1e-3


def test_intervals_cover_the_truth_as_often_as_they_say() -> None:
    """One volatility and 200 noisy quotes, 200 times: 90 % intervals cover between 84 and 96 % of them."""
    generator = np.random.default_rng(11)
    contract: dict[str, Any] = {**CONTRACT, "option_type": "call", "strike": 100.0, "time_to_expiry": 0.5}
    covered = 0
    for _ in range(200):
        quotes = Quotes(**contract, implied_volatility=0.2 + 0.01 * generator.standard_normal(200))
        interval = calibrate("black_scholes", quotes, starts=1, confidence=0.9).intervals["volatility"]
        covered += interval.lower <= 0.2 <= interval.upper
    assert 168 <= covered <= 192


def test_weights_decide_between_quotes_that_disagree() -> None:
    quotes = Quotes(
        **{**CONTRACT, "option_type": "call", "strike": [100.0, 100.0], "time_to_expiry": 1.0},
        implied_volatility=[0.2, 0.3],
        bid=[0.199, 0.2],
        ask=[0.201, 0.4],
    )
    tight = calibrate("black_scholes", quotes).parameters["volatility"]
    assert tight == pytest.approx(0.2, abs=1e-3)
    even = calibrate("black_scholes", quotes, weights="equal").parameters["volatility"]
    assert even == pytest.approx(0.25, abs=1e-3)
    second = calibrate("black_scholes", quotes, weights=[0.0, 1.0]).parameters["volatility"]
    assert second == pytest.approx(0.3, abs=1e-9)


def test_a_smile_of_sabr_gives_back_its_parameters() -> None:
    strikes = np.linspace(60.0, 160.0, 15)
    contract = {**CONTRACT, "option_type": "call", "strike": strikes, "time_to_expiry": 1.5}
    law = {"alpha": 2.4, "beta": 0.5, "rho": -0.35, "nu": 0.6}
    smile = sabr.implied_volatility(100.0 * math.exp(0.02 * 1.5), strikes, 1.5, **law)
    quotes = Quotes(**contract, implied_volatility=smile)
    fit = calibrate("sabr", quotes)
    assert fit.parameters == pytest.approx(law, rel=1e-6)
    assert "beta" not in fit.intervals
    freed = calibrate("sabr", quotes, fixed={"beta": None, "nu": 0.6})
    assert freed.parameters == pytest.approx(law, rel=1e-3)


def test_a_model_of_one_expiry_refuses_several() -> None:
    with pytest.raises(DomainError, match=r"time_to_expiry\[9\].*one expiry at a time"):
        calibrate("sabr", heston_quotes())


def test_quotes_without_a_spread_cannot_be_weighted_by_it() -> None:
    quotes = Quotes(**CONTRACT, implied_volatility=0.2, bid=0.2, ask=0.2)
    with pytest.raises(DomainError, match="no spread"):
        calibrate("black_scholes", quotes)
    assert calibrate("black_scholes", quotes, weights="vega").rmse < 1e-12


def test_the_same_seed_gives_the_same_fit() -> None:
    first, second = (calibrate("heston", spy_quotes(), starts=3, seed=4) for _ in range(2))
    assert first.parameters == second.parameters


def test_least_squares_meet_rosenbrock_within_bounds_and_without() -> None:
    def rosenbrock(point: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        x, y = point
        return np.array([10.0 * (y - x * x), 1.0 - x]), np.array([[-20.0 * x, 10.0], [-1.0, 0.0]])

    wide = least_squares(rosenbrock, np.array([-1.2, 1.0]), np.array([-5.0, -5.0]), np.array([5.0, 5.0]), 200)
    assert wide.converged
    np.testing.assert_allclose(wide.point, [1.0, 1.0], rtol=1e-9)
    # On x <= 0.5 the best is x = 0.5, y = x^2.
    narrow = least_squares(rosenbrock, np.array([-1.2, 1.0]), np.array([-5.0, -5.0]), np.array([0.5, 5.0]), 200)
    assert narrow.converged
    np.testing.assert_allclose(narrow.point, [0.5, 0.25], rtol=1e-9)
    assert not least_squares(rosenbrock, np.array([-1.2, 1.0]), wide.point - 9.0, wide.point + 9.0, 3).converged


def test_fewer_quotes_than_parameters_are_refused() -> None:
    few = Quotes(
        **{**CONTRACT, "option_type": "call", "strike": [90.0, 100.0], "time_to_expiry": 1.0}, price=[15.0, 9.0]
    )
    with pytest.raises(DomainError, match="at least 5 quotes"):
        calibrate("heston", few)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weights": "bid_ask"}, "bid and ask"),
        ({"weights": "volume"}, "weights"),
        ({"weights": -1.0}, r"weights\[0\]"),
        ({"fixed": {"speed": 1.0}}, "speed"),
        ({"start": {"speed": 1.0}}, "speed"),
        ({"bounds": {"rho": (-2.0, 0.0)}}, "bounds of rho"),
        ({"confidence": 1.0}, "confidence"),
        ({"weights": 0.0}, "weights must be positive for some quote"),
        ({"starts": 0}, "starts must be at least 1"),
        ({"starts": 5, "samples": 3}, "samples must be at least 4"),
        ({"iterations": 0}, "iterations"),
    ],
)
def test_a_wrong_option_is_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(DomainError, match=message):
        calibrate("heston", heston_quotes(), **options)


def test_an_unknown_model_is_refused_with_those_there_are() -> None:
    with pytest.raises(DomainError, match="bates, black_scholes, heston, sabr"):
        calibrate("hull_white", heston_quotes())


@pytest.mark.parametrize(
    ("quoted", "message"),
    [
        ({}, "price or as implied_volatility"),
        ({"price": 10.0, "implied_volatility": 0.2}, "price or as implied_volatility"),
        ({"price": 10.0, "bid": 9.0}, "ask must be given"),
        ({"implied_volatility": 0.2, "bid": 0.21, "ask": 0.19}, r"ask\[0\] must be at least the bid"),
        ({"implied_volatility": [0.2, math.nan]}, r"implied_volatility\[1\]"),
        ({"price": [30.0, 1.0]}, r"price\[1\] must be at least the discounted intrinsic"),
        ({"price": [30.0, 20.0, 25.0]}, "strike must be"),
        ({"price": 30.0, "option_type": ["call"] * 3}, "option_type must be one value, or 2 rows"),
        ({"price": [30.0, 120.0]}, r"price\[1\] must be below"),
    ],
)
def test_what_is_no_quote_is_refused_with_its_row(quoted: dict[str, Any], message: str) -> None:
    contract = {**CONTRACT, "option_type": "call", "strike": [80.0, 80.0], "time_to_expiry": 1.0}
    with pytest.raises(DomainError, match=message):
        Quotes(**{**contract, **quoted})


def test_quotes_on_forwards_are_those_on_the_spot() -> None:
    forward, factor = 100.0 * math.exp(0.02), math.exp(-0.03)
    ours = Quotes.from_forwards("put", forward, factor, [90.0, 105.0], 1.0, implied_volatility=[0.25, 0.2])
    exact = black_scholes.price("put", 100.0, [90.0, 105.0], 1.0, 0.03, 0.01, [0.25, 0.2])
    np.testing.assert_allclose(ours.price, exact, rtol=1e-13)
    np.testing.assert_allclose(ours.forward, forward, rtol=1e-15)
    for forward, factor, time, name in (
        (0.0, 1.0, 1.0, "forward"),
        (1.0, 0.0, 1.0, "discount_factor"),
        (1.0, 1.0, 0.0, "time"),
    ):
        with pytest.raises(DomainError, match=name):
            Quotes.from_forwards("put", forward, factor, 90.0, time, implied_volatility=0.2)
