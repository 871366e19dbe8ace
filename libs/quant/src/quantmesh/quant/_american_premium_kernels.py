"""The price above a known boundary: what early exercise earns, by quadrature over the rest of the option's life."""

from collections.abc import Callable
from typing import Any

from numba import njit

from quantmesh.quant import _american_formulas as formulas
from quantmesh.quant._american_boundary_kernels import (
    BLOCK,
    BOUNDARY,
    CARRY,
    D_MINUS,
    D_PLUS,
    DELTA,
    DENSITY_MINUS,
    DEVIATION,
    DISCOUNT,
    DRIFT,
    GAMMA,
    GAP,
    INTERPOLATED,
    LOG_AT_EXPIRY,
    LOG_BOUNDARY,
    LOG_SPOT,
    LOOPS,
    NOW,
    RATE_TIME,
    RATIO_MINUS,
    RATIO_PLUS,
    SPOT,
    VALUE,
    YIELD_TIME,
    copy,
    find_boundary,
    interpolate,
)
from quantmesh.quant._black_scholes_formulas import density
from quantmesh.quant._elementary import exponential, mills_ratio, square_root
from quantmesh.quant._elementary_kernels import INLINE, compile_as

_FORMULAS: tuple[Callable[..., Any], ...] = (
    formulas.premium_distances,
    formulas.premium_term,
    formulas.premium_slopes,
    formulas.european_parts,
)
for _formula in _FORMULAS:
    compile_as(_formula, _formula)


def _tabulate(scratch: Any, squares: Any, premium_points: Any, matrix: Any, tables: Any) -> None:
    """Log of the boundary, boundary, discount factor and carry at every quadrature point of the premium."""
    row = squares[0]
    for j in range(BLOCK):
        scratch[NOW + j] = row[j]
    for j in range(BLOCK):
        scratch[NOW + j] = scratch[LOG_AT_EXPIRY + j] - square_root(scratch[NOW + j])
    for k in range(premium_points.shape[0]):
        interpolate(scratch, squares, matrix[k])
        elapsed = premium_points[k, 0] * premium_points[k, 0]
        for j in range(BLOCK):
            gap = square_root(max(scratch[INTERPOLATED + j], 0.0))
            scratch[LOG_BOUNDARY + j] = scratch[LOG_AT_EXPIRY + j] - gap
            scratch[BOUNDARY + j] = exponential(scratch[LOG_AT_EXPIRY + j] - gap)
            scratch[DISCOUNT + j] = exponential(-scratch[RATE_TIME + j] * elapsed)
            scratch[CARRY + j] = exponential(-scratch[YIELD_TIME + j] * elapsed)
        copy(scratch, CARRY, tables[k])


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
            scratch[CARRY + j] = row[j]
        for j in range(BLOCK):
            d_plus, d_minus = formulas.premium_distances(
                scratch[LOG_SPOT + j] - scratch[LOG_BOUNDARY + j], scratch[DEVIATION + j], scratch[DRIFT + j], fraction
            )
            scratch[D_PLUS + j] = d_plus
            scratch[D_MINUS + j] = d_minus
        for j in range(2 * BLOCK):
            scratch[RATIO_PLUS + j] = mills_ratio(abs(scratch[D_PLUS + j]))
        for j in range(BLOCK):
            scratch[DENSITY_MINUS + j] = density(scratch[D_MINUS + j])
        for j in range(BLOCK):
            scratch[VALUE + j] += weight * formulas.premium_term(
                scratch[D_PLUS + j],
                scratch[D_MINUS + j],
                scratch[RATIO_PLUS + j],
                scratch[RATIO_MINUS + j],
                scratch[DENSITY_MINUS + j],
                scratch[BOUNDARY + j],
                scratch[SPOT + j],
                scratch[RATE_TIME + j],
                scratch[YIELD_TIME + j],
                scratch[DISCOUNT + j],
                scratch[CARRY + j],
            )
        if with_slopes:
            for j in range(BLOCK):
                delta, gamma = formulas.premium_slopes(
                    scratch[D_PLUS + j],
                    scratch[D_MINUS + j],
                    scratch[RATIO_PLUS + j],
                    scratch[DENSITY_MINUS + j],
                    scratch[BOUNDARY + j],
                    scratch[SPOT + j],
                    scratch[RATE_TIME + j],
                    scratch[YIELD_TIME + j],
                    scratch[DISCOUNT + j],
                    scratch[CARRY + j],
                    scratch[DEVIATION + j] * fraction,
                )
                scratch[DELTA + j] += weight * delta
                scratch[GAMMA + j] += weight * gamma


def _repeat_first(scratch: Any, filled: int) -> None:
    """A block is always full."""
    for i in range(GAP // BLOCK):
        for j in range(filled, BLOCK):
            scratch[i * BLOCK + j] = scratch[i * BLOCK]


def _needs_values(scratch: Any) -> bool:
    """Whether some column's drift is so strong that system A alone would diverge."""
    strongest = scratch[DRIFT]
    for j in range(1, BLOCK):
        strongest = max(strongest, scratch[DRIFT + j])
    return bool(strongest > formulas.MOSTLY_SLOPES)


def _find_premiums(
    scratch: Any,
    filled: int,
    fractions: Any,
    points: Any,
    interpolation: Any,
    counts: Any,
    starts: Any,
    premium_points: Any,
    premium_interpolation: Any,
    squares: Any,
    tables: Any,
) -> None:
    """Of a block with so many contracts: the boundaries, and what the premium's integral takes from them."""
    repeat_first(scratch, filled)
    find_boundary(scratch, fractions, points, interpolation, counts, starts, needs_values(scratch), squares)
    tabulate(scratch, squares[0], premium_points, premium_interpolation, tables)


tabulate = njit(**LOOPS)(_tabulate)
evaluate = njit(**LOOPS)(_evaluate)
repeat_first = njit(error_model="numpy")(_repeat_first)
needs_values = njit(**INLINE)(_needs_values)
find_premiums = njit(error_model="numpy")(_find_premiums)
