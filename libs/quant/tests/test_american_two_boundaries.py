"""Puts exercised between two boundaries, against grids, a tree, QuantLib, their limits, and more collocation points."""

import math
from typing import Any

import numpy as np
import pytest
import QuantLib

from quantmesh.quant import _american_two_boundaries as boundaries
from quantmesh.quant import american as typed_american
from quantmesh.quant._american_between import price_puts
from quantmesh.quant._american_grid import NO_DIVIDENDS, price_on_grids
from quantmesh.quant._american_schemes import Accuracy
from quantmesh.quant._american_two_boundary_equations import Puts, Sizes

from .american_oracles import TODAY, quantlib_process

# Contracts are unpacked from tuples before other arguments, which the type checker cannot follow.
american: Any = typed_american

_DAYS = 365
SPOTS = np.array([30.0, 60.0, 85.0, 97.0, 104.0, 130.0])
# Rate, yield, volatility, days: boundaries that never meet, that have not met yet, and that have.
CONTRACTS = [
    (-0.01, -0.05, 0.05, 365),
    (-0.02, -0.06, 0.1, 730),
    (-0.031, -0.05, 0.089, 2380),
    (-0.01, -0.03, 0.2, 90),
    (-0.0022, -0.0046, 0.095, 1000),
    (-0.02, -0.021, 0.3, 730),
    (-0.006, -0.054, 0.55, 4300),
    (-0.05, -0.16, 0.58, 176),
    (-0.003, -0.0034, 0.34, 36),
]
RATES, YIELDS, VOLATILITIES, DAYS = (np.array(column) for column in zip(*CONTRACTS, strict=True))
PUTS = Puts(RATES, YIELDS, VOLATILITIES)
COLUMNS: Any = (np.full(DAYS.size, 100.0), DAYS / _DAYS, RATES, YIELDS, VOLATILITIES)
MANY_SPOTS = np.tile(SPOTS, (DAYS.size, 1))


def quantlib_price(spot: float, rate: float, dividend_yield: float, volatility: float, days: int) -> float:
    """A put struck at 100, by finite differences."""
    process = quantlib_process(spot, rate, dividend_yield, volatility)
    exercise = QuantLib.AmericanExercise(TODAY, TODAY + QuantLib.Period(days, QuantLib.Days))
    option = QuantLib.VanillaOption(QuantLib.PlainVanillaPayoff(QuantLib.Option.Put, 100.0), exercise)
    option.setPricingEngine(QuantLib.FdBlackScholesVanillaEngine(process, 800, 800))
    return float(option.NPV())


def test_high_precision_is_within_1e_8_of_twice_its_points(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = price_puts(MANY_SPOTS, COLUMNS, "high_precision")[..., 0]
    sizes = boundaries.SIZES["high_precision"]
    twice = Sizes(2 * sizes.collocation, 2 * sizes.quadrature, 2 * sizes.premium, sizes.tolerance)
    monkeypatch.setitem(boundaries.SIZES, "high_precision", twice)
    np.testing.assert_allclose(ours, price_puts(MANY_SPOTS, COLUMNS, "high_precision")[..., 0], rtol=0, atol=1e-8)


@pytest.mark.parametrize(("accuracy", "largest"), [("fast", 1e-4), ("accurate", 1e-6)])
def test_coarser_accuracies_keep_their_error(accuracy: Accuracy, largest: float) -> None:
    exact = price_puts(MANY_SPOTS, COLUMNS, "high_precision")[..., 0]
    np.testing.assert_allclose(price_puts(MANY_SPOTS, COLUMNS, accuracy)[..., 0], exact, rtol=0, atol=largest)


def test_prices_and_slopes_agree_with_finite_differences() -> None:
    """Two methods with nothing in common."""
    puts = np.full(DAYS.size, -1, np.int8)
    on_grid = price_on_grids(puts, MANY_SPOTS, COLUMNS, NO_DIVIDENDS, NO_DIVIDENDS, "high_precision")
    found = price_puts(MANY_SPOTS, COLUMNS, "high_precision")
    np.testing.assert_allclose(found[..., 0], on_grid[..., 0], rtol=0, atol=5e-6)
    np.testing.assert_allclose(found[..., 1], on_grid[..., 1], rtol=0, atol=5e-6)
    np.testing.assert_allclose(found[..., 2], on_grid[..., 2], rtol=0, atol=5e-5)


@pytest.mark.parametrize("contract", CONTRACTS[::3])
def test_prices_agree_with_quantlibs_grid(contract: tuple[float, float, float, int]) -> None:
    rate, dividend_yield, volatility, days = contract
    for spot in (60.0, 97.0, 104.0):
        ours = american.price("put", spot, 100.0, days / _DAYS, rate, dividend_yield, volatility)
        assert ours == pytest.approx(quantlib_price(spot, *contract), abs=4e-3)


def test_a_call_is_the_mirrored_put_to_the_last_digits() -> None:
    terms = (DAYS / _DAYS)[:, None], YIELDS[:, None], RATES[:, None], VOLATILITIES[:, None]
    calls = american.price("call", 100.0, SPOTS, *terms, accuracy="high_precision")
    puts = price_puts(MANY_SPOTS, COLUMNS, "high_precision")[..., 0]
    np.testing.assert_allclose(calls, puts, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("row", range(5))
def test_at_both_boundaries_it_is_worth_exercise_and_as_steep(row: int) -> None:
    """Found from the slope alone, the value is right as well; a hair outside it is worth more, and convex."""
    puts, time = PUTS.taken(np.array([row])), DAYS[row : row + 1] / _DAYS
    found = boundaries.refine(puts, boundaries.locate(puts, time), boundaries.SIZES["high_precision"])
    upper, lower = (float(gap[0, 0]) for gap in found.at(puts, time[:, None]))
    width = float(puts.width[0])
    assert found.converged.all()
    assert -upper > lower - width
    edges = 100.0 * np.exp([[lower - width, -upper]])
    outside, inside = edges * np.array([0.999, 1.001]), edges * np.array([1.001, 0.999])
    contract = [column[row : row + 1] for column in COLUMNS]
    price, slope, curvature = np.moveaxis(price_puts(outside, contract, "high_precision"), -1, 0)
    # Smooth fit: the excess grows with the square of the distance.
    expected = 0.5 * curvature * (outside - edges) ** 2
    np.testing.assert_allclose(price - (100.0 - outside), expected, rtol=5e-2, atol=1e-8)
    np.testing.assert_allclose(slope + 1.0, curvature * (outside - edges), rtol=5e-2, atol=1e-8)
    assert np.all(curvature > 0.0)
    price, slope, curvature = np.moveaxis(price_puts(inside, contract, "high_precision"), -1, 0)
    np.testing.assert_allclose(price, 100.0 - inside, rtol=1e-13)
    assert np.all(slope == -1.0)
    assert not curvature.any()


def test_once_the_boundaries_have_met_no_spot_is_exercised() -> None:
    """Their meeting does not depend on the life it is asked for, and the price passes it smoothly."""
    puts = Puts(*(np.full(3, value) for value in (-0.02, -0.04, 0.3)))
    found = boundaries.refine(
        puts, boundaries.locate(puts, np.array([1.0, 2.0, 30.0])), boundaries.SIZES["high_precision"]
    )
    assert found.converged.all()
    meeting = boundaries.meeting_times(puts, found)
    np.testing.assert_allclose(meeting, meeting[0], rtol=1e-6)
    upper, _ = found.at(puts, meeting[:, None])
    spot = 100.0 * math.exp(-upper[0, 0])
    lives = meeting[0] * np.array([0.9, 0.999, 1.001, 1.1])
    excess = american.price("put", spot, 100.0, lives, -0.02, -0.04, 0.3, accuracy="high_precision") - (100.0 - spot)
    assert np.all(excess[:2] == 0.0)
    assert 0.0 < excess[2] < 1e-4 < excess[3]
    around = american.price(
        "put", SPOTS[:, None], 100.0, meeting[0] * np.array([1 - 1e-9, 1 + 1e-9]), -0.02, -0.04, 0.3
    )
    np.testing.assert_allclose(around[:, 0], around[:, 1], rtol=0, atol=1e-6)


def test_as_the_rate_rises_to_zero_the_lower_boundary_vanishes() -> None:
    contract: Any = ("put", SPOTS, 100.0, 1.0)
    one = american.price(*contract, 0.0, -0.05, 0.2, accuracy="high_precision")
    two = american.price(*contract, [[-1e-6], [-1e-9], [-1e-12]], -0.05, 0.2, accuracy="high_precision")
    for prices, tolerance in zip(two, (2e-4, 2e-7, 2e-8), strict=True):
        np.testing.assert_allclose(prices, one, rtol=0, atol=tolerance)


def test_as_the_yield_rises_to_the_rate_only_expiry_is_left() -> None:
    contract: Any = ("put", SPOTS, 100.0, 1.0, -0.02)
    never = american.price(*contract, -0.02, 0.2)
    for difference in (1e-6, 1e-10, 1e-15):
        np.testing.assert_allclose(
            american.price(*contract, -0.02 - difference, 0.2), never, rtol=0, atol=2e2 * difference + 1e-9
        )


def test_a_drift_of_many_deviations_is_left_to_finite_differences() -> None:
    """The boundaries turn too sharply for any polynomial over the whole life."""
    row: Any = (100.0, 4.0, -0.02, -0.06, 0.01)
    columns = [np.array([value]) for value in row]
    spots = np.array([[60.0, 99.9, 101.0]])
    puts = np.array([-1], np.int8)
    on_grid = price_on_grids(puts, spots, columns, NO_DIVIDENDS, NO_DIVIDENDS, "accurate")
    np.testing.assert_array_equal(price_puts(spots, columns, "accurate"), on_grid)
