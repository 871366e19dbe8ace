"""Loops over `_bachelier_formulas` that LLVM vectorises. A column has one element per option, or one for all."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit, types

from quantmesh.quant import _bachelier_formulas as formulas
from quantmesh.quant import (
    _implied_volatility_kernels,  # noqa: F401  importing it lets kernels call `normal_deviation`
)
from quantmesh.quant._black_scholes_kernels import BLOCK, OPTIONS, load
from quantmesh.quant._elementary import square_root
from quantmesh.quant._elementary_kernels import INLINE, compile_as
from quantmesh.quant._implied_volatility_formulas import normal_deviation

_FORMULAS: tuple[Callable[..., Any], ...] = (
    formulas.is_inside_domain,
    formulas.price_of_one,
    formulas.price_and_greeks_of_one,
    formulas.higher_order_greeks_of_one,
    formulas.time_value,
    formulas.status_of,
    formulas.improved,
)
for _formula in _FORMULAS:
    compile_as(_formula, _formula)


def _load_inputs(
    scratch: Any, start: int, count: int, sign: Any, first: Any, second: Any, third: Any, fourth: Any, fifth: Any
) -> None:
    load(scratch, 0, sign, start, count)
    load(scratch, 1, first, start, count)
    load(scratch, 2, second, start, count)
    load(scratch, 3, third, start, count)
    load(scratch, 4, fourth, start, count)
    load(scratch, 5, fifth, start, count)


def _count_invalid(scratch: Any) -> int:
    invalid = 0
    for j in range(BLOCK):
        inside = formulas.is_inside_domain(
            scratch[BLOCK + j],
            scratch[2 * BLOCK + j],
            scratch[3 * BLOCK + j],
            scratch[4 * BLOCK + j],
            scratch[5 * BLOCK + j],
        )
        invalid += 0 if inside else 1
    return invalid


def _price(
    sign: Any,
    forward: Any,
    strike: Any,
    time: Any,
    rate: Any,
    volatility: Any,
    start: int,
    stop: int,
    outputs: Any,
) -> int:
    scratch = np.empty(7 * BLOCK)
    invalid = 0
    for begin in range(start, stop, BLOCK):
        count = min(BLOCK, stop - begin)
        load_inputs(scratch, begin, count, sign, forward, strike, time, rate, volatility)
        invalid += count_invalid(scratch)
        for j in range(BLOCK):
            scratch[6 * BLOCK + j] = formulas.price_of_one(
                scratch[j],
                scratch[BLOCK + j],
                scratch[2 * BLOCK + j],
                scratch[3 * BLOCK + j],
                scratch[4 * BLOCK + j],
                scratch[5 * BLOCK + j],
            )
        outputs[0, begin : begin + count] = scratch[6 * BLOCK : 6 * BLOCK + count]
    return invalid


def _price_and_greeks(
    sign: Any,
    forward: Any,
    strike: Any,
    time: Any,
    rate: Any,
    volatility: Any,
    start: int,
    stop: int,
    outputs: Any,
) -> int:
    scratch = np.empty(12 * BLOCK)
    invalid = 0
    for begin in range(start, stop, BLOCK):
        count = min(BLOCK, stop - begin)
        load_inputs(scratch, begin, count, sign, forward, strike, time, rate, volatility)
        invalid += count_invalid(scratch)
        for j in range(BLOCK):
            price, delta, gamma, vega, theta, rho = formulas.price_and_greeks_of_one(
                scratch[j],
                scratch[BLOCK + j],
                scratch[2 * BLOCK + j],
                scratch[3 * BLOCK + j],
                scratch[4 * BLOCK + j],
                scratch[5 * BLOCK + j],
            )
            scratch[6 * BLOCK + j] = price
            scratch[7 * BLOCK + j] = delta
            scratch[8 * BLOCK + j] = gamma
            scratch[9 * BLOCK + j] = vega
            scratch[10 * BLOCK + j] = theta
            scratch[11 * BLOCK + j] = rho
        for k in range(6):
            outputs[k, begin : begin + count] = scratch[(6 + k) * BLOCK : (6 + k) * BLOCK + count]
    return invalid


def _higher_order_greeks(
    sign: Any,
    forward: Any,
    strike: Any,
    time: Any,
    rate: Any,
    volatility: Any,
    start: int,
    stop: int,
    outputs: Any,
) -> int:
    scratch = np.empty(15 * BLOCK)
    invalid = 0
    for begin in range(start, stop, BLOCK):
        count = min(BLOCK, stop - begin)
        load_inputs(scratch, begin, count, sign, forward, strike, time, rate, volatility)
        invalid += count_invalid(scratch)
        for j in range(BLOCK):
            vanna, charm, volga, veta, vera, speed, zomma, color, ultima = formulas.higher_order_greeks_of_one(
                scratch[j],
                scratch[BLOCK + j],
                scratch[2 * BLOCK + j],
                scratch[3 * BLOCK + j],
                scratch[4 * BLOCK + j],
                scratch[5 * BLOCK + j],
            )
            scratch[6 * BLOCK + j] = vanna
            scratch[7 * BLOCK + j] = charm
            scratch[8 * BLOCK + j] = volga
            scratch[9 * BLOCK + j] = veta
            scratch[10 * BLOCK + j] = vera
            scratch[11 * BLOCK + j] = speed
            scratch[12 * BLOCK + j] = zomma
            scratch[13 * BLOCK + j] = color
            scratch[14 * BLOCK + j] = ultima
        for k in range(9):
            outputs[k, begin : begin + count] = scratch[(6 + k) * BLOCK : (6 + k) * BLOCK + count]
    return invalid


def _implied_volatility(
    sign: Any,
    price: Any,
    forward: Any,
    strike: Any,
    time: Any,
    rate: Any,
    start: int,
    stop: int,
    volatility: Any,
    status: Any,
) -> None:
    scratch = np.empty(9 * BLOCK)
    for begin in range(start, stop, BLOCK):
        count = min(BLOCK, stop - begin)
        load_inputs(scratch, begin, count, sign, price, forward, strike, time, rate)
        for j in range(BLOCK):
            scratch[6 * BLOCK + j] = abs(scratch[2 * BLOCK + j] - scratch[3 * BLOCK + j])
            scratch[7 * BLOCK + j] = formulas.time_value(
                scratch[j],
                scratch[BLOCK + j],
                scratch[2 * BLOCK + j],
                scratch[3 * BLOCK + j],
                scratch[4 * BLOCK + j],
                scratch[5 * BLOCK + j],
            )
        for j in range(BLOCK):
            scratch[8 * BLOCK + j] = normal_deviation(scratch[6 * BLOCK + j], scratch[7 * BLOCK + j])
        for j in range(BLOCK):
            scratch[8 * BLOCK + j] = formulas.improved(
                scratch[6 * BLOCK + j], scratch[7 * BLOCK + j], scratch[8 * BLOCK + j]
            )
        for j in range(BLOCK):
            root_time = square_root(scratch[4 * BLOCK + j])
            scratch[8 * BLOCK + j] = scratch[8 * BLOCK + j] / root_time if scratch[7 * BLOCK + j] > 0.0 else 0.0
        for j in range(count):
            row = begin + j
            status[row] = formulas.status_of(
                scratch[j],
                scratch[BLOCK + j],
                scratch[2 * BLOCK + j],
                scratch[3 * BLOCK + j],
                scratch[4 * BLOCK + j],
                scratch[5 * BLOCK + j],
                scratch[7 * BLOCK + j],
            )
            volatility[row] = scratch[8 * BLOCK + j] if status[row] == 0 else np.nan


load_inputs = njit(**INLINE)(_load_inputs)
count_invalid = njit(**INLINE)(_count_invalid)

_COLUMN = types.Array(types.float64, 1, "C", readonly=True)
_COLUMNS = (types.Array(types.int8, 1, "C", readonly=True), *[_COLUMN] * 5, types.int64, types.int64)
_SIGNATURE = types.int64(*_COLUMNS, types.float64[:, ::1])
# Each answers how many rows, padding included, hold an argument outside its domain.
price = njit(_SIGNATURE, **OPTIONS)(_price)
price_and_greeks = njit(_SIGNATURE, **OPTIONS)(_price_and_greeks)
higher_order_greeks = njit(_SIGNATURE, **OPTIONS)(_higher_order_greeks)
implied_volatility = njit(types.void(*_COLUMNS, types.float64[::1], types.int8[::1]), **OPTIONS)(_implied_volatility)
