"""Loops over `_black_scholes_formulas` that LLVM vectorises. A column has one element per option, or one for all.

Rows pass in blocks through one scratch buffer that stays in the first-level cache: within it the compiler knows that
nothing overlaps, whatever number of columns there is.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit, types

from quantmesh.quant import _black_scholes_formulas as formulas
from quantmesh.quant._elementary_kernels import INLINE, compile_as

BLOCK = 64
OPTIONS: Any = {"nogil": True, "cache": True, "error_model": "numpy", "fastmath": {"contract"}}


def _quotient(numerator: float, denominator: float) -> float:
    return 0.0 if numerator == 0.0 else numerator / denominator


compile_as(formulas.quotient, _quotient)
_FORMULAS: tuple[Callable[..., Any], ...] = (
    formulas.is_inside_domain,
    formulas.discount_factor,
    formulas.standardized_from,
    formulas.standardized,
    formulas.density,
    formulas.tail_ratio,
    formulas.price_from_parts,
    formulas.greeks_from_parts,
    formulas.higher_order_greeks_of_one,
)
for _formula in _FORMULAS:
    compile_as(_formula, _formula)


def _load(scratch: Any, row: int, source: Any, start: int, count: int) -> None:
    """Fill a row of the scratch buffer; a short last block repeats its first element."""
    offset = row * BLOCK
    first = source[0] if source.size == 1 else source[start]
    if source.size == 1 or count < BLOCK:
        for j in range(BLOCK):
            scratch[offset + j] = first
    if source.size != 1:
        for j in range(count):
            scratch[offset + j] = source[start + j]


def _load_inputs(
    scratch: Any,
    start: int,
    count: int,
    sign: Any,
    spot: Any,
    strike: Any,
    time: Any,
    rate: Any,
    dividend_yield: Any,
    volatility: Any,
) -> None:
    load(scratch, 0, sign, start, count)
    load(scratch, 1, spot, start, count)
    load(scratch, 2, strike, start, count)
    load(scratch, 3, time, start, count)
    load(scratch, 4, rate, start, count)
    load(scratch, 5, dividend_yield, start, count)
    load(scratch, 6, volatility, start, count)


def _count_invalid(scratch: Any) -> int:
    """How many rows hold an argument outside its domain."""
    invalid = 0
    for j in range(BLOCK):
        inside = formulas.is_inside_domain(
            scratch[BLOCK + j],
            scratch[2 * BLOCK + j],
            scratch[3 * BLOCK + j],
            scratch[4 * BLOCK + j],
            scratch[5 * BLOCK + j],
            scratch[6 * BLOCK + j],
        )
        invalid += 0 if inside else 1
    return invalid


def _compute_parts(scratch: Any) -> None:
    """Rows 7 to 13: carry, discount factor, d1, d2, density, and the two tail ratios."""
    for j in range(BLOCK):
        time = scratch[3 * BLOCK + j]
        scratch[7 * BLOCK + j] = formulas.discount_factor(scratch[5 * BLOCK + j], time)
        scratch[8 * BLOCK + j] = formulas.discount_factor(scratch[4 * BLOCK + j], time)
    for j in range(BLOCK):
        d1, d2 = formulas.standardized(
            scratch[BLOCK + j],
            scratch[2 * BLOCK + j],
            scratch[3 * BLOCK + j],
            scratch[4 * BLOCK + j],
            scratch[5 * BLOCK + j],
            scratch[6 * BLOCK + j],
        )
        scratch[9 * BLOCK + j] = d1
        scratch[10 * BLOCK + j] = d2
    for j in range(BLOCK):
        scratch[11 * BLOCK + j] = formulas.density(scratch[9 * BLOCK + j])
    for j in range(2 * BLOCK):
        scratch[12 * BLOCK + j] = formulas.tail_ratio(scratch[9 * BLOCK + j])


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
    outputs: Any,
) -> int:
    scratch = np.empty(15 * BLOCK)
    invalid = 0
    for begin in range(start, stop, BLOCK):
        count = min(BLOCK, stop - begin)
        load_inputs(scratch, begin, count, sign, spot, strike, time, rate, dividend_yield, volatility)
        invalid += count_invalid(scratch)
        compute_parts(scratch)
        for j in range(BLOCK):
            scratch[14 * BLOCK + j] = formulas.price_from_parts(
                scratch[j],
                scratch[BLOCK + j] * scratch[7 * BLOCK + j],
                scratch[2 * BLOCK + j] * scratch[8 * BLOCK + j],
                scratch[9 * BLOCK + j],
                scratch[10 * BLOCK + j],
                scratch[11 * BLOCK + j],
                scratch[12 * BLOCK + j],
                scratch[13 * BLOCK + j],
            )
        outputs[0, begin : begin + count] = scratch[14 * BLOCK : 14 * BLOCK + count]
    return invalid


def _price_and_greeks(
    sign: Any,
    spot: Any,
    strike: Any,
    time: Any,
    rate: Any,
    dividend_yield: Any,
    volatility: Any,
    start: int,
    stop: int,
    outputs: Any,
) -> int:
    scratch = np.empty(20 * BLOCK)
    invalid = 0
    for begin in range(start, stop, BLOCK):
        count = min(BLOCK, stop - begin)
        load_inputs(scratch, begin, count, sign, spot, strike, time, rate, dividend_yield, volatility)
        invalid += count_invalid(scratch)
        compute_parts(scratch)
        for j in range(BLOCK):
            price, delta, gamma, vega, theta, rho = formulas.greeks_from_parts(
                scratch[j],
                scratch[BLOCK + j],
                scratch[2 * BLOCK + j],
                scratch[3 * BLOCK + j],
                scratch[4 * BLOCK + j],
                scratch[5 * BLOCK + j],
                scratch[6 * BLOCK + j],
                scratch[7 * BLOCK + j],
                scratch[8 * BLOCK + j],
                scratch[9 * BLOCK + j],
                scratch[10 * BLOCK + j],
                scratch[11 * BLOCK + j],
                scratch[12 * BLOCK + j],
                scratch[13 * BLOCK + j],
            )
            scratch[14 * BLOCK + j] = price
            scratch[15 * BLOCK + j] = delta
            scratch[16 * BLOCK + j] = gamma
            scratch[17 * BLOCK + j] = vega
            scratch[18 * BLOCK + j] = theta
            scratch[19 * BLOCK + j] = rho
        for k in range(6):
            outputs[k, begin : begin + count] = scratch[(14 + k) * BLOCK : (14 + k) * BLOCK + count]
    return invalid


def _higher_order_greeks(
    sign: Any,
    spot: Any,
    strike: Any,
    time: Any,
    rate: Any,
    dividend_yield: Any,
    volatility: Any,
    start: int,
    stop: int,
    outputs: Any,
) -> int:
    scratch = np.empty(17 * BLOCK)
    invalid = 0
    for begin in range(start, stop, BLOCK):
        count = min(BLOCK, stop - begin)
        load_inputs(scratch, begin, count, sign, spot, strike, time, rate, dividend_yield, volatility)
        invalid += count_invalid(scratch)
        for j in range(BLOCK):
            epsilon, vanna, charm, volga, veta, vera, speed, zomma, color, ultima = formulas.higher_order_greeks_of_one(
                scratch[j],
                scratch[BLOCK + j],
                scratch[2 * BLOCK + j],
                scratch[3 * BLOCK + j],
                scratch[4 * BLOCK + j],
                scratch[5 * BLOCK + j],
                scratch[6 * BLOCK + j],
            )
            scratch[7 * BLOCK + j] = epsilon
            scratch[8 * BLOCK + j] = vanna
            scratch[9 * BLOCK + j] = charm
            scratch[10 * BLOCK + j] = volga
            scratch[11 * BLOCK + j] = veta
            scratch[12 * BLOCK + j] = vera
            scratch[13 * BLOCK + j] = speed
            scratch[14 * BLOCK + j] = zomma
            scratch[15 * BLOCK + j] = color
            scratch[16 * BLOCK + j] = ultima
        for k in range(10):
            outputs[k, begin : begin + count] = scratch[(7 + k) * BLOCK : (7 + k) * BLOCK + count]
    return invalid


load = njit(**INLINE)(_load)
load_inputs = njit(**INLINE)(_load_inputs)
count_invalid = njit(**INLINE)(_count_invalid)
compute_parts = njit(**INLINE)(_compute_parts)

# Each answers how many rows, padding included, hold an argument outside its domain.
# Read-only views (of Arrow buffers) pass too, and nothing is compiled twice.
_INPUT = types.Array(types.float64, 1, "C", readonly=True)
_SIGNATURE = types.int64(
    types.Array(types.int8, 1, "C", readonly=True), *[_INPUT] * 6, types.int64, types.int64, types.float64[:, ::1]
)
price = njit(_SIGNATURE, **OPTIONS)(_price)
price_and_greeks = njit(_SIGNATURE, **OPTIONS)(_price_and_greeks)
higher_order_greeks = njit(_SIGNATURE, **OPTIONS)(_higher_order_greeks)
