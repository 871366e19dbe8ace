"""Loops over `_black_scholes_formulas` that LLVM vectorises. A column has one element per option, or one for all.

Rows pass in blocks through one scratch buffer that stays in the first-level cache: within it the compiler knows that
nothing overlaps, whatever number of columns there is.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit, types

from quantmesh.quant import _black_scholes_formulas as formulas
from quantmesh.quant._elementary import square_root
from quantmesh.quant._elementary_kernels import INLINE, compile_as, unsigned
from quantmesh.quant._streaming import settle, stream, streams

BLOCK = 128
OPTIONS: Any = {"nogil": True, "cache": True, "error_model": "numpy", "fastmath": {"contract"}}


def _quotient(numerator: float, denominator: float) -> float:
    return 0.0 if numerator == 0.0 else numerator / denominator


compile_as(formulas.quotient, _quotient)
_FORMULAS: tuple[Callable[..., Any], ...] = (
    formulas.is_plainly_inside_domain,
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
    """Fill a row of the scratch buffer; a short last block repeats its last element."""
    offset = row * BLOCK
    if source.size == 1:
        for j in range(BLOCK):
            scratch[offset + j] = source[0]
    elif count == BLOCK:
        for j in range(BLOCK):
            scratch[offset + j] = source[unsigned(start + j)]
    else:
        for j in range(BLOCK):
            scratch[offset + j] = source[start + min(j, count - 1)]


def _store(outputs: Any, row: int, start: int, count: int, scratch: Any, source: int, past_caches: bool) -> None:
    """Copy a row of the scratch buffer to an answer's."""
    offset = source * BLOCK
    if count < BLOCK:
        for j in range(count):
            outputs[row, start + j] = scratch[offset + j]
    elif past_caches:
        stream(outputs, row, start, scratch, offset, BLOCK)
    else:
        for j in range(BLOCK):
            outputs[row, unsigned(start + j)] = scratch[offset + j]


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


def _count_doubtful(scratch: Any) -> int:
    """How many rows may hold an argument outside its domain."""
    doubtful = 0
    for j in range(BLOCK):
        inside = formulas.is_plainly_inside_domain(
            scratch[BLOCK + j],
            scratch[2 * BLOCK + j],
            scratch[3 * BLOCK + j],
            scratch[4 * BLOCK + j],
            scratch[5 * BLOCK + j],
            scratch[6 * BLOCK + j],
        )
        doubtful += 0 if inside else 1
    return doubtful


def _compute_parts(scratch: Any) -> None:
    """Rows 7 to 14: carry, discount factor, d1, d2, density, the two tail ratios, and the root of the time."""
    for j in range(BLOCK):
        time = scratch[3 * BLOCK + j]
        scratch[7 * BLOCK + j] = formulas.discount_factor(scratch[5 * BLOCK + j], time)
        scratch[8 * BLOCK + j] = formulas.discount_factor(scratch[4 * BLOCK + j], time)
    for j in range(BLOCK):
        root_time = square_root(scratch[3 * BLOCK + j])
        d1, d2 = formulas.standardized(
            scratch[BLOCK + j],
            scratch[2 * BLOCK + j],
            scratch[3 * BLOCK + j],
            scratch[4 * BLOCK + j],
            scratch[5 * BLOCK + j],
            scratch[6 * BLOCK + j] * root_time,
        )
        scratch[9 * BLOCK + j] = d1
        scratch[10 * BLOCK + j] = d2
        scratch[14 * BLOCK + j] = root_time
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
    scratch = np.empty(16 * BLOCK)
    doubtful = 0
    past_caches = streams(outputs)
    for begin in range(start, stop, BLOCK):
        count = min(BLOCK, stop - begin)
        load_inputs(scratch, begin, count, sign, spot, strike, time, rate, dividend_yield, volatility)
        doubtful += count_doubtful(scratch)
        compute_parts(scratch)
        for j in range(BLOCK):
            scratch[15 * BLOCK + j] = formulas.price_from_parts(
                scratch[j],
                scratch[BLOCK + j] * scratch[7 * BLOCK + j],
                scratch[2 * BLOCK + j] * scratch[8 * BLOCK + j],
                scratch[9 * BLOCK + j],
                scratch[10 * BLOCK + j],
                scratch[11 * BLOCK + j],
                scratch[12 * BLOCK + j],
                scratch[13 * BLOCK + j],
            )
        store(outputs, 0, begin, count, scratch, 15, past_caches)
    settle()
    return doubtful


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
    scratch = np.empty(21 * BLOCK)
    doubtful = 0
    past_caches = streams(outputs)
    for begin in range(start, stop, BLOCK):
        count = min(BLOCK, stop - begin)
        load_inputs(scratch, begin, count, sign, spot, strike, time, rate, dividend_yield, volatility)
        doubtful += count_doubtful(scratch)
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
                scratch[14 * BLOCK + j],
                scratch[7 * BLOCK + j],
                scratch[8 * BLOCK + j],
                scratch[9 * BLOCK + j],
                scratch[10 * BLOCK + j],
                scratch[11 * BLOCK + j],
                scratch[12 * BLOCK + j],
                scratch[13 * BLOCK + j],
            )
            scratch[15 * BLOCK + j] = price
            scratch[16 * BLOCK + j] = delta
            scratch[17 * BLOCK + j] = gamma
            scratch[18 * BLOCK + j] = vega
            scratch[19 * BLOCK + j] = theta
            scratch[20 * BLOCK + j] = rho
        for k in range(6):
            store(outputs, k, begin, count, scratch, 15 + k, past_caches)
    settle()
    return doubtful


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
    doubtful = 0
    past_caches = streams(outputs)
    for begin in range(start, stop, BLOCK):
        count = min(BLOCK, stop - begin)
        load_inputs(scratch, begin, count, sign, spot, strike, time, rate, dividend_yield, volatility)
        doubtful += count_doubtful(scratch)
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
            store(outputs, k, begin, count, scratch, 7 + k, past_caches)
    settle()
    return doubtful


load = njit(**INLINE)(_load)
store = njit(**INLINE)(_store)
load_inputs = njit(**INLINE)(_load_inputs)
count_doubtful = njit(**INLINE)(_count_doubtful)
compute_parts = njit(**INLINE)(_compute_parts)

# Each answers how many rows, padding included, may hold an argument outside its domain.
# Read-only views (of Arrow buffers) pass too, and nothing is compiled twice.
_INPUT = types.Array(types.float64, 1, "C", readonly=True)
_SIGNATURE = types.int64(
    types.Array(types.int8, 1, "C", readonly=True), *[_INPUT] * 6, types.int64, types.int64, types.float64[:, ::1]
)
price = njit(_SIGNATURE, **OPTIONS)(_price)
price_and_greeks = njit(_SIGNATURE, **OPTIONS)(_price_and_greeks)
higher_order_greeks = njit(_SIGNATURE, **OPTIONS)(_higher_order_greeks)
