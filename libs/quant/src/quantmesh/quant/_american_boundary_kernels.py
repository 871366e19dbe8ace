"""Blocks of options side by side: every stage is a loop over the options of a block, which LLVM vectorises.

A block's own numbers are rows of one scratch buffer, so that the compiler knows that they do not overlap; what is kept
per collocation or quadrature point are two-dimensional arrays with one row per point.
"""

from collections.abc import Callable
from typing import Any

from numba import njit

from quantmesh.quant import _american_formulas as formulas
from quantmesh.quant._american_schemes import WEIGHTS_AT_ONCE
from quantmesh.quant._elementary import (
    exponential,
    logarithm_of_ratio,
    mills_ratio,
    square_root,
)
from quantmesh.quant._elementary_kernels import INLINE, compile_as

BLOCK = 32
LOOPS: Any = {"error_model": "numpy", "fastmath": {"contract"}}

_LOG_ROOT_TWO_PI = 0.9189385332046727

# Rows of the scratch buffer.
SPOT = 0  # over the strike, of the put that an option is turned into
LOG_SPOT = 1 * BLOCK
DEVIATION = 2 * BLOCK
DRIFT = 3 * BLOCK
RATE_TIME = 4 * BLOCK
YIELD_TIME = 5 * BLOCK
LOG_AT_EXPIRY = 6 * BLOCK
LARGEST = 7 * BLOCK
GAP = 8 * BLOCK
INTERPOLATED = 9 * BLOCK
SUM_MINUS = 10 * BLOCK
SUM_PLUS = 11 * BLOCK
SUM_PROBABILITY_PLUS = 12 * BLOCK
SUM_PROBABILITY_MINUS = 13 * BLOCK
# Stages of a formula work on all of these at once.
D_PLUS = 14 * BLOCK
D_MINUS = 15 * BLOCK
RATIO_PLUS = 16 * BLOCK
RATIO_MINUS = 17 * BLOCK
DENSITY_MINUS = 18 * BLOCK
DENSITY_PLUS = 19 * BLOCK
CARRY = 20 * BLOCK
DISCOUNT = 21 * BLOCK
# A table of the premium has these four per point, the factors above included.
LOG_BOUNDARY = 22 * BLOCK
BOUNDARY = 23 * BLOCK
VALUE = 24 * BLOCK
DELTA = 25 * BLOCK
GAMMA = 26 * BLOCK
NOW = 27 * BLOCK  # log of the boundary today
ROWS = 28

_FORMULAS: tuple[Callable[..., Any], ...] = (
    formulas.log_boundary_at_expiry,
    formulas.largest_gap,
    formulas.first_gap,
    formulas.boundary_distances,
    formulas.probability_below,
    formulas.gap_of,
    formulas.gap_from_slope,
    formulas.gap_from_value,
    formulas.share_of_slope,
)
for _formula in _FORMULAS:
    compile_as(_formula, _formula)


def _load_put(
    scratch: Any,
    j: int,
    sign: float,
    spot: float,
    strike: float,
    time: float,
    rate: float,
    dividend_yield: float,
    volatility: float,
) -> None:
    """Fill one column of the block with the put on a strike of 1 that the option is turned into."""
    is_call = sign > 0.0
    put_rate = dividend_yield if is_call else rate
    put_yield = rate if is_call else dividend_yield
    root = square_root(time)
    scratch[LOG_SPOT + j] = -sign * logarithm_of_ratio(spot, strike)
    scratch[SPOT + j] = strike / spot if is_call else spot / strike
    scratch[DEVIATION + j] = volatility * root
    scratch[DRIFT + j] = (put_rate - put_yield) * root / volatility
    scratch[RATE_TIME + j] = put_rate * time
    scratch[YIELD_TIME + j] = put_yield * time
    log_at_expiry = formulas.log_boundary_at_expiry(put_rate, put_yield)
    scratch[LOG_AT_EXPIRY + j] = log_at_expiry
    scratch[LARGEST + j] = formulas.largest_gap(log_at_expiry, put_rate, put_yield, volatility)


def _interpolate(scratch: Any, squares: Any, matrix: Any) -> None:
    """Row `INTERPOLATED` becomes the squared gap at one quadrature point."""
    for j in range(BLOCK):
        scratch[INTERPOLATED + j] = 0.0
    for m in range(0, matrix.size, WEIGHTS_AT_ONCE):
        first, second, third, fourth = matrix[m], matrix[m + 1], matrix[m + 2], matrix[m + 3]
        row, next_row, third_row, fourth_row = squares[m], squares[m + 1], squares[m + 2], squares[m + 3]
        for j in range(BLOCK):
            scratch[INTERPOLATED + j] += (
                first * row[j] + second * next_row[j] + third * third_row[j] + fourth * fourth_row[j]
            )


def _copy(scratch: Any, start: int, row: Any) -> None:
    """Alone in its loop: where arrays may overlap, nothing else vectorises beside it."""
    for j in range(row.size):
        row[j] = scratch[start + j]


def _find_boundary(
    scratch: Any,
    fractions: Any,
    points: Any,
    interpolation: Any,
    counts: Any,
    starts: Any,
    with_values: bool,
    pair: Any,
) -> None:
    """`pair[0]` becomes the squared gaps at the collocation points, `pair[1]` is used on the way."""
    squares = pair[0]
    following = pair[1]
    for i in range(fractions.size):
        fraction = fractions[i]
        row = squares[i]
        for j in range(BLOCK):
            scratch[GAP + j] = formulas.first_gap(scratch[LARGEST + j], scratch[DEVIATION + j], fraction)
        for j in range(BLOCK):
            scratch[GAP + j] *= scratch[GAP + j]
        copy(scratch, GAP, row)
    for iteration in range(counts.size):
        for i in range(fractions.size):
            row = squares[i]
            for j in range(BLOCK):
                scratch[GAP + j] = row[j]
            for j in range(BLOCK):
                scratch[GAP + j] = square_root(scratch[GAP + j])
                scratch[SUM_MINUS + j] = 0.0
                scratch[SUM_PLUS + j] = 0.0
                scratch[SUM_PROBABILITY_PLUS + j] = 0.0
                scratch[SUM_PROBABILITY_MINUS + j] = 0.0
            for k in range(counts[iteration]):
                place = starts[iteration] + i * counts[iteration] + k
                interpolate(scratch, squares, interpolation[place])
                add_terms(scratch, points[place, 0], points[place, 1], points[place, 2], with_values)
            solve_node(scratch, fractions[i], with_values)
            for j in range(BLOCK):
                scratch[GAP + j] *= scratch[GAP + j]
            copy(scratch, GAP, following[i])
        squares[:] = following


def _add_terms(scratch: Any, fraction: float, first: float, second: float, with_values: bool) -> None:
    """One quadrature point's part of the sums."""
    compute_terms(scratch, fraction, with_values)
    for j in range(BLOCK):
        scratch[SUM_MINUS + j] += first * scratch[DENSITY_MINUS + j]
        scratch[SUM_PLUS + j] += first * scratch[DENSITY_PLUS + j]
        scratch[SUM_PROBABILITY_PLUS + j] += second * formulas.probability_below(
            scratch[D_PLUS + j], scratch[DENSITY_PLUS + j] * scratch[RATIO_PLUS + j], scratch[CARRY + j]
        )
    if with_values:
        for j in range(BLOCK):
            scratch[SUM_PROBABILITY_MINUS + j] += second * formulas.probability_below(
                scratch[D_MINUS + j], scratch[DENSITY_MINUS + j] * scratch[RATIO_MINUS + j], scratch[DISCOUNT + j]
            )


def _compute_terms(scratch: Any, fraction: float, with_values: bool) -> None:
    """Rows from `D_PLUS` to `CARRY`, with values also `DISCOUNT`: short loops leave the processor room."""
    elapsed = fraction * fraction
    for j in range(BLOCK):
        d_plus, d_minus = formulas.boundary_distances(
            scratch[INTERPOLATED + j], scratch[GAP + j], scratch[DEVIATION + j], scratch[DRIFT + j], fraction
        )
        scratch[D_PLUS + j] = d_plus
        scratch[D_MINUS + j] = d_minus
        carried = scratch[YIELD_TIME + j] * elapsed
        discounted = scratch[RATE_TIME + j] * elapsed
        scratch[DENSITY_PLUS + j] = -0.5 * d_plus * d_plus - (carried + _LOG_ROOT_TWO_PI)
        scratch[DENSITY_MINUS + j] = -0.5 * d_minus * d_minus - (discounted + _LOG_ROOT_TWO_PI)
        scratch[CARRY + j] = -carried
        scratch[DISCOUNT + j] = -discounted
    ratios = 2 * BLOCK if with_values else BLOCK
    powers = 4 * BLOCK if with_values else 3 * BLOCK
    for j in range(ratios):
        scratch[RATIO_PLUS + j] = mills_ratio(abs(scratch[D_PLUS + j]))
    for j in range(powers):
        scratch[DENSITY_MINUS + j] = exponential(scratch[DENSITY_MINUS + j])


def _solve_node(scratch: Any, fraction: float, with_values: bool) -> None:
    """The next gap of one collocation point."""
    for j in range(BLOCK):
        # At expiry the strike takes the boundary's place.
        scratch[INTERPOLATED + j] = 0.0
        scratch[GAP + j] -= scratch[LOG_AT_EXPIRY + j]
    compute_terms(scratch, fraction, with_values)
    for j in range(BLOCK):
        scratch[CARRY + j] = formulas.probability_below(
            scratch[D_PLUS + j], scratch[DENSITY_PLUS + j] * scratch[RATIO_PLUS + j], scratch[CARRY + j]
        )
    for j in range(BLOCK):
        scratch[GAP + j] = formulas.gap_from_slope(
            scratch[LOG_AT_EXPIRY + j],
            scratch[LARGEST + j],
            scratch[DEVIATION + j],
            scratch[RATE_TIME + j],
            scratch[YIELD_TIME + j],
            fraction,
            scratch[DENSITY_MINUS + j],
            scratch[DENSITY_PLUS + j],
            scratch[CARRY + j],
            scratch[SUM_MINUS + j],
            scratch[SUM_PLUS + j],
            scratch[SUM_PROBABILITY_PLUS + j],
        )
    if with_values:
        for j in range(BLOCK):
            probability_minus = formulas.probability_below(
                scratch[D_MINUS + j], scratch[DENSITY_MINUS + j] * scratch[RATIO_MINUS + j], scratch[DISCOUNT + j]
            )
            by_value = formulas.gap_from_value(
                scratch[LOG_AT_EXPIRY + j],
                scratch[LARGEST + j],
                scratch[RATE_TIME + j],
                scratch[YIELD_TIME + j],
                probability_minus,
                scratch[CARRY + j],
                scratch[SUM_PROBABILITY_MINUS + j],
                scratch[SUM_PROBABILITY_PLUS + j],
            )
            share = formulas.share_of_slope(scratch[DRIFT + j], fraction)
            scratch[GAP + j] = share * scratch[GAP + j] + (1.0 - share) * by_value


load_put = njit(**INLINE)(_load_put)
copy = njit(**INLINE)(_copy)
interpolate = njit(**INLINE)(_interpolate)
compute_terms = njit(**LOOPS)(_compute_terms)  # inlined twice, it would take long to compile
add_terms = njit(**INLINE)(_add_terms)
solve_node = njit(**INLINE)(_solve_node)
find_boundary = njit(**LOOPS)(_find_boundary)
