"""Loops over `_implied_volatility_formulas`: vector code for nearly all quotes, the bracketed solver for the rest."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit, types

from quantmesh.quant import _implied_volatility_formulas as formulas
from quantmesh.quant._black_scholes_kernels import BLOCK, OPTIONS, load_inputs
from quantmesh.quant._elementary import mills_ratio, mills_slope, square_root
from quantmesh.quant._elementary_kernels import INLINE, compile_as

# A relative step of this size, weighted for how far out of the money it was taken, leaves an error of some 1e-16.
_FINE_STEP = 1.5e-4

_FORMULAS: tuple[Callable[..., Any], ...] = (
    formulas.hyperbolic_sine,
    formulas.normal_deviation,
    formulas.first_guess,
    formulas.normalized,
    formulas.vega_of,
    formulas.price_over_vega,
    formulas.vega_curvatures,
    formulas.logarithmic_step,
    formulas.is_certain,
)
for _formula in _FORMULAS:
    compile_as(_formula, _formula)
_SOLVERS: tuple[Callable[..., Any], ...] = (formulas.first_invalid, formulas.solved, formulas.implied_volatility_of_one)
for _solver in _SOLVERS:
    compile_as(_solver, _solver, {"error_model": "numpy"})


def _take_step(scratch: Any) -> int:
    """Improve row 9, the deviations; row 11 becomes the step's weighted size. Returns how many are not fine."""
    for j in range(BLOCK):
        scratch[10 * BLOCK + j] = formulas.vega_of(scratch[7 * BLOCK + j], scratch[9 * BLOCK + j])
    for j in range(BLOCK):
        z = scratch[7 * BLOCK + j] / scratch[9 * BLOCK + j]
        t = 0.5 * scratch[9 * BLOCK + j]
        scratch[11 * BLOCK + j] = z + t
        scratch[12 * BLOCK + j] = abs(z - t)
        scratch[13 * BLOCK + j] = z
        scratch[14 * BLOCK + j] = mills_slope(z)
    for j in range(3 * BLOCK):
        scratch[11 * BLOCK + j] = mills_ratio(scratch[11 * BLOCK + j])
    for j in range(BLOCK):
        scratch[15 * BLOCK + j] = formulas.price_over_vega(
            scratch[7 * BLOCK + j],
            scratch[9 * BLOCK + j],
            scratch[10 * BLOCK + j],
            scratch[11 * BLOCK + j],
            scratch[12 * BLOCK + j],
            scratch[13 * BLOCK + j],
            scratch[14 * BLOCK + j],
        )
    for j in range(BLOCK):
        s = scratch[9 * BLOCK + j]
        step = formulas.logarithmic_step(
            scratch[7 * BLOCK + j], scratch[8 * BLOCK + j], s, scratch[10 * BLOCK + j], scratch[15 * BLOCK + j]
        )
        scratch[9 * BLOCK + j] = s + step
        z = scratch[7 * BLOCK + j] / s
        scratch[11 * BLOCK + j] = abs(step) / s * (1.0 + 0.35 * z * z)
    coarse = 0
    for j in range(BLOCK):
        coarse += 0 if scratch[11 * BLOCK + j] < _FINE_STEP else 1
    return coarse


def _implied_volatility(
    sign: Any,
    price: Any,
    spot: Any,
    strike: Any,
    time: Any,
    rate: Any,
    dividend_yield: Any,
    start: int,
    stop: int,
    volatility: Any,
    status: Any,
) -> None:
    scratch = np.empty(16 * BLOCK)
    for begin in range(start, stop, BLOCK):
        count = min(BLOCK, stop - begin)
        load_inputs(scratch, begin, count, sign, price, spot, strike, time, rate, dividend_yield)
        for j in range(BLOCK):
            a, b = formulas.normalized(
                scratch[j],
                scratch[BLOCK + j],
                scratch[2 * BLOCK + j],
                scratch[3 * BLOCK + j],
                scratch[4 * BLOCK + j],
                scratch[5 * BLOCK + j],
                scratch[6 * BLOCK + j],
            )
            scratch[7 * BLOCK + j] = a
            scratch[8 * BLOCK + j] = b
        for j in range(BLOCK):
            scratch[9 * BLOCK + j] = formulas.first_guess(scratch[7 * BLOCK + j], scratch[8 * BLOCK + j])
        coarse = take_step(scratch)
        if coarse > 0:
            take_step(scratch)
        for j in range(BLOCK):
            time_to_expiry = scratch[4 * BLOCK + j]
            certain = formulas.is_certain(
                scratch[j],
                scratch[2 * BLOCK + j],
                scratch[3 * BLOCK + j],
                time_to_expiry,
                scratch[5 * BLOCK + j],
                scratch[6 * BLOCK + j],
                scratch[7 * BLOCK + j],
                scratch[8 * BLOCK + j],
            )
            scratch[11 * BLOCK + j] = scratch[11 * BLOCK + j] if certain else _FINE_STEP
            scratch[9 * BLOCK + j] = scratch[9 * BLOCK + j] / square_root(time_to_expiry)
        for j in range(count):
            row = begin + j
            if scratch[11 * BLOCK + j] < _FINE_STEP:
                volatility[row] = scratch[9 * BLOCK + j]
                status[row] = 0
            else:
                volatility[row], status[row] = formulas.implied_volatility_of_one(
                    scratch[j],
                    scratch[BLOCK + j],
                    scratch[2 * BLOCK + j],
                    scratch[3 * BLOCK + j],
                    scratch[4 * BLOCK + j],
                    scratch[5 * BLOCK + j],
                    scratch[6 * BLOCK + j],
                )


take_step = njit(**INLINE)(_take_step)

_INPUT = types.Array(types.float64, 1, "C", readonly=True)
implied_volatility: Any = njit(
    types.void(
        types.Array(types.int8, 1, "C", readonly=True),
        *[_INPUT] * 6,
        types.int64,
        types.int64,
        types.float64[::1],
        types.int8[::1],
    ),
    **OPTIONS,
)(_implied_volatility)
