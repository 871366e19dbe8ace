"""Blocks of options side by side: every stage is a loop over the options of a block, which LLVM vectorises.

A block's own numbers are rows of one scratch buffer, so that the compiler knows that they do not overlap; what is kept
per collocation or quadrature point are two-dimensional arrays with one row per point.
"""

from collections.abc import Callable
from typing import Any

from numba import njit

from quantmesh.quant import _american_formulas as formulas
from quantmesh.quant._elementary import exponential, logarithm_of_ratio, square_root
from quantmesh.quant._elementary_kernels import INLINE, compile_as

BLOCK = 16
_OPTIONS: Any = {"error_model": "numpy", "fastmath": {"contract"}}

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
SUM_PROBABILITY = 12 * BLOCK
LOG_BOUNDARY = 13 * BLOCK
BOUNDARY = 14 * BLOCK
DISCOUNT = 15 * BLOCK
CARRY = 16 * BLOCK
VALUE = 17 * BLOCK
DELTA = 18 * BLOCK
GAMMA = 19 * BLOCK
NOW = 20 * BLOCK  # log of the boundary today
SUM_PROBABILITY_MINUS = 21 * BLOCK
ROWS = 22

_FORMULAS: tuple[Callable[..., Any], ...] = (
    formulas.log_boundary_at_expiry,
    formulas.largest_gap,
    formulas.first_gap,
    formulas.boundary_terms,
    formulas.gap_of,
    formulas.gap_from_slope,
    formulas.gap_from_value,
    formulas.share_of_slope,
    formulas.premium_term,
    formulas.premium_slopes,
    formulas.european_parts,
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
    count = matrix.size
    weight = matrix[0]
    row = squares[0]
    for j in range(BLOCK):
        scratch[INTERPOLATED + j] = weight * row[j]
    for m in range(1, count):
        weight = matrix[m]
        row = squares[m]
        for j in range(BLOCK):
            scratch[INTERPOLATED + j] += weight * row[j]


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
            row[j] = scratch[GAP + j] * scratch[GAP + j]
    for iteration in range(counts.size):
        for i in range(fractions.size):
            row = squares[i]
            for j in range(BLOCK):
                scratch[GAP + j] = square_root(row[j])
                scratch[SUM_MINUS + j] = 0.0
                scratch[SUM_PLUS + j] = 0.0
                scratch[SUM_PROBABILITY + j] = 0.0
                scratch[SUM_PROBABILITY_MINUS + j] = 0.0
            for k in range(counts[iteration]):
                place = starts[iteration] + i * counts[iteration] + k
                interpolate(scratch, squares, interpolation[place])
                add_terms(scratch, points[place, 0], points[place, 1], points[place, 2], with_values)
            solve_node(scratch, fractions[i], with_values)
            row = following[i]
            for j in range(BLOCK):
                row[j] = scratch[GAP + j] * scratch[GAP + j]
        squares[:] = following


def _add_terms(scratch: Any, fraction: float, first: float, second: float, with_values: bool) -> None:
    """One quadrature point's part of the sums."""
    if with_values:
        for j in range(BLOCK):
            minus, plus, probability_plus, probability_minus = formulas.boundary_terms(
                scratch[INTERPOLATED + j],
                scratch[GAP + j],
                scratch[DEVIATION + j],
                scratch[DRIFT + j],
                scratch[RATE_TIME + j],
                scratch[YIELD_TIME + j],
                fraction,
            )
            scratch[SUM_MINUS + j] += first * minus
            scratch[SUM_PLUS + j] += first * plus
            scratch[SUM_PROBABILITY + j] += second * probability_plus
            scratch[SUM_PROBABILITY_MINUS + j] += second * probability_minus
    else:
        # What is not used is not computed.
        for j in range(BLOCK):
            minus, plus, probability_plus, _ = formulas.boundary_terms(
                scratch[INTERPOLATED + j],
                scratch[GAP + j],
                scratch[DEVIATION + j],
                scratch[DRIFT + j],
                scratch[RATE_TIME + j],
                scratch[YIELD_TIME + j],
                fraction,
            )
            scratch[SUM_MINUS + j] += first * minus
            scratch[SUM_PLUS + j] += first * plus
            scratch[SUM_PROBABILITY + j] += second * probability_plus


def _solve_node(scratch: Any, fraction: float, with_values: bool) -> None:
    """The next gap of one collocation point."""
    for j in range(BLOCK):
        # At expiry the strike takes the boundary's place.
        scratch[INTERPOLATED + j] = 0.0
        scratch[GAP + j] -= scratch[LOG_AT_EXPIRY + j]
    for j in range(BLOCK):
        final = formulas.boundary_terms(
            scratch[INTERPOLATED + j],
            scratch[GAP + j],
            scratch[DEVIATION + j],
            scratch[DRIFT + j],
            scratch[RATE_TIME + j],
            scratch[YIELD_TIME + j],
            fraction,
        )
        scratch[GAP + j] = formulas.gap_from_slope(
            scratch[LOG_AT_EXPIRY + j],
            scratch[LARGEST + j],
            scratch[DEVIATION + j],
            scratch[RATE_TIME + j],
            scratch[YIELD_TIME + j],
            fraction,
            final,
            scratch[SUM_MINUS + j],
            scratch[SUM_PLUS + j],
            scratch[SUM_PROBABILITY + j],
        )
        scratch[INTERPOLATED + j] = final[2]
        scratch[SUM_MINUS + j] = final[3]
    if with_values:
        for j in range(BLOCK):
            by_value = formulas.gap_from_value(
                scratch[LOG_AT_EXPIRY + j],
                scratch[LARGEST + j],
                scratch[RATE_TIME + j],
                scratch[YIELD_TIME + j],
                scratch[SUM_MINUS + j],
                scratch[INTERPOLATED + j],
                scratch[SUM_PROBABILITY_MINUS + j],
                scratch[SUM_PROBABILITY + j],
            )
            share = formulas.share_of_slope(scratch[DRIFT + j], fraction)
            scratch[GAP + j] = share * scratch[GAP + j] + (1.0 - share) * by_value


def _tabulate(scratch: Any, squares: Any, premium_points: Any, matrix: Any, tables: Any) -> None:
    """Log of the boundary, boundary, discount factor and carry at every quadrature point of the premium."""
    row = squares[0]
    for j in range(BLOCK):
        scratch[NOW + j] = scratch[LOG_AT_EXPIRY + j] - square_root(row[j])
    for k in range(premium_points.shape[0]):
        interpolate(scratch, squares, matrix[k])
        elapsed = premium_points[k, 0] * premium_points[k, 0]
        for j in range(BLOCK):
            gap = square_root(max(scratch[INTERPOLATED + j], 0.0))
            scratch[LOG_BOUNDARY + j] = scratch[LOG_AT_EXPIRY + j] - gap
            scratch[BOUNDARY + j] = exponential(scratch[LOG_AT_EXPIRY + j] - gap)
            scratch[DISCOUNT + j] = exponential(-scratch[RATE_TIME + j] * elapsed)
            scratch[CARRY + j] = exponential(-scratch[YIELD_TIME + j] * elapsed)
        row = tables[k]
        for j in range(4 * BLOCK):
            row[j] = scratch[LOG_BOUNDARY + j]


def _evaluate(scratch: Any, premium_points: Any, tables: Any, count: int, with_slopes: bool) -> None:
    """Rows `VALUE`, `DELTA` and `GAMMA`, the exercise region not yet cut off."""
    for j in range(BLOCK):
        value, delta, gamma = formulas.european_parts(
            scratch[LOG_SPOT + j],
            scratch[SPOT + j],
            scratch[DEVIATION + j],
            scratch[DRIFT + j],
            scratch[RATE_TIME + j],
            scratch[YIELD_TIME + j],
        )
        scratch[VALUE + j] = value
        scratch[DELTA + j] = delta
        scratch[GAMMA + j] = gamma
    for k in range(count):
        fraction = premium_points[k, 0]
        weight = premium_points[k, 1]
        row = tables[k]
        for j in range(4 * BLOCK):
            scratch[LOG_BOUNDARY + j] = row[j]
        for j in range(BLOCK):
            scratch[VALUE + j] += weight * formulas.premium_term(
                scratch[LOG_SPOT + j] - scratch[LOG_BOUNDARY + j],
                scratch[BOUNDARY + j],
                scratch[SPOT + j],
                scratch[DEVIATION + j],
                scratch[DRIFT + j],
                scratch[RATE_TIME + j],
                scratch[YIELD_TIME + j],
                scratch[DISCOUNT + j],
                scratch[CARRY + j],
                fraction,
            )
        if with_slopes:
            for j in range(BLOCK):
                delta, gamma = formulas.premium_slopes(
                    scratch[LOG_SPOT + j] - scratch[LOG_BOUNDARY + j],
                    scratch[BOUNDARY + j],
                    scratch[SPOT + j],
                    scratch[DEVIATION + j],
                    scratch[DRIFT + j],
                    scratch[RATE_TIME + j],
                    scratch[YIELD_TIME + j],
                    scratch[DISCOUNT + j],
                    scratch[CARRY + j],
                    fraction,
                )
                scratch[DELTA + j] += weight * delta
                scratch[GAMMA + j] += weight * gamma


load_put = njit(**INLINE)(_load_put)
interpolate = njit(**INLINE)(_interpolate)
add_terms = njit(**INLINE)(_add_terms)
solve_node = njit(**INLINE)(_solve_node)
find_boundary = njit(**_OPTIONS)(_find_boundary)
tabulate = njit(**_OPTIONS)(_tabulate)
evaluate = njit(**_OPTIONS)(_evaluate)
