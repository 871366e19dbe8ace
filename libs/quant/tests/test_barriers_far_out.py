"""Barrier options in markets that hardly move, or so much that hardly any path stays between two barriers."""

from itertools import product

import numpy as np
import pytest
import QuantLib as Ql

from quantmesh.quant import black_scholes
from quantmesh.quant.exotics import barriers, lookbacks

from .exotic_oracles import exercise, kind, npv, oracle_process

VOLATILITIES = (1e-5, 1e-4, 1e-3, 5e-3, 0.02, 0.2, 1.0)


@pytest.mark.parametrize("volatility", VOLATILITIES)
def test_one_of_two_rebates_is_paid_whatever_the_spot_does(volatility: float) -> None:
    """Without a rate it does not matter when: both options together are the vanilla and one rebate."""
    for (side, barrier), dividend_yield, option_type in product(
        (("down", 99.0), ("up", 101.0)), (-0.05, 0.0, 0.08), ("call", "put")
    ):
        market = (3.0, 0.0, dividend_yield, volatility)
        both = sum(
            float(barriers.price(option_type, f"{side}_and_{way}", 100.0, 104.0, barrier, 5.0, *market))
            for way in ("out", "in")
        )
        vanilla = black_scholes.price(option_type, 100.0, 104.0, *market)
        assert both == pytest.approx(vanilla + 5.0, rel=1e-11), (side, dividend_yield, option_type)


@pytest.mark.parametrize(
    ("barrier_type", "barrier", "rate"), [("down_and_out", 80.0, -0.03), ("up_and_out", 130.0, 0.06)]
)
def test_a_rebate_at_a_nearly_certain_hit_is_discounted_from_there(
    barrier_type: str, barrier: float, rate: float
) -> None:
    contract = ("call", barrier_type, 100.0, 500.0, barrier, 5.0, 20.0, rate, 0.0)
    certain = barriers.price(*contract, 0.0)
    assert 3.5 < certain < 8.0
    for volatility in (1e-4, 1e-3):
        assert barriers.price(*contract, volatility) == pytest.approx(certain, rel=1e-4)


def test_two_barriers_match_quantlib_where_hardly_any_path_stays_between() -> None:
    for volatility, option_type, strike in product((0.3, 0.45, 0.7), ("call", "put"), (90.0, 100.0, 108.0)):
        process = oracle_process(100.0, 0.04, 0.01, volatility)
        payoff = Ql.PlainVanillaPayoff(kind(option_type), strike)
        instrument = Ql.DoubleBarrierOption(Ql.DoubleBarrier.KnockOut, 85.0, 120.0, 0.0, payoff, exercise(1.0))
        expected = npv(instrument, Ql.AnalyticDoubleBarrierEngine(process, 40))
        ours = barriers.double_price(option_type, "knock_out", 100.0, strike, 85.0, 120.0, 1.0, 0.04, 0.01, volatility)
        assert ours == pytest.approx(expected, abs=1e-10), (volatility, option_type, strike)


def test_nothing_survives_between_barriers_that_are_many_deviations_too_close() -> None:
    volatilities = np.array([0.1, 0.2, 0.3, 0.5, 0.8, 3.0])
    prices = np.asarray(
        barriers.double_price("call", "knock_out", 100.0, 100.0, 95.0, 105.0, 1.0, 0.03, 0.0, volatilities)
    )
    assert (np.diff(prices) <= 0.0).all()
    # The slowest sine falls as exp(-pi^2 variance / 2 width^2).
    decay = np.exp(-0.5 * (np.pi * volatilities / np.log(105 / 95)) ** 2)
    assert (prices[2:] <= 10.0 * decay[2:]).all()


def test_both_series_agree_where_one_takes_over_from_the_other() -> None:
    width = float(np.log(125 / 80))
    for option_type, strike in product(("call", "put"), (70.0, 100.0, 130.0)):
        images, sines = (
            barriers.double_price(option_type, "knock_out", 100.0, strike, 80.0, 125.0, 1.0, 0.05, 0.02, volatility)
            for volatility in (width * (1 - 1e-12), width * (1 + 1e-12))
        )
        assert images == pytest.approx(sines, abs=1e-10)


def test_images_do_not_cancel_under_a_strong_drift() -> None:
    market = (14.5, 0.042, -0.012, 0.0557)
    # The sine series, with four hundred terms of fifty digits.
    for option_type, strike, expected in (("call", 119.0, 6.611000105410509), ("put", 150.0, 0.29155630922814384)):
        ours = barriers.double_price(option_type, "knock_out", 100.0, strike, 85.0, 193.0, *market)
        assert ours == pytest.approx(expected, abs=1e-11)


@pytest.mark.parametrize("volatility", [1e-6, 1e-4, 1e-2, 0.3])
def test_lookbacks_without_carry_are_worth_their_deviations(volatility: float) -> None:
    """To first order a driftless spot's extreme lies sqrt(2 / pi) deviations away."""
    deviation = volatility * np.sqrt(20.0)
    for option_type in ("call", "put"):
        value = lookbacks.floating(option_type, 100.0, 100.0, 20.0, 0.03, 0.03, volatility)
        limit = 100.0 * np.exp(-0.6) * np.sqrt(2.0 / np.pi) * deviation
        assert value == pytest.approx(limit, rel=0.7 * deviation + 1e-8)
