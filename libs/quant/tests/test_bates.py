"""Bates prices against QuantLib, Heston without jumps, Merton's series without volatility of variance, differences."""

import math
from typing import Any

import numpy as np
import pytest
import QuantLib

from quantmesh.quant import bates, black_scholes, heston
from quantmesh.quant.errors import DomainError

DIFFUSION = {"v0": 0.04, "kappa": 1.5, "theta": 0.05, "sigma": 0.6, "rho": -0.6}
JUMPS = {"jump_intensity": 0.8, "jump_mean": -0.12, "jump_volatility": 0.15}
LAW = {**DIFFUSION, **JUMPS}
STRIKES = np.array([60.0, 85.0, 100.0, 115.0, 160.0])
DAYS = np.array([7, 91, 730])
CONTRACT = (100.0, STRIKES, DAYS[:, None] / 365, 0.03, 0.01)


def quantlib_calls() -> np.ndarray:
    today = QuantLib.Date(2, 1, 2025)
    QuantLib.Settings.instance().evaluationDate = today
    curves = [
        QuantLib.YieldTermStructureHandle(QuantLib.FlatForward(today, level, QuantLib.Actual365Fixed()))
        for level in (0.03, 0.01)
    ]
    spot = QuantLib.QuoteHandle(QuantLib.SimpleQuote(100.0))
    model = QuantLib.BatesModel(QuantLib.BatesProcess(*curves, spot, *DIFFUSION.values(), *JUMPS.values()))
    engine = QuantLib.BatesEngine(model, 1e-11, 100_000)
    prices = []
    for days in DAYS:
        for strike in STRIKES:
            payoff = QuantLib.PlainVanillaPayoff(QuantLib.Option.Call, float(strike))
            option = QuantLib.VanillaOption(payoff, QuantLib.EuropeanExercise(today + int(days)))
            option.setPricingEngine(engine)
            prices.append(option.NPV())
    return np.array(prices).reshape(DAYS.size, STRIKES.size)


def test_prices_match_quantlib() -> None:
    ours = bates.price("call", *CONTRACT, **LAW)
    np.testing.assert_allclose(ours, quantlib_calls(), rtol=0, atol=1e-9)


def test_without_jumps_it_is_heston() -> None:
    for none in ({"jump_intensity": 0.0}, {"jump_mean": 0.0, "jump_volatility": 0.0}):
        ours = bates.price("put", *CONTRACT, **{**LAW, **none})
        np.testing.assert_allclose(ours, heston.price("put", *CONTRACT, **DIFFUSION), rtol=0, atol=1e-11)


@pytest.mark.parametrize(
    "jumps",
    [
        JUMPS,
        # Of one size, and so many that the characteristic function falls to nothing and rises again.
        {"jump_intensity": 60.0, "jump_mean": -0.1, "jump_volatility": 0.0},
        {"jump_intensity": 3.0, "jump_mean": 0.0, "jump_volatility": 0.4},
    ],
)
def test_with_constant_variance_it_is_the_series_of_merton(jumps: dict[str, float]) -> None:
    """Merton (1976), equation 19: Black-Scholes prices averaged over the number of jumps."""
    constant = {"v0": 0.01, "kappa": 0.0, "theta": 0.04, "sigma": 0.0, "rho": 0.3}
    spot, strike, time, rate, dividend_yield = CONTRACT
    intensity, mean, deviation = jumps.values()
    growth = math.exp(mean + 0.5 * deviation**2)
    exact = np.zeros((DAYS.size, STRIKES.size))
    for count in range(170):
        chance = np.exp(count * np.log(intensity * time) - intensity * time - math.lgamma(count + 1.0))
        volatility = np.sqrt(0.01 + count * deviation**2 / time)
        yield_ = dividend_yield + intensity * (growth - 1.0) - count * math.log(growth) / time
        exact += chance * np.asarray(black_scholes.price("call", spot, strike, time, rate, yield_, volatility))
    ours = bates.price("call", *CONTRACT, **{**constant, **jumps})
    np.testing.assert_allclose(ours, exact, rtol=0, atol=1e-10)


def by_difference(argument: str, width: float) -> Any:
    base: dict[str, Any] = {
        **dict(zip(("spot", "strike", "time_to_expiry", "rate", "dividend_yield"), CONTRACT, strict=True)),
        **LAW,
    }

    def moved(steps: int) -> Any:
        return bates.price("call", **{**base, argument: base[argument] + steps * width})

    return (8.0 * (moved(1) - moved(-1)) - (moved(2) - moved(-2))) / (12.0 * width)


def test_greeks_and_gradients_are_the_slopes_of_the_price() -> None:
    greeks = bates.greeks("call", *CONTRACT, **LAW)
    for slope, argument, width in (
        (greeks.delta, "spot", 0.05),
        (greeks.rho, "rate", 1e-3),
        (-np.asarray(greeks.theta), "time_to_expiry", 5e-4),
        (np.asarray(greeks.vega) / 0.4, "v0", 2e-4),
    ):
        np.testing.assert_allclose(slope, by_difference(argument, width), rtol=3e-6, atol=3e-6, err_msg=argument)
    gradients = bates.parameter_gradients("call", *CONTRACT, **LAW)
    for name, slope in gradients._asdict().items():
        np.testing.assert_allclose(slope, by_difference(name, 5e-4), rtol=2e-5, atol=2e-6, err_msg=name)


def test_calls_and_puts_are_in_parity() -> None:
    call, put = (np.asarray(bates.price(kind, *CONTRACT, **LAW)) for kind in ("call", "put"))
    _, strike, time, rate, dividend_yield = CONTRACT
    parity = 100.0 * np.exp(-dividend_yield * time) - strike * np.exp(-rate * time)
    np.testing.assert_allclose(call - put, parity, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("argument", "value"), [("jump_intensity", -1.0), ("jump_mean", 20.0), ("jump_volatility", -0.1)]
)
def test_a_parameter_of_the_jumps_outside_its_domain_is_named(argument: str, value: float) -> None:
    with pytest.raises(DomainError, match=argument):
        bates.price("call", 100.0, 100.0, 1.0, 0.02, 0.0, **{**LAW, argument: value})
