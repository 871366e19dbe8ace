"""Heston's Greeks and parameter gradients against differences of its prices, Black-Scholes and limits."""

import math
from typing import Any

import numpy as np
import pytest

from quantmesh.quant import black_scholes, heston

EQUITY = {"v0": 0.04, "kappa": 2.0, "theta": 0.05, "sigma": 0.5, "rho": -0.7}
FELLER_VIOLATED = {"v0": 0.04, "kappa": 0.5, "theta": 0.04, "sigma": 1.0, "rho": -0.9}
GREEK_STRIKES = np.array([70.0, 100.0, 135.0])
GREEK_TIMES = np.array([[0.05], [1.0], [8.0]])
LAWS = [
    EQUITY,
    FELLER_VIOLATED,
    {"v0": 0.01, "kappa": 1.0, "theta": 0.09, "sigma": 0.3, "rho": 0.3},
    {**EQUITY, "kappa": 0.0},
    {**EQUITY, "sigma": 1e-3},
    {**EQUITY, "v0": 0.01, "rho": 0.9},
]


def by_difference(argument: str, width: float, option_type: str, parameters: dict[str, float]) -> Any:
    """The central difference of fourth order of the price."""
    base: dict[str, Any] = {
        "spot": 100.0,
        "strike": GREEK_STRIKES,
        "time_to_expiry": GREEK_TIMES,
        "rate": 0.03,
        "dividend_yield": 0.01,
        **parameters,
    }

    def moved(steps: int) -> Any:
        return heston.price(option_type, **{**base, argument: base[argument] + steps * width})

    return (8.0 * (moved(1) - moved(-1)) - (moved(2) - moved(-2))) / (12.0 * width)


@pytest.mark.parametrize("parameters", LAWS)
@pytest.mark.parametrize("option_type", ["call", "put"])
def test_greeks_are_the_slopes_of_the_price(option_type: str, parameters: dict[str, float]) -> None:
    contract = (100.0, GREEK_STRIKES, GREEK_TIMES, 0.03, 0.01)
    greeks = heston.greeks(option_type, *contract, **parameters)
    np.testing.assert_allclose(greeks.delta, by_difference("spot", 0.02, option_type, parameters), atol=1e-7)
    np.testing.assert_allclose(greeks.rho, by_difference("rate", 1e-4, option_type, parameters), rtol=1e-6, atol=1e-5)
    slope = by_difference("time_to_expiry", 1e-3, option_type, parameters)
    np.testing.assert_allclose(greeks.theta, -slope, rtol=2e-5, atol=2e-5)
    slope = by_difference("v0", 2e-4, option_type, parameters)
    vega = 2.0 * math.sqrt(parameters["v0"]) * slope
    np.testing.assert_allclose(greeks.vega, vega, rtol=1e-5, atol=1e-5)
    up, down = (
        np.asarray(heston.greeks(option_type, 100.0 + shift, *contract[1:], **parameters).delta)
        for shift in (0.01, -0.01)
    )
    np.testing.assert_allclose(greeks.gamma, (up - down) / 0.02, rtol=1e-4, atol=1e-8)


@pytest.mark.parametrize("parameters", LAWS)
def test_parameter_gradients_are_the_slopes_of_the_price(parameters: dict[str, float]) -> None:
    gradients = heston.parameter_gradients("put", 100.0, GREEK_STRIKES, GREEK_TIMES, 0.03, 0.01, **parameters)
    for name, width in (("v0", 2e-4), ("kappa", 1e-2), ("theta", 1e-3), ("sigma", 2e-4), ("rho", 1e-3)):
        if name == "kappa" and parameters["kappa"] == 0.0:
            continue  # kappa has no other side of zero
        slope = by_difference(name, width, "put", parameters)
        np.testing.assert_allclose(getattr(gradients, name), slope, rtol=1e-5, atol=1e-5, err_msg=name)


def test_at_zero_volatility_of_variance_gradients_are_finite_and_those_nearby() -> None:
    contract = (100.0, GREEK_STRIKES, GREEK_TIMES, 0.03, 0.01)
    at, nearby = (heston.parameter_gradients("call", *contract, **{**EQUITY, "sigma": sigma}) for sigma in (0.0, 1e-6))
    for name in at._fields:
        np.testing.assert_allclose(getattr(at, name), getattr(nearby, name), rtol=1e-4, atol=1e-4, err_msg=name)


def test_vega_is_that_of_black_scholes_where_variance_stands_still() -> None:
    still = {"v0": 0.04, "kappa": 0.0, "theta": 0.0, "sigma": 0.0, "rho": 0.0}
    contract = (100.0, GREEK_STRIKES, GREEK_TIMES, 0.03, 0.01)
    ours = heston.greeks("put", *contract, **still)
    exact = black_scholes.greeks("put", *contract, 0.2)
    for name in exact._fields:
        np.testing.assert_allclose(getattr(ours, name), getattr(exact, name), rtol=1e-9, atol=1e-8, err_msg=name)


def test_greeks_of_what_is_certain_are_those_of_the_intrinsic_value() -> None:
    greeks = heston.greeks("put", 100.0, [90.0, 100.0, 110.0], 0.0, 0.03, 0.01, **EQUITY)
    np.testing.assert_array_equal(greeks.delta, [0.0, -0.5, -1.0])
    np.testing.assert_array_equal(greeks.gamma, [0.0, math.inf, 0.0])
    np.testing.assert_array_equal(greeks.vega, [0.0, 0.0, 0.0])
