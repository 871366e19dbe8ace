"""Rows under Heston's model with jumps: those of one law stand together in `order` and share one quadrature."""

import math
from typing import Any

import numpy as np
from numba import njit, types

from quantmesh.quant import _black_scholes_formulas as european
from quantmesh.quant import _elementary
from quantmesh.quant import _heston_moments as moments
from quantmesh.quant import _heston_nodes as nodes
from quantmesh.quant import _heston_quadrature as quadrature
from quantmesh.quant._column_kernels import at
from quantmesh.quant._elementary_kernels import INLINE, compile_as
from quantmesh.quant._heston_moments import Law

# Rows of outputs: price, delta, gamma, vega, theta, rho, and the price by v0, kappa, theta, sigma, rho, and the three
# parameters of the jumps.
FIRST_PARAMETER = 6
_OPTIONS: Any = {**nodes.PLAIN, "cache": True}
compile_as(european.is_inside_domain, european.is_inside_domain)


def _law_of(columns: Any, row: int) -> Law:
    return Law(
        at(columns[2], row),
        at(columns[5], row),
        at(columns[6], row),
        at(columns[7], row),
        at(columns[8], row),
        at(columns[9], row),
        at(columns[10], row),
        at(columns[11], row),
        at(columns[12], row),
    )


def _is_inside_domain(columns: Any, row: int, law: Law) -> bool:
    return european.is_inside_domain(
        at(columns[0], row),
        at(columns[1], row),
        law.time,
        at(columns[3], row),
        at(columns[4], row),
        law.v0,
    ) & moments.is_inside_domain(law)


def _log_forward_over_strike(columns: Any, row: int, law: Law) -> float:
    spot = max(at(columns[0], row), _elementary.TINY)
    strike = max(at(columns[1], row), _elementary.TINY)
    drift: float = (at(columns[3], row) - at(columns[4], row)) * law.time
    moneyness: float = _elementary.logarithm_of_ratio(spot, strike)
    return moneyness + drift


def _fill_row(
    row: int,
    signs: Any,
    columns: Any,
    law: Law,
    reaches: Any,
    k: float,
    period: float,
    sums: Any,
    outputs: Any,
) -> None:
    sign = float(at(signs, row))
    spot, strike = at(columns[0], row), at(columns[1], row)
    rate, dividend_yield = at(columns[3], row), at(columns[4], row)
    carry = _elementary.exponential(-dividend_yield * law.time)
    discount = _elementary.exponential(-rate * law.time)
    carried_spot, discounted_strike = spot * carry, strike * discount
    outputs[0, row] = max(sign * (carried_spot - discounted_strike), 0.0)
    if not -reaches[0] < k < reaches[1]:
        # Nothing is left to chance; exactly at the money each Greek is the mean of its two sides.
        if outputs.shape[0] > 1:
            exercised = 0.5 * (1.0 + np.sign(sign * k))
            outputs[1, row] = sign * exercised * carry
            outputs[2, row] = math.inf if k == 0.0 else 0.0
            outputs[3, row] = 0.0
            outputs[4, row] = sign * exercised * (dividend_yield * carried_spot - rate * discounted_strike)
            outputs[5, row] = sign * exercised * law.time * discounted_strike
            outputs[FIRST_PARAMETER:, row] = 0.0
        return
    scale = math.sqrt(carried_spot) * math.sqrt(discounted_strike)
    outputs[0, row] += scale * sums[0]
    if outputs.shape[0] == 1:
        return
    # The lesser of spot and strike is worth scale * covered; the option is what the one it pays in is worth above that.
    covered = math.exp(-0.5 * abs(k)) - sums[0]
    slope = sums[nodes.SLOPE] - math.sinh(0.5 * k) / math.expm1(0.5 * period)
    outputs[1, row] = (carry if sign > 0.0 else 0.0) - scale / spot * (0.5 * covered + slope)
    outputs[2, row] = scale / (spot * spot) * sums[nodes.DENSITY]
    outputs[3, row] = -2.0 * math.sqrt(law.v0) * scale * sums[nodes.BY_V0]
    held = dividend_yield * carried_spot if sign > 0.0 else rate * discounted_strike
    drift = (rate - dividend_yield) * slope - 0.5 * (rate + dividend_yield) * covered
    outputs[4, row] = held + scale * (drift + sums[nodes.BY_TIME])
    paid = 0.0 if sign > 0.0 else law.time * discounted_strike
    outputs[5, row] = law.time * scale * (0.5 * covered - slope) - paid
    for i in range(FIRST_PARAMETER, outputs.shape[0]):
        series = nodes.BY_V0 if i == FIRST_PARAMETER else nodes.BY_KAPPA + i - FIRST_PARAMETER - 1
        outputs[i, row] = -scale * sums[series]


def _evaluate(order: Any, sign: Any, columns: Any, outputs: Any) -> int:
    """Fill the columns of outputs named by `order`; answers how many rows lie outside their domain.

    The row whose integral does not converge is answered as -1 less its number.
    One row of outputs is the price alone; six have the Greeks, eleven Heston's parameters, fourteen the jumps' too.
    """
    count = outputs.shape[0] - 2
    if outputs.shape[0] <= FIRST_PARAMETER:
        count = nodes.PRICE_SERIES if outputs.shape[0] == 1 else nodes.GREEKS_SERIES
    coefficients = np.empty(nodes.COEFFICIENTS)
    reaches = np.empty(2)
    invalid = 0
    start = 0
    while start < order.size:
        law = law_of(columns, order[start])
        stop = start + 1
        last = min(start + quadrature.MOST_STRIKES, order.size)
        while stop < last and law_of(columns, order[stop]) == law:
            stop += 1
        lanes = (stop - start + quadrature.LANES - 1) // quadrature.LANES * quadrature.LANES
        k = np.empty(lanes)
        inside = True
        for i in range(start, stop):
            row = order[i]
            if not is_inside_domain(columns, row, law):
                invalid += 1
                inside = False
            k[i - start] = log_forward_over_strike(columns, row, law)
        k[stop - start :] = k[0]
        if inside:
            sums = np.empty((count, lanes))
            variance = moments.expected_variance(law)
            period = 0.0
            reaches[:] = 0.0
            if variance > 0.0:
                tolerance = quadrature.TOLERANCE * min(math.sqrt(variance), 1.0)
                reaches[0] = moments.reach(1.0, -math.log(tolerance), variance, law)
                reaches[1] = moments.reach(-1.0, -math.log(tolerance), variance, law)
                period, zero_exponent = quadrature.integrate(law, tolerance, reaches, k, count, coefficients, sums)
                if math.isnan(period):
                    return -1 - int(order[start])
                quadrature.time_values(k, period, zero_exponent, sums)
            for i in range(start, stop):
                column = sums[:, i - start]
                fill_row(order[i], sign, columns, law, reaches, k[i - start], period, column, outputs)
        start = stop
    return invalid


law_of = njit(**INLINE)(_law_of)
is_inside_domain = njit(**INLINE)(_is_inside_domain)
log_forward_over_strike = njit(**nodes.PLAIN)(_log_forward_over_strike)
fill_row = njit(**nodes.PLAIN)(_fill_row)

# Numba's own constructors carry no types.
_columns: Any = types.UniTuple
# Read-only views (of Arrow buffers) pass too, and nothing is compiled twice.
_SIGNATURE = types.int64(
    types.Array(types.int64, 1, "C"),
    types.Array(types.int8, 1, "C", readonly=True),
    _columns(types.Array(types.float64, 1, "C", readonly=True), 13),
    types.float64[:, ::1],
)
evaluate = njit(_SIGNATURE, **_OPTIONS)(_evaluate)
