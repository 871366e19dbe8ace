"""Closed forms of exotic options against published tables, QuantLib, parity and limits."""

import math
from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest
import QuantLib as Ql

from quantmesh.quant import black_scholes
from quantmesh.quant.errors import DomainError
from quantmesh.quant.exotics import barriers, digitals, forward_starts, geometric_averages, lookbacks, two_assets
from quantmesh.quant.exotics._columns import bivariate_normal

from .exotic_oracles import MARKETS, TODAY, exercise, kind, npv, oracle_process


def test_lookbacks_match_quantlib_and_haug() -> None:
    # Haug, section 4.15.1: 25.3533.
    assert lookbacks.floating("call", 120, 100, 0.5, 0.1, 0.06, 0.3) == pytest.approx(25.3533, abs=1e-4)
    for option_type, market in product(("call", "put"), MARKETS[:2]):
        time, *rest = market
        process = oracle_process(100.0, *rest)
        extreme = 93.0 if option_type == "call" else 107.0
        instrument = Ql.ContinuousFloatingLookbackOption(
            extreme, Ql.FloatingTypePayoff(kind(option_type)), exercise(time)
        )
        expected = npv(instrument, Ql.AnalyticContinuousFloatingLookbackEngine(process))
        assert lookbacks.floating(option_type, 100.0, extreme, *market) == pytest.approx(expected, abs=1e-9)
        extreme = 107.0 if option_type == "call" else 93.0
        for strike in (90.0, 100.0, 115.0):
            payoff = Ql.PlainVanillaPayoff(kind(option_type), strike)
            instrument = Ql.ContinuousFixedLookbackOption(extreme, payoff, exercise(time))
            expected = npv(instrument, Ql.AnalyticContinuousFixedLookbackEngine(process))
            assert lookbacks.fixed(option_type, 100.0, strike, extreme, *market) == pytest.approx(expected, abs=1e-9)


def test_lookbacks_are_smooth_where_the_cost_of_carry_is_zero() -> None:
    for option_type in ("call", "put"):
        rates = 0.03 + np.array([-2e-5, -1e-5, -3e-6, 0.0, 4e-6, 1e-5, 2e-5])
        values = np.asarray(lookbacks.floating(option_type, 100.0, 100.0, 1.0, rates, 0.03, 0.2))
        line = np.polynomial.Polynomial.fit(rates, values, 2)
        np.testing.assert_allclose(values, line(rates), atol=2e-9)
        # Under a driftless martingale: Haug's limit, S exp(-rT) (2 N(d) - 1 + deviation (n(d) + d (N(d) - 1))).
        deviation, d = 0.2, 0.1
        tail = 0.5 * math.erfc(d / math.sqrt(2))
        density = math.exp(-0.5 * d * d) / math.sqrt(2 * math.pi)
        call = 100 * math.exp(-0.03) * (1 - 2 * tail + deviation * (density - d * tail))
        if option_type == "call":
            assert values[3] == pytest.approx(call, abs=1e-7)


def test_lookbacks_without_volatility_follow_the_forward() -> None:
    assert lookbacks.floating("call", 100, 90, 1, 0.05, 0.0, 0.0) == pytest.approx(100 - 90 * math.exp(-0.05))
    assert lookbacks.fixed("call", 100, 90, 100, 1, 0.05, 0.0, 0.0) == pytest.approx(100 - 90 * math.exp(-0.05))
    assert lookbacks.fixed("put", 100, 90, 100, 1, 0.05, 0.0, 0.0) == 0.0


def test_digitals_match_quantlib_and_make_the_vanilla() -> None:
    for option_type, strike, market in product(("call", "put"), (80.0, 100.0, 120.0), MARKETS):
        time, *rest = market
        payoffs = (
            (Ql.CashOrNothingPayoff(kind(option_type), strike, 7.0), digitals.cash_or_nothing, (7.0,)),
            (Ql.AssetOrNothingPayoff(kind(option_type), strike), digitals.asset_or_nothing, ()),
        )
        for payoff, price, extra in payoffs:
            engine = Ql.AnalyticEuropeanEngine(oracle_process(100.0, *rest))
            expected = npv(Ql.VanillaOption(payoff, exercise(time)), engine)
            ours: Callable[..., Any] = price
            assert ours(option_type, 100.0, strike, *extra, *market) == pytest.approx(expected, abs=1e-10)
        sign = 1 if option_type == "call" else -1
        parts = digitals.asset_or_nothing(option_type, 100.0, strike, *market)
        parts -= digitals.cash_or_nothing(option_type, 100.0, strike, strike, *market)
        assert sign * parts == pytest.approx(black_scholes.price(option_type, 100.0, strike, *market), abs=1e-11)


def test_geometric_averages_match_quantlib() -> None:
    for option_type, (time, *rest) in product(("call", "put"), MARKETS):
        process = oracle_process(100.0, *rest)
        payoff = Ql.PlainVanillaPayoff(kind(option_type), 102.0)
        continuous = Ql.ContinuousAveragingAsianOption(Ql.Average.Geometric, payoff, exercise(time))
        expected = npv(continuous, Ql.AnalyticContinuousGeometricAveragePriceAsianEngine(process))
        assert geometric_averages.continuous(option_type, 100.0, 102.0, time, *rest) == pytest.approx(
            expected, abs=2e-4
        )
        days = round(time * 365)
        dates = [TODAY + day for day in range(1, days + 1)]
        discrete = Ql.DiscreteAveragingAsianOption(Ql.Average.Geometric, 1.0, 0, dates, payoff, exercise(time))
        expected = npv(discrete, Ql.AnalyticDiscreteGeometricAveragePriceAsianEngine(process))
        ours = geometric_averages.discrete(option_type, 100.0, 102.0, days, time, *rest)
        assert ours == pytest.approx(expected, abs=1e-9)


def test_many_observations_approach_the_continuous_average_and_one_is_the_vanilla() -> None:
    market = (1.0, 0.05, 0.02, 0.25)
    many = geometric_averages.discrete("call", 100.0, 100.0, 1e8, *market)
    assert many == pytest.approx(geometric_averages.continuous("call", 100.0, 100.0, *market), abs=1e-6)
    one = geometric_averages.discrete("call", 100.0, 100.0, 1, *market)
    assert one == pytest.approx(black_scholes.price("call", 100.0, 100.0, *market), abs=1e-12)


def test_exchange_and_spread_match_quantlib() -> None:
    for rho in (-0.6, 0.0, 0.8):
        first, second = oracle_process(105.0, 0.04, 0.01, 0.3), oracle_process(100.0, 0.04, 0.03, 0.2)
        margrabe = Ql.MargrabeOption(1, 1, exercise(1.0))
        expected = npv(margrabe, Ql.AnalyticEuropeanMargrabeEngine(first, second, rho))
        ours = two_assets.exchange(105.0, 100.0, 1.0, 0.01, 0.03, 0.3, 0.2, rho)
        assert ours == pytest.approx(expected, abs=1e-10)
        spread = two_assets.spread("call", 105.0, 100.0, 0.0, 1.0, 0.04, 0.01, 0.03, 0.3, 0.2, rho)
        assert spread == pytest.approx(ours, abs=1e-11)
        payoff = Ql.SpreadBasketPayoff(Ql.PlainVanillaPayoff(Ql.Option.Call, 6.0))
        basket = Ql.BasketOption(payoff, exercise(1.0))
        expected = npv(basket, Ql.KirkEngine(first, second, rho))
        ours = two_assets.spread("call", 105.0, 100.0, 6.0, 1.0, 0.04, 0.01, 0.03, 0.3, 0.2, rho)
        assert ours == pytest.approx(expected, abs=1e-9)


def test_best_and_worst_of_match_quantlib() -> None:
    for rho, strike, option_type in product((-0.6, 0.0, 0.8), (80.0, 104.0), ("call", "put")):
        first, second = oracle_process(105.0, 0.04, 0.01, 0.3), oracle_process(100.0, 0.04, 0.03, 0.2)
        for price, payoff_type in ((two_assets.best_of, Ql.MaxBasketPayoff), (two_assets.worst_of, Ql.MinBasketPayoff)):
            payoff = payoff_type(Ql.PlainVanillaPayoff(kind(option_type), strike))
            expected = npv(Ql.BasketOption(payoff, exercise(1.0)), Ql.StulzEngine(first, second, rho))
            ours = price(option_type, 105.0, 100.0, strike, 1.0, 0.04, 0.01, 0.03, 0.3, 0.2, rho)
            assert ours == pytest.approx(expected, abs=1e-8)


def test_the_best_and_the_worst_of_two_are_together_both() -> None:
    market = (1.0, 0.04, 0.01, 0.03, 0.3, 0.2)
    for rho in (-1.0, -0.3, 0.0, 0.5, 1.0):
        both = two_assets.best_of("call", 105.0, 100.0, 98.0, *market, rho)
        both += two_assets.worst_of("call", 105.0, 100.0, 98.0, *market, rho)
        singles = black_scholes.price("call", 105.0, 98.0, 1.0, 0.04, 0.01, 0.3)
        singles += black_scholes.price("call", 100.0, 98.0, 1.0, 0.04, 0.03, 0.2)
        assert both == pytest.approx(singles, abs=1e-11)
    twins = two_assets.best_of("put", 100.0, 100.0, 98.0, 1.0, 0.04, 0.01, 0.01, 0.3, 0.3, 1.0)
    assert twins == pytest.approx(black_scholes.price("put", 100.0, 98.0, 1.0, 0.04, 0.01, 0.3), abs=1e-11)
    still = two_assets.worst_of("call", 105.0, 100.0, 98.0, 1.0, 0.04, 0.0, 0.0, 0.0, 0.0, 0.5)
    assert still == pytest.approx(100.0 - 98.0 * math.exp(-0.04), abs=1e-11)


def test_the_bivariate_normal_matches_quantlib() -> None:
    for h, k, rho in product((-2.5, -0.3, 0.0, 1.2), (-1.7, 0.0, 0.4, 3.0), (-0.95, -0.2, 0.0, 0.5, 0.99)):
        expected = Ql.BivariateCumulativeNormalDistribution(rho)(h, k)
        ours = bivariate_normal(np.array([h]), np.array([k]), np.array([rho]))[0]
        assert ours == pytest.approx(expected, abs=1e-14), (h, k, rho)


def test_forward_starts_match_quantlib_and_haug() -> None:
    # Haug, section 4.11: 4.4064.
    assert forward_starts.forward_start("call", 60, 1.1, 0.25, 1, 0.08, 0.04, 0.3) == pytest.approx(4.4064, abs=1e-4)
    for option_type, (time, *rest) in product(("call", "put"), MARKETS):
        reset = TODAY + round(0.5 * time * 365)
        payoff = Ql.PlainVanillaPayoff(kind(option_type), 0.0)
        instrument = Ql.ForwardVanillaOption(1.05, reset, payoff, exercise(time))
        expected = npv(instrument, Ql.ForwardEuropeanEngine(oracle_process(100.0, *rest)))
        start = round(0.5 * time * 365) / 365
        ours = forward_starts.forward_start(option_type, 100.0, 1.05, start, time, *rest)
        assert ours == pytest.approx(expected, abs=1e-10)


def test_a_cliquet_without_bounds_is_the_sum_of_forward_returns() -> None:
    value = forward_starts.cliquet(-1.0, math.inf, 4, 2.0, 0.05, 0.02, 0.3)
    assert value == pytest.approx(math.exp(-0.1) * 4 * math.expm1(0.03 * 0.5), abs=1e-12)
    # Floored at zero it is a strip of forward starts, their payments carried from each reset to expiry.
    strip = sum(
        forward_starts.forward_start("call", 1.0, 1.0, k * 0.5, (k + 1) * 0.5, 0.05, 0.02, 0.3)
        * math.exp(-0.05 * 0.5 * (3 - k))
        * math.exp((0.02 - 0.05) * 0.5 * k)
        for k in range(4)
    )
    assert forward_starts.cliquet(0.0, math.inf, 4, 2.0, 0.05, 0.02, 0.3) == pytest.approx(strip, abs=1e-12)


@pytest.mark.parametrize(
    ("call", "argument"),
    [
        (lambda: barriers.price("call", "down_and_out", 100, 100, 100, 0, 1, 0, 0, 0.2), "barrier"),
        (lambda: barriers.price("call", "up_and_in", 100, 100, 99, 0, 1, 0, 0, 0.2), "barrier"),
        (lambda: barriers.price("call", "sideways", 100, 100, 99, 0, 1, 0, 0, 0.2), "barrier_type"),
        (lambda: barriers.price("call", "up_and_in", 100, 100, 120, -1, 1, 0, 0, 0.2), "rebate"),
        (lambda: barriers.price("call", "up_and_in", 100, 100, 120, 0, 1, 0, 0, [0.2, -0.1]), "volatility"),
        (lambda: barriers.double_price("call", "knock_out", 100, 100, 101, 120, 1, 0, 0, 0.2), "lower_barrier"),
        (lambda: barriers.double_price("call", "knock_out", 100, 100, 80, 90, 1, 0, 0, 0.2), "upper_barrier"),
        (lambda: barriers.double_price("call", "down_and_out", 100, 100, 80, 90, 1, 0, 0, 0.2), "barrier_type"),
        (lambda: lookbacks.floating("call", 100, 101, 1, 0, 0, 0.2), "extreme"),
        (lambda: lookbacks.fixed("call", 100, 100, 99, 1, 0, 0, 0.2), "extreme"),
        (lambda: two_assets.exchange(100, 100, 1, 0, 0, 0.2, 0.2, 1.1), "correlation"),
        (lambda: two_assets.spread("call", 100, 100, -120, 1, 0, 0, 0, 0.2, 0.2, 0.5), "strike"),
        (lambda: forward_starts.forward_start("call", 100, 1, 2, 1, 0, 0, 0.2), "start"),
        (lambda: forward_starts.cliquet(0.1, 0.05, 4, 1, 0, 0, 0.2), "local_cap"),
        (lambda: digitals.cash_or_nothing("call", 100, math.nan, 1, 1, 0, 0, 0.2), "strike"),
        # Their discount factors are beyond a double.
        (lambda: digitals.cash_or_nothing("call", 100, 100, 1, 10, -1000, 0, 0.2), "rate"),
        (lambda: two_assets.best_of("call", 100, 90, 95, 1, 0, 0, -1000, 0.2, 0.3, 0.5), "dividend_yield2"),
    ],
)
def test_arguments_outside_their_domain_are_named(call: Callable[[], Any], argument: str) -> None:
    with pytest.raises(DomainError, match=argument) as caught:
        call()
    assert caught.value.argument == argument


def test_shapes_broadcast_and_scalars_stay_scalars() -> None:
    assert isinstance(barriers.price("call", "up_and_in", 100, 100, 120, 0, 1, 0.01, 0, 0.2), float)
    values = lookbacks.floating(["call", "put"], 100.0, 100.0, [[0.5], [1.0], [2.0]], 0.01, 0.0, 0.2)
    assert np.shape(values) == (3, 2)
