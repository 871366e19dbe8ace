"""Closed forms of barrier options against published tables, QuantLib, parity and limits."""

import math
from itertools import product

import numpy as np
import pytest
import QuantLib as Ql

from quantmesh.quant import black_scholes
from quantmesh.quant.exotics import barriers

from .exotic_oracles import MARKETS, exercise, kind, npv, oracle_process


@pytest.mark.parametrize(
    ("option_type", "barrier_type", "barrier", "published"),
    [
        ("call", "down_and_out", 95.0, (9.0246, 6.7924, 4.8759)),
        ("call", "up_and_out", 105.0, (2.6789, 2.3580, 2.3453)),
        ("call", "down_and_in", 95.0, (7.7627, 4.0109, 2.0576)),
        ("call", "up_and_in", 105.0, (14.1112, 8.4482, 4.5910)),
        ("put", "down_and_out", 95.0, (2.2798, 2.2947, 2.6252)),
        ("put", "up_and_out", 105.0, (3.7760, 5.4932, 7.5187)),
        ("put", "down_and_in", 95.0, (2.9586, 6.5677, 11.9752)),
        ("put", "up_and_in", 105.0, (1.4653, 3.3721, 7.0846)),
    ],
)
def test_barriers_match_haugs_table(
    option_type: str, barrier_type: str, barrier: float, published: tuple[float, ...]
) -> None:
    # Haug, "The Complete Guide to Option Pricing Formulas", table 4-13: rebate 3, r 0.08, b 0.04, half a year.
    prices = barriers.price(option_type, barrier_type, 100, [90, 100, 110], barrier, 3, 0.5, 0.08, 0.04, 0.25)
    np.testing.assert_allclose(prices, published, atol=5.1e-5)


def test_barriers_match_quantlib() -> None:
    kinds = {
        "down_and_out": (Ql.Barrier.DownOut, 85.0),
        "down_and_in": (Ql.Barrier.DownIn, 85.0),
        "up_and_out": (Ql.Barrier.UpOut, 125.0),
        "up_and_in": (Ql.Barrier.UpIn, 125.0),
    }
    for (name, (code, barrier)), option_type, strike, market in product(
        kinds.items(), ("call", "put"), (80.0, 100.0, 130.0), MARKETS
    ):
        time, *rest = market
        instrument = Ql.BarrierOption(
            code, barrier, 2.5, Ql.PlainVanillaPayoff(kind(option_type), strike), exercise(time)
        )
        expected = npv(instrument, Ql.AnalyticBarrierEngine(oracle_process(100.0, *rest)))
        ours = barriers.price(option_type, name, 100.0, strike, barrier, 2.5, *market)
        assert ours == pytest.approx(expected, abs=1e-9), (name, option_type, strike, market)


def test_knock_in_and_knock_out_make_the_vanilla() -> None:
    for option_type, market in product(("call", "put"), MARKETS):
        vanilla = black_scholes.price(option_type, 100.0, [80.0, 100.0, 130.0], *market)
        for side, barrier in (("down", 90.0), ("up", 115.0)):
            dies, lives = (
                barriers.price(option_type, f"{side}_and_{way}", 100.0, [80.0, 100.0, 130.0], barrier, 0.0, *market)
                for way in ("out", "in")
            )
            np.testing.assert_allclose(np.add(dies, lives), vanilla, atol=1e-11)


def test_a_rebate_under_a_rate_far_below_zero_is_the_growing_price_of_a_hit() -> None:
    # The root of F is imaginary. Oracle: the density of the hitting time, integrated by the trapezoidal rule.
    rate, dividend_yield, volatility, barrier = -0.08, -0.09, 0.2, 90.0
    drift, distance = rate - dividend_yield - 0.02, math.log(100 / 90)
    times = np.linspace(1e-6, 1.0, 400_001)
    density = distance / (volatility * np.sqrt(2 * np.pi * times**3))
    density *= np.exp(-((distance + drift * times) ** 2) / (2 * volatility**2 * times))
    expected = np.trapezoid(density * np.exp(-rate * times), times)
    market = (1.0, rate, dividend_yield, volatility)
    with_rebate, without = (
        barriers.price("call", "down_and_out", 100.0, 100.0, barrier, rebate, *market) for rebate in (1.0, 0.0)
    )
    assert with_rebate - without == pytest.approx(expected, abs=1e-7)


def test_a_barrier_far_away_or_a_quiet_spot_leaves_the_vanilla() -> None:
    assert barriers.price("call", "down_and_out", 100, 90, 1e-3, 0, 1, 0.05, 0.0, 0.2) == pytest.approx(
        black_scholes.price("call", 100, 90, 1, 0.05, 0.0, 0.2), abs=1e-12
    )
    assert barriers.price("call", "up_and_out", 100, 90, 120, 2, 1, 0.05, 0.0, 0.0) == pytest.approx(
        100 - 90 * math.exp(-0.05)
    )
    # Without volatility the forward reaches 104 after ln(1.04) / 0.05 years.
    assert barriers.price("call", "up_and_out", 100, 90, 104, 2, 1, 0.05, 0.0, 0.0) == pytest.approx(2 / 1.04)
    assert barriers.price("call", "up_and_in", 100, 90, 120, 2, 1, 0.05, 0.0, 0.0) == pytest.approx(2 * math.exp(-0.05))


def test_a_nearly_quiet_spot_overflows_nothing() -> None:
    # The powers of barrier over spot go beyond a double here, their products with the normal tails do not.
    for volatility, (side, barrier) in product((1e-3, 3e-3), (("down", 99.9), ("up", 106.0))):
        market = (1.0, 0.05, 0.0, volatility)
        parts = [
            float(barriers.price("call", f"{side}_and_{way}", 100, 101, barrier, 0, *market)) for way in ("in", "out")
        ]
        assert sum(parts) == pytest.approx(black_scholes.price("call", 100, 101, *market), abs=1e-10)


def test_double_barriers_match_quantlib() -> None:
    kinds = {"knock_out": Ql.DoubleBarrier.KnockOut, "knock_in": Ql.DoubleBarrier.KnockIn}
    for (name, code), option_type, strike, market in product(
        kinds.items(), ("call", "put"), (85.0, 100.0, 115.0), MARKETS
    ):
        time, *rest = market
        payoff = Ql.PlainVanillaPayoff(kind(option_type), strike)
        instrument = Ql.DoubleBarrierOption(code, 75.0, 130.0, 0.0, payoff, exercise(time))
        expected = npv(instrument, Ql.AnalyticDoubleBarrierEngine(oracle_process(100.0, *rest), 10))
        ours = barriers.double_price(option_type, name, 100.0, strike, 75.0, 130.0, *market)
        assert ours == pytest.approx(expected, abs=1e-8), (name, option_type, strike, market)


def test_double_barriers_match_haugs_table() -> None:
    # Haug, table 4-14 (Ikeda and Kunitomo): flat barriers at 50 and 150, r and b 0.1.
    prices = barriers.double_price(
        "call", "knock_out", 100, 100, 50, 150, [[0.25], [0.5]], 0.1, 0.0, [0.15, 0.25, 0.35]
    )
    np.testing.assert_allclose(prices, [[4.3515, 6.1644, 7.0373], [6.9853, 7.9336, 6.5088]], atol=1e-4)


def test_strikes_outside_two_barriers_keep_their_payoff() -> None:
    # A call struck at or below the lower barrier is a forward while it lives: linear in the strike.
    low, lower, lowest = (
        barriers.double_price("call", "knock_out", 100, strike, 80, 125, 0.5, 0.02, 0.01, 0.2)
        for strike in (80.0, 60.0, 40.0)
    )
    assert lowest - lower == pytest.approx(lower - low, rel=1e-12)
    assert barriers.double_price("call", "knock_out", 100, 130, 80, 125, 0.5, 0.02, 0.01, 0.2) == 0.0
