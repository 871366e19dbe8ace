"""Simulated Greeks against closed forms and their differences, within their own standard errors."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from quantmesh.quant import black_scholes, heston
from quantmesh.quant.exotics import barriers, geometric_averages, two_assets
from quantmesh.quant.monte_carlo import (
    Asian,
    Barrier,
    BestOf,
    CorrelatedAssets,
    Digital,
    European,
    GeometricBrownianMotion,
    Heston,
    Lookback,
    price,
)

MARKET = {"spot": 100.0, "time": 1.0, "rate": 0.05, "dividend_yield": 0.02, "volatility": 0.25}
PROCESS = GeometricBrownianMotion(100.0, 0.05, 0.02, 0.25)
NAMES = ("delta", "gamma", "vega", "theta", "rho")


def differences(value: Callable[..., Any]) -> dict[str, float]:
    """Central differences of a closed form."""

    def at(**moved: float) -> float:
        return float(value(**(MARKET | {name: MARKET[name] + by for name, by in moved.items()})))

    h = 1e-4
    return {
        "delta": (at(spot=100 * h) - at(spot=-100 * h)) / (200 * h),
        "gamma": (at(spot=1.0) - 2 * at() + at(spot=-1.0)),
        "vega": (at(volatility=h) - at(volatility=-h)) / (2 * h),
        "theta": (at(time=-h) - at(time=h)) / (2 * h),
        "rho": (at(rate=h) - at(rate=-h)) / (2 * h),
    }


def assert_greeks(found: Any, expected: dict[str, float]) -> None:
    """Within four standard errors and the bias of a difference, and errors small enough to mean something."""
    for name, value in expected.items():
        error = getattr(found.standard_errors, name)
        assert getattr(found, name) == pytest.approx(value, abs=4 * error + 5e-3 * abs(value) + 1e-6), name
        assert error < 0.1 * abs(value) + 1e-3, name


@pytest.mark.parametrize("sampler", ["sobol", "pseudo"])
@pytest.mark.parametrize("option_type", ["call", "put"])
def test_european_greeks_agree_with_black_scholes(option_type: Any, sampler: str) -> None:
    found = price(European(option_type, 105.0, 1.0), PROCESS, paths=32_768, steps=4, sampler=sampler, seed=1).greeks
    exact = black_scholes.greeks(option_type, 100.0, 105.0, 1.0, 0.05, 0.02, 0.25)
    assert_greeks(found, {name: float(getattr(exact, name)) for name in NAMES})


def test_greeks_of_barriers_agree_with_differences_of_their_closed_form() -> None:
    def value(spot: float, time: float, rate: float, dividend_yield: float, volatility: float) -> Any:
        return barriers.price("put", "down_and_in", spot, 102.0, 88.0, 1.0, time, rate, dividend_yield, volatility)

    payoff = Barrier("put", "down_and_in", 102.0, 88.0, 1.0, 1.0)
    found = price(payoff, PROCESS, paths=32_768, steps=12, seed=2).greeks
    assert_greeks(found, differences(value))


def test_theta_lets_the_dates_stay_while_time_passes() -> None:
    # One calendar hour later, every date of a geometric average is an hour nearer: its law, by hand.
    def value(spot: float, time: float, rate: float, dividend_yield: float, volatility: float) -> float:
        dates = np.arange(1, 5) / 4 + (time - 1.0)
        mean = np.log(spot) + (rate - dividend_yield - 0.5 * volatility**2) * dates.mean()
        variance = volatility**2 * np.minimum.outer(dates, dates).mean()
        forward = np.exp(mean + 0.5 * variance)
        return float(np.exp(-rate * time) * black_scholes.price("call", forward, 100.0, 1.0, 0, 0, variance**0.5))

    assert value(**MARKET) == pytest.approx(geometric_averages.discrete("call", 100.0, 100.0, 4, 1, 0.05, 0.02, 0.25))
    payoff = Asian("call", 100.0, 1.0, "geometric", 4)
    found = price(payoff, PROCESS, paths=65_536, steps=16, seed=3).greeks
    assert_greeks(found, differences(value))


def test_greeks_of_discontinuous_payoffs_say_how_uncertain_they_are() -> None:
    found = price(Digital("call", 100.0, 1.0, 10.0), PROCESS, paths=65_536, steps=1, seed=4).greeks
    exact = differences(
        lambda spot, time, rate, dividend_yield, volatility: (
            10.0
            * (
                black_scholes.price("call", spot, 99.999, time, rate, dividend_yield, volatility)
                - black_scholes.price("call", spot, 100.001, time, rate, dividend_yield, volatility)
            )
            / 0.002
        )
    )
    assert_greeks(found, {name: exact[name] for name in ("delta", "vega", "theta", "rho")})


def test_a_fresh_floating_lookback_is_proportional_to_the_spot() -> None:
    result = price(Lookback("call", 1.0), PROCESS, paths=8_192, steps=8)
    assert result.greeks.delta == pytest.approx(result.value / 100.0, rel=1e-3)
    assert result.greeks.gamma == pytest.approx(0.0, abs=1e-6)


def test_several_assets_have_a_greek_each() -> None:
    pair = CorrelatedAssets((105.0, 100.0), 0.04, (0.01, 0.03), (0.3, 0.2), ((1.0, 0.5), (0.5, 1.0)))
    found = price(BestOf("call", 98.0, 1.0), pair, paths=32_768, steps=2, seed=5).greeks

    def value(s1: float = 105.0, s2: float = 100.0, v1: float = 0.3, v2: float = 0.2) -> float:
        return float(two_assets.best_of("call", s1, s2, 98.0, 1.0, 0.04, 0.01, 0.03, v1, v2, 0.5))

    expected = {
        "delta": ((value(s1=105.1) - value(s1=104.9)) / 0.2, (value(s2=100.1) - value(s2=99.9)) / 0.2),
        "gamma": (value(s1=106) - 2 * value() + value(s1=104), value(s2=101) - 2 * value() + value(s2=99)),
        "vega": ((value(v1=0.301) - value(v1=0.299)) / 0.002, (value(v2=0.201) - value(v2=0.199)) / 0.002),
    }
    for name, pair_of_values in expected.items():
        for ours, exact, error in zip(
            getattr(found, name), pair_of_values, getattr(found.standard_errors, name), strict=True
        ):
            assert ours == pytest.approx(exact, abs=4 * error + 0.01 * abs(exact)), name


def test_heston_greeks_agree_with_the_semi_analytic_ones() -> None:
    parameters: Any = {"v0": 0.04, "kappa": 1.5, "theta": 0.06, "sigma": 0.5, "rho": -0.7}
    found = price(European("call", 100.0, 1.0), Heston(100.0, 0.03, 0.01, **parameters), paths=65_536, steps=24).greeks
    exact = heston.greeks("call", 100.0, 100.0, 1.0, 0.03, 0.01, **parameters)
    for name in ("delta", "vega", "rho"):
        error = getattr(found.standard_errors, name)
        value = float(getattr(exact, name))
        assert getattr(found, name) == pytest.approx(value, abs=4 * error + 0.02 * abs(value)), name


def test_without_volatility_vega_looks_upwards_only() -> None:
    process = GeometricBrownianMotion(100.0, 0.0, 0.0, 0.0)
    greeks = price(European("call", 100.0, 1.0), process, paths=4_096, steps=1).greeks
    assert greeks.vega == pytest.approx(100 / np.sqrt(2 * np.pi), rel=0.01)


def test_without_time_theta_is_zero() -> None:
    greeks = price(European("call", 90.0, 0.0), PROCESS, paths=64, steps=1).greeks
    assert greeks.theta == 0.0
    assert greeks.delta == pytest.approx(1.0)
