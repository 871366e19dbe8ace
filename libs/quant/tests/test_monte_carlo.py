"""Simulated prices against closed forms and QuantLib, within their own standard errors, under fixed seeds."""

import math
from itertools import product
from typing import Any

import numpy as np
import pytest

from quantmesh.quant import black_76, black_scholes, heston, local_volatility, svi
from quantmesh.quant.exotics import barriers, digitals, forward_starts, geometric_averages, lookbacks, two_assets
from quantmesh.quant.monte_carlo import (
    Asian,
    Autocallable,
    Barrier,
    Basket,
    BestOf,
    Cliquet,
    CorrelatedAssets,
    Digital,
    DoubleBarrier,
    European,
    GeometricBrownianMotion,
    Heston,
    LocalVolatility,
    Lookback,
    PiecewiseConstant,
    Result,
    Spread,
    WorstOf,
    price,
)

MARKET = (1.0, 0.05, 0.02, 0.25)
PROCESS = GeometricBrownianMotion(100.0, 0.05, 0.02, 0.25)
PAIR = CorrelatedAssets((105.0, 100.0), 0.04, (0.01, 0.03), (0.3, 0.2), ((1.0, 0.5), (0.5, 1.0)))
PAIR_MARKET = (1.0, 0.04, 0.01, 0.03, 0.3, 0.2, 0.5)
SAMPLERS = ("sobol", "pseudo")


def deviations(result: Result, exact: Any) -> float:
    """How many standard errors the value is off."""
    return abs(result.value - float(exact)) / result.standard_error


def assert_agrees(payoff: Any, process: Any, exact: Any, *, steps: int = 16, bias: float = 0.0) -> None:
    """Within four standard errors, and errors small enough to mean something."""
    for sampler in SAMPLERS:
        result = price(payoff, process, paths=8_192, steps=steps, sampler=sampler, seed=7)
        assert abs(result.value - float(exact)) < 4 * result.standard_error + bias, (payoff, result, exact)
        assert result.standard_error < 0.02 * abs(float(exact)) + 0.05, (payoff, result)


@pytest.mark.parametrize(("option_type", "strike"), list(product(("call", "put"), (80.0, 100.0, 125.0))))
def test_european_and_digital_options_agree_with_their_closed_forms(option_type: Any, strike: float) -> None:
    assert_agrees(European(option_type, strike, 1.0), PROCESS, black_scholes.price(option_type, 100.0, strike, *MARKET))
    cash = digitals.cash_or_nothing(option_type, 100.0, strike, 7.0, *MARKET)
    assert_agrees(Digital(option_type, strike, 1.0, 7.0), PROCESS, cash)
    asset = digitals.asset_or_nothing(option_type, 100.0, strike, *MARKET)
    assert_agrees(Digital(option_type, strike, 1.0, settlement="asset"), PROCESS, asset)


@pytest.mark.parametrize("option_type", ["call", "put"])
def test_geometric_averages_agree_with_their_closed_form(option_type: Any) -> None:
    for observations in (None, 4):
        exact = geometric_averages.discrete(option_type, 100.0, 98.0, observations or 16, *MARKET)
        assert_agrees(Asian(option_type, 98.0, 1.0, "geometric", observations), PROCESS, exact)


def test_arithmetic_averages_of_two_dates_agree_with_an_integral() -> None:
    # Given the first spot the second is lognormal: one integral of Black and Scholes prices, by Gauss and Hermite.
    nodes, masses = np.polynomial.hermite_e.hermegauss(120)
    first = 100.0 * np.exp((0.03 - 0.03125) * 0.5 + 0.25 * math.sqrt(0.5) * nodes)
    later = black_scholes.price("put", first, np.maximum(2 * 101.0 - first, 0.0), 0.5, 0.05, 0.02, 0.25)
    exact = 0.5 * math.exp(-0.025) * np.sum(later * masses) / math.sqrt(2 * math.pi)
    assert_agrees(Asian("put", 101.0, 1.0, observations=2), PROCESS, exact)


@pytest.mark.parametrize(("spot", "published"), [(1.9, 0.193174), (2.0, 0.246416), (2.1, 0.306220)])
def test_arithmetic_averages_approach_the_published_continuous_ones(spot: float, published: float) -> None:
    # Fu, Madan and Wang (1999), "Pricing continuous Asian options", table 1, by Laplace inversion: r 5%, volatility
    # 50%, strike 2, one year. The average over n dates is off by the first order of 1/n, which extrapolation removes.
    process = GeometricBrownianMotion(spot, 0.05, 0.0, 0.5)
    coarse, fine = (price(Asian("call", 2.0, 1.0), process, paths=16_384, steps=steps) for steps in (32, 64))
    error = 2 * fine.standard_error + coarse.standard_error
    assert 2 * fine.value - coarse.value == pytest.approx(published, abs=4 * error + 1e-5)
    assert error < 2e-4
    assert fine.control_variates == ("arithmetic average", "geometric average", "geometric option")


@pytest.mark.parametrize(
    ("option_type", "side", "way", "rebate"),
    list(product(("call", "put"), (("down", 88.0), ("up", 115.0)), ("in", "out"), (0.0, 4.0))),
)
def test_continuous_barriers_agree_with_their_closed_forms(
    option_type: Any, side: tuple[str, float], way: str, rebate: float
) -> None:
    name: Any = f"{side[0]}_and_{way}"
    exact = barriers.price(option_type, name, 100.0, 102.0, side[1], rebate, *MARKET)
    assert_agrees(Barrier(option_type, name, 102.0, side[1], 1.0, rebate), PROCESS, exact)


@pytest.mark.parametrize(("option_type", "way"), list(product(("call", "put"), ("knock_in", "knock_out"))))
def test_double_barriers_agree_with_their_closed_forms(option_type: Any, way: Any) -> None:
    exact = barriers.double_price(option_type, way, 100.0, 102.0, 80.0, 130.0, *MARKET)
    assert_agrees(DoubleBarrier(option_type, way, 102.0, 80.0, 130.0, 1.0), PROCESS, exact)


def test_one_step_of_a_bridge_prices_a_continuous_barrier() -> None:
    exact = barriers.price("call", "down_and_out", 100.0, 102.0, 88.0, 0.0, *MARKET)
    assert_agrees(Barrier("call", "down_and_out", 102.0, 88.0, 1.0), PROCESS, exact, steps=1)
    exact = barriers.double_price("call", "knock_out", 100.0, 102.0, 80.0, 130.0, *MARKET)
    assert_agrees(DoubleBarrier("call", "knock_out", 102.0, 80.0, 130.0, 1.0), PROCESS, exact, steps=1)
    exact = lookbacks.fixed("call", 100.0, 102.0, 100.0, *MARKET)
    assert_agrees(Lookback("call", 1.0, 102.0), PROCESS, exact, steps=1)


def test_discrete_barriers_agree_with_the_shifted_continuous_ones() -> None:
    # Broadie, Glasserman and Kou (1997): the barrier moves by 0.5826 deviations of one interval, away from the spot.
    moved = 88.0 * math.exp(-0.5826 * 0.25 * math.sqrt(1 / 50))
    exact = barriers.price("call", "down_and_out", 100.0, 102.0, moved, 0.0, *MARKET)
    payoff = Barrier("call", "down_and_out", 102.0, 88.0, 1.0, monitoring="discrete", observations=50)
    assert_agrees(payoff, PROCESS, exact, steps=100, bias=2e-3)


@pytest.mark.parametrize(("option_type", "extreme"), [("call", None), ("put", None), ("call", 95.0), ("put", 106.0)])
def test_floating_lookbacks_agree_with_their_closed_forms(option_type: Any, extreme: float | None) -> None:
    exact = lookbacks.floating(option_type, 100.0, extreme or 100.0, *MARKET)
    assert_agrees(Lookback(option_type, 1.0, extreme=extreme), PROCESS, exact)


@pytest.mark.parametrize(("option_type", "extreme"), [("call", None), ("put", None), ("call", 110.0), ("put", 91.0)])
def test_fixed_lookbacks_agree_with_their_closed_forms(option_type: Any, extreme: float | None) -> None:
    exact = lookbacks.fixed(option_type, 100.0, 103.0, extreme or 100.0, *MARKET)
    assert_agrees(Lookback(option_type, 1.0, 103.0, extreme), PROCESS, exact)


@pytest.mark.parametrize("option_type", ["call", "put"])
def test_options_on_two_assets_agree_with_their_closed_forms(option_type: Any) -> None:
    best = two_assets.best_of(option_type, 105.0, 100.0, 98.0, *PAIR_MARKET)
    assert_agrees(BestOf(option_type, 98.0, 1.0), PAIR, best, steps=4)
    worst = two_assets.worst_of(option_type, 105.0, 100.0, 98.0, *PAIR_MARKET)
    assert_agrees(WorstOf(option_type, 98.0, 1.0), PAIR, worst, steps=4)
    exchange = two_assets.exchange(105.0, 100.0, 1.0, 0.01, 0.03, 0.3, 0.2, 0.5)
    if option_type == "call":
        assert_agrees(Spread("call", 0.0, 1.0), PAIR, exchange, steps=4)
        assert_agrees(Basket("call", 0.0, 1.0, (1.0, -1.0)), PAIR, exchange, steps=4)
    # Kirk's formula is an approximation, good to a hundredth here.
    kirk = two_assets.spread(option_type, 105.0, 100.0, 4.0, *PAIR_MARKET)
    assert_agrees(Spread(option_type, 4.0, 1.0), PAIR, kirk, steps=4, bias=0.01)


def test_a_basket_of_one_asset_twice_is_the_asset() -> None:
    twins = CorrelatedAssets((100.0, 100.0), 0.05, (0.02, 0.02), (0.25, 0.25), ((1.0, 1.0), (1.0, 1.0)))
    exact = black_scholes.price("call", 100.0, 102.0, *MARKET)
    result = price(Basket("call", 102.0, 1.0, (0.3, 0.7)), twins, paths=512, steps=3)
    assert result.value == pytest.approx(float(exact), abs=1e-8)
    assert result.control_variates == ("spot 0", "spot 1", "geometric basket")


def test_baskets_agree_with_an_integral_over_one_asset() -> None:
    # Given the second asset the first is lognormal: one integral of Black and Scholes prices, by Gauss and Hermite.
    nodes, masses = np.polynomial.hermite_e.hermegauss(120)
    second = 100.0 * np.exp(0.04 - 0.03 - 0.02 + 0.2 * nodes)
    free = 0.3 * math.sqrt(0.75)
    forward = 105.0 * np.exp(0.03 - 0.045 + 0.3 * 0.5 * nodes + 0.5 * free**2)
    strikes = 100.0 - 0.4 * second
    exercised = np.where(strikes > 0, black_scholes.price("call", 0.6 * forward, np.abs(strikes), 1.0, 0, 0, free), 0)
    exercised = np.where(strikes > 0, exercised, 0.6 * forward - strikes)
    exact = math.exp(-0.04) * np.sum(exercised * masses) / math.sqrt(2 * math.pi)
    assert_agrees(Basket("call", 100.0, 1.0, (0.6, 0.4)), PAIR, exact, steps=2)


def test_cliquets_agree_with_their_closed_form() -> None:
    exact = 50.0 * float(forward_starts.cliquet(-0.02, 0.08, 4, *MARKET))
    assert_agrees(Cliquet(4, 1.0, -0.02, 0.08, notional=50.0), PROCESS, exact, steps=8)
    # Local bounds that bind always leave nothing to chance but the global ones.
    capped = price(Cliquet(4, 1.0, 0.03, 0.03, global_cap=0.1), PROCESS, paths=64, steps=4)
    assert capped.value == pytest.approx(0.1 * math.exp(-0.05), rel=1e-14)


def test_an_autocallable_of_one_date_is_a_digital_and_a_put() -> None:
    # Called at expiry or not at all: notional + coupon above 100; below 70 the put's loss, between them the notional.
    coupon = digitals.cash_or_nothing("call", 100.0, 100.0, 8.0, *MARKET)
    loss = digitals.cash_or_nothing("put", 100.0, 70.0, 100.0, *MARKET)
    loss -= digitals.asset_or_nothing("put", 100.0, 70.0, *MARKET)
    exact = 100.0 * math.exp(-0.05) + coupon - loss
    assert_agrees(Autocallable(1, 1.0, 0.08, 1.0, 0.7), PROCESS, exact, steps=4)


def test_an_autocallable_of_two_dates_agrees_with_an_integral() -> None:
    # The first date by the trapezoidal rule over the spot's law, the second by closed forms.
    z = np.linspace(-9, 9, 20_001)
    spot = 100 * np.exp((0.03 - 0.03125) * 0.5 + 0.25 * math.sqrt(0.5) * z)
    later = (0.5, 0.05, 0.02, 0.25)
    note = 100 * math.exp(-0.025) + digitals.cash_or_nothing("call", spot, 100.0, 10.0, *later)
    note -= digitals.cash_or_nothing("put", spot, 70.0, 100.0, *later) - digitals.asset_or_nothing(
        "put", spot, 70.0, *later
    )
    value = math.exp(-0.025) * np.where(spot >= 100, 105.0, note)
    exact = np.trapezoid(value * np.exp(-0.5 * z**2), z) / math.sqrt(2 * math.pi)
    assert_agrees(Autocallable(2, 1.0, 0.05, 1.0, 0.7), PROCESS, exact, steps=4)
    # Its two equal assets are one.
    twins = CorrelatedAssets((100.0, 100.0), 0.05, (0.02, 0.02), (0.25, 0.25), ((1.0, 1.0), (1.0, 1.0)))
    assert_agrees(Autocallable(2, 1.0, 0.05, 1.0, 0.7, initial_spots=(100.0, 100.0)), twins, exact, steps=4)


def test_term_structures_count_by_their_integrals() -> None:
    rate = PiecewiseConstant((0.3,), (0.01, 0.06))
    dividend_yield = PiecewiseConstant((0.5, 0.7), (0.0, 0.04, 0.02))
    volatility = PiecewiseConstant((0.25,), (0.4, 0.15))
    process = GeometricBrownianMotion(100.0, rate, dividend_yield, volatility)
    r, q = 0.3 * 0.01 + 0.7 * 0.06, 0.2 * 0.04 + 0.3 * 0.02
    v = math.sqrt(0.25 * 0.16 + 0.75 * 0.15**2)
    exact = black_scholes.price("put", 100.0, 105.0, 1.0, r, q, v)
    assert_agrees(European("put", 105.0, 1.0), process, exact, steps=7)
    # The control's closed form too: a geometric average by itself, and as the control of itself.
    plain = price(Asian("put", 105.0, 1.0, "geometric"), process, paths=16_384, steps=8)
    arithmetic = price(Asian("put", 105.0, 1.0), process, paths=16_384, steps=8)
    without = price(Asian("put", 105.0, 1.0), process, paths=16_384, steps=8, control_variates=False)
    assert plain.value > 0
    assert abs(arithmetic.value - without.value) < 4 * without.standard_error
    assert arithmetic.standard_error < 0.2 * without.standard_error


def test_heston_agrees_with_its_semi_analytic_price() -> None:
    parameters: Any = {"v0": 0.04, "kappa": 1.5, "theta": 0.06, "sigma": 0.5, "rho": -0.7}
    process = Heston(100.0, 0.03, 0.01, **parameters)
    for option_type, strike in (("call", 90.0), ("put", 100.0), ("call", 120.0)):
        exact = heston.price(option_type, 100.0, strike, 1.0, 0.03, 0.01, **parameters)
        kind: Any = option_type
        assert_agrees(European(kind, strike, 1.0), process, exact, steps=32, bias=0.01)


def test_heston_keeps_forwards_exact_where_its_variance_touches_zero() -> None:
    # Andersen's case II: 2 kappa theta is a tenth of sigma squared.
    process = Heston(100.0, 0.02, 0.0, v0=0.04, kappa=0.3, theta=0.04, sigma=0.9, rho=-0.5)
    free: Any = {"paths": 16_384, "steps": 8, "control_variates": False}
    assert deviations(price(European("call", 0.0, 5.0), process, **free), 100.0) < 4


def test_heston_without_volatility_of_variance_is_black_and_scholes() -> None:
    process = Heston(100.0, 0.05, 0.02, v0=0.09, kappa=2.0, theta=0.04, sigma=0.0, rho=-0.9)
    mean_variance = 0.04 + 0.05 * (1 - math.exp(-2.0)) / 2.0
    exact = black_scholes.price("call", 100.0, 100.0, 1.0, 0.05, 0.02, math.sqrt(mean_variance))
    assert_agrees(European("call", 100.0, 1.0), process, exact, steps=32, bias=2e-3)


def test_local_volatility_that_is_flat_is_black_and_scholes() -> None:
    process = LocalVolatility(100.0, 0.05, 0.02, (0.0, 1.0), (50.0, 200.0), ((0.25, 0.25), (0.25, 0.25)))
    exact = barriers.price("call", "down_and_out", 100.0, 102.0, 88.0, 1.0, *MARKET)
    assert_agrees(Barrier("call", "down_and_out", 102.0, 88.0, 1.0, 1.0), process, exact)


def test_local_volatility_agrees_with_a_displaced_lognormal() -> None:
    # d(S + 50) = 0.2 (S + 50) dW without drift has the local volatility 0.2 (S + 50) / S, and shifted Black prices.
    spots = np.exp(np.linspace(math.log(10.0), math.log(1000.0), 400))
    grid = np.tile(0.2 * (spots + 50.0) / spots, (2, 1))
    process = LocalVolatility(100.0, 0.0, 0.0, (0.0, 2.0), spots, grid)
    for strike in (80.0, 100.0, 130.0):
        exact = black_scholes.price("call", 150.0, strike + 50.0, 1.0, 0.0, 0.0, 0.2)
        assert_agrees(European("call", strike, 1.0), process, exact, steps=64, bias=0.02)


def test_local_volatility_that_changes_with_time_alone_counts_by_its_integral() -> None:
    process = LocalVolatility(100.0, 0.0, 0.0, (0.0, 1.0), (100.0,), ((0.1,), (0.3,)))
    # The integral of (0.1 + 0.2 t)^2 over a year.
    exact = black_scholes.price("call", 100.0, 100.0, 1.0, 0.0, 0.0, math.sqrt(0.13 / 3.0))
    assert_agrees(European("call", 100.0, 1.0), process, exact, steps=32, bias=2e-3)


def test_the_table_of_a_fitted_surface_reprices_it() -> None:
    surface = svi.Surface(
        time_to_expiry=[0.1, 0.5],
        forward=[100.5, 102.0],
        a=[0.001, 0.006],
        b=[0.03, 0.06],
        rho=[-0.6, -0.5],
        m=[0.01, 0.02],
        sigma=[0.06, 0.15],
        spot=100.0,
    )
    table = local_volatility.from_surface(surface)
    growth = PiecewiseConstant((0.1,), (-math.log(1.005) / 0.1, -math.log(102.0 / 100.5) / 0.4))
    process = LocalVolatility(100.0, 0.0, growth, table.times, table.spots, table.volatilities)
    for option_type, strike in (("put", 85.0), ("call", 102.0), ("call", 115.0)):
        exact = black_76.price(option_type, 102.0, strike, 0.5, 0.0, surface.volatility(strike, 0.5))
        kind: Any = option_type
        assert_agrees(European(kind, strike, 0.5), process, exact, steps=60, bias=0.02)


def test_a_free_strike_and_a_negative_rate() -> None:
    process = GeometricBrownianMotion(100.0, -0.02, 0.01, 0.3)
    assert price(European("call", 0.0, 1.0), process, paths=256, steps=2).value == pytest.approx(
        100 * math.exp(-0.01), abs=1e-11
    )
    assert_agrees(European("put", 100.0, 1.0), process, black_scholes.price("put", 100.0, 100.0, 1.0, -0.02, 0.01, 0.3))
