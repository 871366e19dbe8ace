"""American options by simulation: published values, finite differences, and bounds that enclose the truth."""

import math
from itertools import product
from typing import Any

import numpy as np
import pytest
import QuantLib as Ql

from quantmesh.quant import black_scholes
from quantmesh.quant.monte_carlo import American, GeometricBrownianMotion, Heston, LocalVolatility, price

# Longstaff and Schwartz (2001), table 1: strike 40, rate 6%, 50 dates a year. Their simulated values and errors.
TABLE = {
    (36, 0.2, 1): (4.472, 0.010),
    (36, 0.2, 2): (4.821, 0.012),
    (38, 0.4, 1): (6.139, 0.019),
    (40, 0.2, 1): (2.313, 0.009),
    (40, 0.4, 2): (6.921, 0.022),
    (42, 0.2, 1): (1.617, 0.007),
    (44, 0.2, 1): (1.118, 0.007),
    (44, 0.4, 1): (3.957, 0.017),
}


def bermudan(option_type: str, spot: float, strike: float, time: float, market: tuple[float, ...], dates: int) -> float:
    """By QuantLib's finite differences, with exercise on so many equally spaced dates and now."""
    rate, dividend_yield, volatility = market
    today = Ql.Date(2, 1, 2025)
    Ql.Settings.instance().evaluationDate = today
    days = Ql.Actual365Fixed()
    process = Ql.BlackScholesMertonProcess(
        Ql.QuoteHandle(Ql.SimpleQuote(spot)),
        Ql.YieldTermStructureHandle(Ql.FlatForward(today, dividend_yield, days)),
        Ql.YieldTermStructureHandle(Ql.FlatForward(today, rate, days)),
        Ql.BlackVolTermStructureHandle(Ql.BlackConstantVol(today, Ql.NullCalendar(), volatility, days)),
    )
    kind = Ql.Option.Call if option_type == "call" else Ql.Option.Put
    exercise = Ql.BermudanExercise([today + round(time * 365 * k / dates) for k in range(1, dates + 1)])
    option = Ql.VanillaOption(Ql.PlainVanillaPayoff(kind, strike), exercise)
    option.setPricingEngine(Ql.FdBlackScholesVanillaEngine(process, 400, 400))
    return float(option.NPV())


@pytest.mark.parametrize(("spot", "volatility", "years"), list(TABLE))
def test_bounds_enclose_the_values_of_longstaff_and_schwartz(spot: int, volatility: float, years: int) -> None:
    process = GeometricBrownianMotion(float(spot), 0.06, 0.0, volatility)
    result = price(American("put", 40.0, float(years)), process, paths=4_096, steps=50 * years, seed=1)
    published, error = TABLE[spot, volatility, years]
    assert result.value == pytest.approx(published, abs=3 * error)
    assert result.upper_bound is not None
    assert result.value < result.upper_bound.value < 1.015 * result.value
    assert result.standard_error < 0.2 * error
    assert result.upper_bound.standard_error < 0.2 * error
    assert result.control_variates == ("martingale",)


@pytest.mark.parametrize(("option_type", "sampler"), list(product(("call", "put"), ("sobol", "pseudo"))))
def test_bounds_enclose_the_price_by_finite_differences(option_type: Any, sampler: str) -> None:
    market = (0.04, 0.06, 0.3)
    exact = bermudan(option_type, 100.0, 105.0, 1.0, market, 20)
    process = GeometricBrownianMotion(100.0, *market)
    result = price(American(option_type, 105.0, 1.0), process, paths=8_192, steps=20, sampler=sampler, seed=2)
    assert result.upper_bound is not None
    assert result.value - 4 * result.standard_error - 1e-3 < exact
    assert exact < result.upper_bound.value + 4 * result.upper_bound.standard_error + 1e-3
    assert result.upper_bound.value - result.value < 0.01 * exact


def test_a_call_without_dividends_is_european() -> None:
    process = GeometricBrownianMotion(100.0, 0.05, 0.0, 0.25)
    result = price(American("call", 100.0, 1.0), process, paths=4_096, steps=12)
    exact = float(black_scholes.price("call", 100.0, 100.0, 1.0, 0.05, 0.0, 0.25))
    assert result.value == pytest.approx(exact, rel=2e-3)
    assert result.upper_bound is not None
    assert result.upper_bound.value == pytest.approx(exact, rel=5e-3)


def test_deep_in_the_money_a_put_is_exercised_now() -> None:
    result = price(American("put", 40.0, 1.0), GeometricBrownianMotion(20.0, 0.06, 0.0, 0.2), paths=1_024, steps=10)
    assert result.value == pytest.approx(20.0, abs=1e-12)
    assert result.standard_error < 1e-12
    assert result.upper_bound is not None
    assert result.upper_bound.value == pytest.approx(20.0, abs=1e-2)


@pytest.mark.parametrize("quiet", [{"volatility": 0.0}, {"time": 0.0}])
def test_without_volatility_or_time_the_best_certain_date_counts(quiet: dict[str, float]) -> None:
    process = GeometricBrownianMotion(100.0, 0.05, 0.0, quiet.get("volatility", 0.2))
    result = price(American("put", 110.0, quiet.get("time", 1.0)), process, paths=256, steps=4)
    assert result.value == pytest.approx(10.0, abs=1e-9)
    assert result.upper_bound is not None
    assert result.upper_bound.value == pytest.approx(10.0, abs=1e-9)


def test_flat_local_volatility_has_the_same_bounds() -> None:
    market: Any = {"paths": 4_096, "steps": 20, "seed": 3}
    flat = LocalVolatility(100.0, 0.05, 0.02, (0.0, 1.0), (50.0, 200.0), ((0.25, 0.25), (0.25, 0.25)))
    ours = price(American("put", 100.0, 1.0), flat, **market)
    same = price(American("put", 100.0, 1.0), GeometricBrownianMotion(100.0, 0.05, 0.02, 0.25), **market)
    assert ours.value == pytest.approx(same.value, abs=1e-9)


def test_heston_encloses_the_price_by_finite_differences() -> None:
    # Ikonen and Toivanen (2004): American puts under Heston, strike 10, a quarter of a year.
    published = {9.0: 1.1080, 11.0: 0.2143}
    for spot, exact in published.items():
        process = Heston(spot, 0.1, 0.0, v0=0.0625, kappa=5.0, theta=0.16, sigma=0.9, rho=0.1)
        result = price(American("put", 10.0, 0.25), process, paths=4_096, steps=32)
        assert result.upper_bound is not None
        assert result.value - 4 * result.standard_error < exact + 2e-3
        assert exact - 2e-3 < result.upper_bound.value + 4 * result.upper_bound.standard_error
        assert result.upper_bound.value - result.value < 0.03


def test_greeks_keep_the_policy() -> None:
    process = GeometricBrownianMotion(40.0, 0.06, 0.0, 0.2)
    found = price(American("put", 40.0, 1.0), process, paths=8_192, steps=25, seed=4).greeks

    def exact(spot: float, volatility: float = 0.2, rate: float = 0.06) -> float:
        return bermudan("put", spot, 40.0, 1.0, (rate, 0.0, volatility), 25)

    expected = {
        "delta": (exact(40.4) - exact(39.6)) / 0.8,
        "vega": (exact(40.0, 0.205) - exact(40.0, 0.195)) / 0.01,
        "rho": (exact(40.0, rate=0.065) - exact(40.0, rate=0.055)) / 0.01,
    }
    for name, value in expected.items():
        error = getattr(found.standard_errors, name)
        assert getattr(found, name) == pytest.approx(value, abs=4 * error + 0.02 * abs(value)), name
        assert error < 0.05 * abs(value)


def test_progress_covers_both_bounds() -> None:
    seen: list[float] = []
    process = GeometricBrownianMotion(40.0, 0.06, 0.0, 0.2)
    price(American("put", 40.0, 1.0), process, paths=64, steps=4, progress=seen.append)
    assert seen == sorted(seen)
    assert (seen[0], seen[-1]) == (0.5, 1.0)
    assert math.isclose(np.diff([0.0, *seen]).sum(), 1.0)
