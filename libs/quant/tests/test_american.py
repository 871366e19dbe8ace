"""American prices against QuantLib, published values, closed forms in the limits, and each other."""

import math
import os
import subprocess
import sys
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quantmesh.quant import american as typed_american
from quantmesh.quant import black_scholes as typed_black_scholes
from quantmesh.quant._american_evaluation import prices
from quantmesh.quant._american_grid import GRIDS
from quantmesh.quant._american_schemes import LONG_SIZES, SIZES, Accuracy, Sizes
from quantmesh.quant._arguments import broadcast

from .american_oracles import quantlib_price

# Contracts are unpacked from tuples before other arguments, which the type checker cannot follow.
american: Any = typed_american
black_scholes: Any = typed_black_scholes

_DAYS = 365
# Type, spot, time in days, rate, yield, volatility; the strike is 100.
GRID = list(
    product(
        (-1, 1),
        (70.0, 95.0, 110.0, 140.0),
        (30, 365, 1095),
        (0.02, 0.09),
        (0.0, 0.04, 0.12),
        (0.1, 0.25, 0.6),
    )
)


def columns_of(grid: list[Any]) -> Any:
    sign, spot, days, rate, dividend_yield, volatility = np.array(grid, float).T
    return sign, spot, 100.0, days / _DAYS, rate, dividend_yield, volatility


def test_high_precision_is_within_1e_7_of_quantlibs_finest_scheme() -> None:
    sample = GRID[::41]
    ours = american.price(*columns_of(sample), accuracy="high_precision")
    theirs = [quantlib_price(*row) for row in sample]
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-7)


def test_high_precision_is_within_1e_8_of_twice_its_points_and_iterations(monkeypatch: pytest.MonkeyPatch) -> None:
    columns = columns_of(GRID[::29])
    ours = american.price(*columns, accuracy="high_precision")
    for table in (SIZES, LONG_SIZES):
        sizes = table["high_precision"]
        more = sizes.iterations + sizes.iterations[-1:] * len(sizes.iterations)
        monkeypatch.setitem(table, "high_precision", Sizes(2 * sizes.collocation, more, 2 * sizes.premium))
    np.testing.assert_allclose(ours, american.price(*columns, accuracy="high_precision"), rtol=0, atol=1e-8)


@pytest.mark.parametrize(("accuracy", "root_mean_square", "largest"), [("fast", 9e-5, 1e-3), ("accurate", 6e-6, 1e-4)])
def test_coarser_accuracies_keep_their_error(accuracy: Accuracy, root_mean_square: float, largest: float) -> None:
    columns = columns_of(GRID)
    errors = american.price(*columns, accuracy=accuracy) - american.price(*columns, accuracy="high_precision")
    assert math.sqrt((errors**2).mean()) < root_mean_square
    assert np.abs(errors).max() < largest


def test_the_premium_published_by_andersen_lake_and_offengenden() -> None:
    """Their section 6.1: spot and strike 100, rate and yield 5 %, volatility 25 %, one year."""
    contract: Any = ("put", 100.0, 100.0, 1.0, 0.05, 0.05, 0.25)
    premium = american.price(*contract, accuracy="high_precision") - black_scholes.price(*contract)
    assert premium == pytest.approx(0.106952702747, abs=2e-12)


def test_prices_published_by_broadie_and_detemple() -> None:
    """ "American Option Valuation: New Bounds, Approximations, and a Comparison" (1996), table 1, true values."""
    ours = american.price("call", [80.0, 90.0, 100.0, 110.0, 120.0], 100.0, 0.5, 0.03, 0.07, 0.2)
    np.testing.assert_allclose(ours, [0.2194, 1.3864, 4.7825, 11.0978, 20.0004], rtol=0, atol=1.5e-4)


def test_a_long_life_tends_to_mckeans_perpetual_put() -> None:
    spot, strike, rate, dividend_yield, variance = 100.0, 100.0, 0.05, 0.03, 0.09
    half = 0.5 - (rate - dividend_yield) / variance
    power = half - math.sqrt(half * half + 2.0 * rate / variance)
    boundary = strike * power / (power - 1.0)
    perpetual = (strike - boundary) * (spot / boundary) ** power
    price = american.price("put", spot, strike, 400.0, rate, dividend_yield, 0.3, accuracy="high_precision")
    assert price == pytest.approx(perpetual, abs=1e-6)


@pytest.mark.parametrize("drift", [-6.0, -1.0, 0.0, 0.9, 1.5, 2.8, 6.0])
def test_strong_drifts_agree_with_quantlib(drift: float) -> None:
    """The number of deviations by which the drift moves the spot decides how the boundary's iteration converges."""
    volatility, days, rate = 0.1, 1095, 0.3
    dividend_yield = rate - drift * volatility / math.sqrt(days / _DAYS)
    for spot in (95.0, 102.0):
        row = (-1.0, spot, float(days), rate, max(dividend_yield, 0.0), volatility)
        accurate, finest = (
            american.price("put", spot, 100.0, days / _DAYS, *row[3:], accuracy=accuracy)
            for accuracy in ("accurate", "high_precision")
        )
        exact = quantlib_price(*row)
        assert accurate == pytest.approx(exact, abs=3e-4)
        assert finest == pytest.approx(exact, abs=1e-6)


def test_one_boundary_and_the_grid_agree() -> None:
    """Two methods with nothing in common: spectral collocation and finite differences."""
    columns = columns_of(GRID[3::41])
    on_grid = american.price_with_dividends(*columns, [], [])
    np.testing.assert_allclose(on_grid, american.price(*columns, accuracy="high_precision"), rtol=0, atol=2e-5)


def tree_price(
    sign: float, spot: float, time: float, rate: float, dividend_yield: float, volatility: float, steps: int
) -> float:
    """Cox, Ross and Rubinstein's tree with a strike of 100."""
    step = time / steps
    up = math.exp(volatility * math.sqrt(step))
    rise = (math.exp((rate - dividend_yield) * step) - 1.0 / up) / (up - 1.0 / up)
    discount = math.exp(-rate * step)
    spots = spot * up ** np.arange(-steps, steps + 1, 2.0)
    values = np.maximum(sign * (spots - 100.0), 0.0)
    for level in range(steps - 1, -1, -1):
        spots = spots[:-1] * up
        values = discount * (rise * values[1:] + (1.0 - rise) * values[:-1])
        values = np.maximum(values, sign * (spot * up ** np.arange(-level, level + 1, 2.0) - 100.0))
    return float(values[0])


# Rate and yield of a put, all signs: one boundary, two, none.
@pytest.mark.parametrize(
    ("rate", "dividend_yield"),
    [(0.04, -0.02), (0.0, -0.03), (-0.01, -0.04), (-0.02, -0.021), (-0.02, -0.06), (-0.02, 0.01), (-0.03, -0.01)],
)
def test_rates_of_either_sign_agree_with_a_tree(rate: float, dividend_yield: float) -> None:
    for spot, volatility in product((70.0, 95.0, 115.0), (0.08, 0.3)):
        put = american.price("put", spot, 100.0, 2.0, rate, dividend_yield, volatility)
        # Errors of two successive sizes of the tree nearly cancel.
        tree = [tree_price(-1, spot, 2.0, rate, dividend_yield, volatility, steps) for steps in (800, 801)]
        assert put == pytest.approx(0.5 * sum(tree), abs=6e-3)
        call = american.price("call", 100.0, spot, 2.0, dividend_yield, rate, volatility)
        assert call == pytest.approx(put, abs=1e-4)


def test_two_boundaries_are_right_to_1e_6(monkeypatch: pytest.MonkeyPatch) -> None:
    """Against a grid twice as fine, whose error is four times smaller before extrapolation."""
    contract: Any = ("put", [60.0, 75.0, 90.0, 98.0, 105.0], 100.0, 3.0, -0.02, -0.05, 0.1)
    high, accurate, fast = (american.price(*contract, accuracy=name) for name in ("high_precision", "accurate", "fast"))
    monkeypatch.setitem(GRIDS, "high_precision", (2401, 1200))
    finest = american.price(*contract, accuracy="high_precision")
    np.testing.assert_allclose(high, finest, rtol=0, atol=1e-6)
    np.testing.assert_allclose(accurate, finest, rtol=0, atol=2e-5)
    np.testing.assert_allclose(fast, finest, rtol=0, atol=2e-4)


@pytest.mark.parametrize("volatility", [0.1, 1.0, 3.0, 8.0, 19.0, 30.0, 1e4, 1e6])
def test_with_two_boundaries_calls_mirror_puts_and_lie_within_their_bounds(volatility: float) -> None:
    spots = np.array([60.0, 100.0, 140.0])
    call: Any = ("call", spots, 100.0, 1.0, -0.05, -0.02, volatility)
    calls = np.asarray(american.price(*call))
    np.testing.assert_allclose(calls, american.price("put", 100.0, spots, 1.0, -0.02, -0.05, volatility), rtol=1e-9)
    assert np.all(calls >= np.asarray(black_scholes.price(*call)) - 1e-9)
    # Its spot, grown at what it costs to hold.
    assert np.all(calls <= spots * math.exp(0.02) + 1e-9)


def test_between_two_boundaries_a_put_has_its_intrinsic_value_and_outside_more() -> None:
    spots = np.array([20.0, 85.0, 130.0])
    excess = np.asarray(american.price("put", spots, 100.0, 1.0, -0.01, -0.05, 0.05)) - np.maximum(100.0 - spots, 0.0)
    assert excess[1] == 0.0
    assert excess[0] > 1e-3


def test_never_exercised_early_means_black_scholes() -> None:
    for kind, rate, dividend_yield in (("call", 0.05, 0.0), ("call", 0.0, -0.02), ("put", -0.01, 0.02)):
        contract: Any = (kind, [80.0, 100.0, 125.0], 100.0, 1.5, rate, dividend_yield, 0.25)
        np.testing.assert_array_equal(american.price(*contract), black_scholes.price(*contract))
        np.testing.assert_array_equal(american.greeks(*contract), black_scholes.greeks(*contract))


def test_limits_have_their_right_answers() -> None:
    assert american.price("put", 90.0, 100.0, 0.0, 0.05, 0.0, 0.2) == 10.0
    assert american.price("call", 90.0, 100.0, 0.0, 0.05, 0.0, 0.2) == 0.0
    assert american.price("put", 0.0, 100.0, 1.0, 0.05, 0.0, 0.2) == 100.0
    assert american.price("put", 0.0, 100.0, 1.0, -0.05, 0.0, 0.2) == pytest.approx(100.0 * math.exp(0.05))
    assert american.price("call", 50.0, 0.0, 1.0, 0.05, 0.01, 0.2) == 50.0
    assert american.price("call", 50.0, 0.0, 1.0, 0.05, -0.01, 0.2) == pytest.approx(50.0 * math.exp(0.01))
    assert american.price("put", 50.0, 0.0, 1.0, 0.05, 0.01, 0.2) == 0.0
    assert american.price("call", 0.0, 100.0, 1.0, 0.05, 0.01, 0.2) == 0.0
    # Without volatility: at once, at the end, or where the present value turns, at ln(r K / (q S)) / (r - q).
    assert american.price("put", 90.0, 100.0, 2.0, 0.05, 0.02, 0.0) == 10.0
    at_the_end = 100.0 - 90.0 * math.exp(-0.1)
    assert american.price("put", 90.0, 100.0, 2.0, 0.0, 0.05, 0.0) == pytest.approx(at_the_end)
    turn = math.log(0.02 * 100.0 / (0.05 * 90.0)) / (0.02 - 0.05)
    in_between = 100.0 * math.exp(-0.02 * turn) - 90.0 * math.exp(-0.05 * turn)
    assert american.price("put", 90.0, 100.0, 40.0, 0.02, 0.05, 0.0) == pytest.approx(in_between)


@pytest.mark.parametrize("scale", [1e-90, 1e-3, 1e90])
def test_prices_scale_with_spot_and_strike(scale: float) -> None:
    contract: Any = (1.0, 0.05, 0.02, 0.3)
    one = american.price("put", 1.05, 1.0, *contract)
    assert american.price("put", 1.05 * scale, scale, *contract) == pytest.approx(one * scale, rel=1e-12)


def test_short_and_nearly_certain_options_tend_to_their_intrinsic_value() -> None:
    assert american.price("put", 99.0, 100.0, 1e-9, 0.05, 0.0, 0.2) == pytest.approx(1.0, abs=1e-8)
    assert american.price("put", 99.0, 100.0, 1.0, 0.05, 0.0, 1e-4) == pytest.approx(1.0, abs=1e-8)
    assert american.price("put", 1e-6, 100.0, 1.0, 0.05, 0.0, 0.2) == 100.0 - 1e-6
    assert 0.0 <= float(american.price("put", 1e6, 100.0, 1.0, 0.05, 0.0, 0.2)) < 1e-12


@settings(max_examples=60, deadline=None)
@given(
    sign=st.sampled_from([1, -1]),
    spot=st.floats(20.0, 400.0),
    time=st.floats(0.005, 20.0),
    rate=st.floats(0.0, 0.15),
    dividend_yield=st.floats(0.0, 0.15),
    volatility=st.floats(0.02, 1.5),
)
def test_bounds_monotonicity_and_convexity(
    sign: int, spot: float, time: float, rate: float, dividend_yield: float, volatility: float
) -> None:
    terms = (rate, dividend_yield)
    price = american.price(sign, spot, 100.0, time, *terms, volatility)
    slack = 2e-4
    assert price >= max(sign * (spot - 100.0), 0.0)
    assert price >= black_scholes.price(sign, spot, 100.0, time, *terms, volatility) - slack
    assert price <= (spot if sign > 0 else 100.0) + slack
    assert american.price(sign, spot, 100.0, time, *terms, 1.2 * volatility) >= price - slack
    assert american.price(sign, spot, 100.0, 1.2 * time, *terms, volatility) >= price - slack
    below, above = np.ravel(american.price(sign, [0.95 * spot, 1.05 * spot], 100.0, time, *terms, volatility))
    assert below + above >= 2.0 * price - slack
    assert sign * (above - below) >= -slack


def test_many_rows_on_several_threads_are_those_of_one() -> None:
    columns = columns_of(GRID * 5)
    every = broadcast(*columns)
    np.testing.assert_array_equal(np.tile(prices(broadcast(*columns_of(GRID)), "fast"), 5), prices(every, "fast"))


def test_kernels_agree_with_their_python_twins() -> None:
    """The same calls in a process that compiles nothing: every kernel then is the Python function beneath it."""
    program = (
        "from quantmesh.quant import american as a\n"
        "print(*a.price('put', [95.0, 140.0], 100.0, [2.0, 3.0], [0.05, 0.09], [0.02, 0.0], [0.25, 0.1], 'fast'),"
        " *a.greeks('call', 105.0, 100.0, 1.0, 0.02, 0.05, 0.2, 'fast'),"
        " *a.price_over_spots('put', [90.0, 100.0], 100.0, 1.0, 0.05, 0.0, 0.2, 'fast'),"
        " a.price('put', 100.0, 100.0, 0.0, 0.05, 0.0, 0.2, 'fast'))"
    )
    answers = [
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "NUMBA_DISABLE_JIT": disabled},
            capture_output=True,
            text=True,
            check=True,
            timeout=100,
        ).stdout
        for disabled in ("0", "1")
    ]
    compiled, interpreted = ([float(value) for value in answer.split()] for answer in answers)
    np.testing.assert_allclose(compiled, interpreted, rtol=1e-9, atol=1e-11)
