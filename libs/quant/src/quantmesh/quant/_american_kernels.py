"""American options in columns, and one contract over many spots: blocks filled, priced and stored."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit, types

from quantmesh.quant import _american_formulas as formulas
from quantmesh.quant._american_boundary_kernels import (
    BLOCK,
    DELTA,
    GAMMA,
    LOG_SPOT,
    LOOPS,
    NOW,
    ROWS,
    SPOT,
    VALUE,
    load_put,
)
from quantmesh.quant._american_premium_kernels import evaluate, find_premiums, repeat_first
from quantmesh.quant._black_scholes_formulas import is_inside_domain
from quantmesh.quant._black_scholes_kernels import OPTIONS
from quantmesh.quant._column_kernels import at
from quantmesh.quant._elementary import logarithm_of_ratio
from quantmesh.quant._elementary_kernels import compile_as

_FORMULAS: tuple[Callable[..., Any], ...] = (
    is_inside_domain,
    formulas.kind_of_put,
    formulas.is_long,
    formulas.kind_of,
    formulas.certain_exercise,
    formulas.certain_value_and_greeks,
)
for _formula in _FORMULAS:
    compile_as(_formula, _formula, {"error_model": "numpy"})


def _store(
    scratch: Any,
    j: int,
    sign: float,
    spot: float,
    strike: float,
    rate: float,
    dividend_yield: float,
    volatility: float,
    answer: Any,
) -> None:
    """Back from the put on a strike of 1 to the option, cut off where it is exercised.

    One answer is the price; six are price, delta, gamma, vega, theta and rho, of which vega and rho are left alone.
    """
    intrinsic = sign * (spot - strike)
    exercised = scratch[LOG_SPOT + j] <= scratch[NOW + j]
    scale = spot if sign > 0.0 else strike
    price = intrinsic if exercised else max(scale * scratch[VALUE + j], intrinsic, 0.0)
    answer[0] = price
    if answer.size == 1:
        return
    ratio = scratch[SPOT + j]
    slope = scratch[DELTA + j]
    curvature = scratch[GAMMA + j]
    delta = scratch[VALUE + j] - ratio * slope if sign > 0.0 else slope
    gamma = curvature * (ratio * ratio if sign > 0.0 else 1.0) / scale
    growth = (rate - dividend_yield) * spot * delta
    answer[1] = sign if exercised else delta
    answer[2] = 0.0 if exercised else gamma
    answer[4] = 0.0 if exercised else rate * price - growth - 0.5 * (volatility * spot) ** 2 * gamma


def _spread_out(scratch: Any, tables: Any, column: int, single: Any, table: Any) -> None:
    """A block and its tables, all columns of which are one."""
    for i in range(ROWS):
        single[i * BLOCK : (i + 1) * BLOCK] = scratch[i * BLOCK + column]
    for i in range(tables.shape[0]):
        for part in range(0, 4 * BLOCK, BLOCK):
            table[i, part : part + BLOCK] = tables[i, part + column]


def _price(
    sign: Any,
    spot: Any,
    strike: Any,
    time: Any,
    rate: Any,
    dividend_yield: Any,
    volatility: Any,
    start: int,
    stop: int,
    telling_long: bool,
    fractions: Any,
    points: Any,
    interpolation: Any,
    counts: Any,
    starts: Any,
    premium_points: Any,
    premium_interpolation: Any,
    outputs: Any,
    kinds: Any,
) -> int:
    """Fill rows of `outputs` as `_store` does, but EUROPEAN, TWO_BOUNDARIES and LONG_BOUNDARY. Returns the INVALID."""
    scratch = np.zeros(ROWS * BLOCK)
    squares = np.zeros((2, interpolation.shape[1], BLOCK))
    tables = np.empty((premium_points.shape[0], 4 * BLOCK))
    members = np.empty(BLOCK, np.int64)
    filled = 0
    invalid = 0
    for row in range(start, stop):
        s, x, k, t = at(sign, row), at(spot, row), at(strike, row), at(time, row)
        r, q, v = at(rate, row), at(dividend_yield, row), at(volatility, row)
        kind = formulas.kind_of(s, x, k, t, r, q, v, telling_long)
        kinds[row] = kind
        if kind == formulas.INVALID:
            invalid += 1
        elif kind == formulas.CERTAIN:
            values = formulas.certain_value_and_greeks(s, x, k, t, r, q)
            for i in range(outputs.shape[1]):
                outputs[row, i] = values[i]
        elif kind == formulas.ONE_BOUNDARY:
            load_put(scratch, filled, s, x, k, t, r, q, v)
            members[filled] = row
            filled += 1
        if filled == BLOCK or (filled > 0 and row == stop - 1):
            find_premiums(
                scratch,
                filled,
                fractions,
                points,
                interpolation,
                counts,
                starts,
                premium_points,
                premium_interpolation,
                squares,
                tables,
            )
            evaluate(scratch, premium_points, tables, premium_points.shape[0], outputs.shape[1] > 1)
            for j in range(filled):
                i = members[j]
                store(
                    scratch,
                    j,
                    at(sign, i),
                    at(spot, i),
                    at(strike, i),
                    at(rate, i),
                    at(dividend_yield, i),
                    at(volatility, i),
                    outputs[i],
                )
            filled = 0
    return invalid


def _price_spots(
    scratch: Any,
    premium_points: Any,
    tables: Any,
    count: int,
    sign: float,
    spots: Any,
    strike: float,
    time: float,
    rate: float,
    dividend_yield: float,
    volatility: float,
    prices: Any,
) -> None:
    """All columns of the block hold the same contract; `count` is 0 where it is European."""
    answer = np.empty(1)
    for begin in range(0, spots.size, BLOCK):
        filled = min(BLOCK, spots.size - begin)
        for j in range(BLOCK):
            spot = spots[begin + min(j, filled - 1)]
            scratch[SPOT + j] = strike if spot == 0.0 else spot
        for j in range(BLOCK):
            scratch[LOG_SPOT + j] = -sign * logarithm_of_ratio(scratch[SPOT + j], strike)
            scratch[SPOT + j] = strike / scratch[SPOT + j] if sign > 0.0 else scratch[SPOT + j] / strike
        evaluate(scratch, premium_points, tables, count, False)
        for j in range(filled):
            spot = spots[begin + j]
            if spot == 0.0:
                prices[begin + j] = formulas.certain_value_and_greeks(sign, 0.0, strike, time, rate, dividend_yield)[0]
            elif count == 0:
                prices[begin + j] = scratch[VALUE + j] * (spot if sign > 0.0 else strike)
            else:
                store(scratch, j, sign, spot, strike, rate, dividend_yield, volatility, answer)
                prices[begin + j] = answer[0]


def _price_over_spots(
    sign: Any,
    strike: Any,
    time: Any,
    rate: Any,
    dividend_yield: Any,
    volatility: Any,
    spots: Any,
    start: int,
    stop: int,
    telling_long: bool,
    fractions: Any,
    points: Any,
    interpolation: Any,
    counts: Any,
    starts: Any,
    premium_points: Any,
    premium_interpolation: Any,
    outputs: Any,
    kinds: Any,
) -> int:
    """One row of `outputs` per contract, but TWO_BOUNDARIES and LONG_BOUNDARY. Returns the INVALID, spots aside."""
    scratch = np.zeros(ROWS * BLOCK)
    single = np.zeros(ROWS * BLOCK)
    squares = np.zeros((2, interpolation.shape[1], BLOCK))
    tables = np.empty((premium_points.shape[0], 4 * BLOCK))
    table = np.empty((premium_points.shape[0], 4 * BLOCK))
    members = np.empty(BLOCK, np.int64)
    filled = 0
    invalid = 0
    for row in range(start, stop):
        s, k, t = at(sign, row), at(strike, row), at(time, row)
        r, q, v = at(rate, row), at(dividend_yield, row), at(volatility, row)
        kind = formulas.kind_of(s, 1.0, k, t, r, q, v, telling_long)
        kinds[row] = kind
        own = spots[0 if spots.shape[0] == 1 else row]
        if kind == formulas.INVALID:
            invalid += 1
        elif kind == formulas.CERTAIN:
            for i in range(own.size):
                outputs[row, i] = formulas.certain_value_and_greeks(s, own[i], k, t, r, q)[0]
        elif kind == formulas.EUROPEAN:
            load_put(single, 0, s, k, k, t, r, q, v)
            repeat_first(single, 1)
            price_spots(single, premium_points, table, 0, s, own, k, t, r, q, v, outputs[row])
        elif kind == formulas.ONE_BOUNDARY:
            load_put(scratch, filled, s, k, k, t, r, q, v)
            members[filled] = row
            filled += 1
        if filled == BLOCK or (filled > 0 and row == stop - 1):
            find_premiums(
                scratch,
                filled,
                fractions,
                points,
                interpolation,
                counts,
                starts,
                premium_points,
                premium_interpolation,
                squares,
                tables,
            )
            for j in range(filled):
                spread_out(scratch, tables, j, single, table)
                i = members[j]
                price_spots(
                    single,
                    premium_points,
                    table,
                    premium_points.shape[0],
                    at(sign, i),
                    spots[0 if spots.shape[0] == 1 else i],
                    at(strike, i),
                    at(time, i),
                    at(rate, i),
                    at(dividend_yield, i),
                    at(volatility, i),
                    outputs[i],
                )
            filled = 0
    return invalid


spread_out = njit(error_model="numpy")(_spread_out)
store = njit(error_model="numpy")(_store)
price_spots = njit(**LOOPS)(_price_spots)

_FLOATS = types.Array(types.float64, 1, "C", readonly=True)
_TABLE = types.Array(types.float64, 2, "C", readonly=True)
_WHOLE = types.Array(types.int64, 1, "C", readonly=True)
_SCHEME = (_FLOATS, _TABLE, _TABLE, _WHOLE, _WHOLE, _TABLE, _TABLE)
_SIGNS = types.Array(types.int8, 1, "C", readonly=True)
_OUTPUTS = (types.float64[:, ::1], types.int8[::1])
price: Any = njit(
    types.int64(_SIGNS, *[_FLOATS] * 6, types.int64, types.int64, types.boolean, *_SCHEME, *_OUTPUTS),
    **OPTIONS,
)(_price)
price_over_spots: Any = njit(
    types.int64(_SIGNS, *[_FLOATS] * 5, _TABLE, types.int64, types.int64, types.boolean, *_SCHEME, *_OUTPUTS),
    **OPTIONS,
)(_price_over_spots)
