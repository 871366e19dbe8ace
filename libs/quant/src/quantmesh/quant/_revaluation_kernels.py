"""Profits of stocks and European options over scenarios, position by position over a stretch of scenarios.

Whatever does not depend on the scenario is computed once per position before; within a block of scenarios one short
loop per stage of the formula lets LLVM vectorise. The markets' arrays are underlyings by scenarios, padded to whole
blocks; an array of moves without a row says that there are none.
"""

from typing import Any

import numpy as np
from numba import njit, types

from quantmesh.quant import _black_scholes_formulas as formulas
from quantmesh.quant._black_scholes_kernels import OPTIONS
from quantmesh.quant._elementary import TINY_ROOT, exponential
from quantmesh.quant._elementary_kernels import compile_as
from quantmesh.quant._revaluation_formulas import density, tail_ratio
from quantmesh.quant._revaluation_market import BLOCK

for _formula in (density, tail_ratio):
    compile_as(_formula, _formula)


def _add_stocks(
    underlying: Any, group: Any, units: Any, spot: Any, spot_factor: Any, start: int, stop: int, profit: Any
) -> None:
    for i in range(units.size):
        u, g = underlying[i], group[i]
        exposure = units[i] * spot[i]
        spots, gains = spot_factor[u, start:stop], profit[g, start:stop]
        for s in range(stop - start):
            gains[s] += exposure * (spots[s] - 1.0)


def _add_europeans(
    underlying: Any,
    group: Any,
    sign: Any,
    units: Any,
    carried_spot: Any,
    discounted_strike: Any,
    moneyness: Any,
    time: Any,
    volatility: Any,
    value_before: Any,
    spot_factor: Any,
    log_factor: Any,
    volatility_factor: Any,
    volatility_shift: Any,
    rate_shift: Any,
    start: int,
    stop: int,
    profit: Any,
) -> None:
    """`moneyness` is ln(spot / strike) plus the carry over `time`; start and stop are multiples of the block."""
    scratch = np.empty(7 * BLOCK)
    for begin in range(start, stop, BLOCK):
        for i in range(units.size):
            # Copied to locals: the compiler cannot know that no store below changes them.
            u, g = underlying[i], group[i]
            strike, distance, years, deviation_now = discounted_strike[i], moneyness[i], time[i], volatility[i]
            root_time = np.sqrt(years)
            # Views of a block need no check of their indices within the loops.
            block = slice(begin, begin + BLOCK)
            spots, logarithms, gains = spot_factor[u, block], log_factor[u, block], profit[g, block]
            for j in range(BLOCK):
                scratch[5 * BLOCK + j] = strike
                scratch[6 * BLOCK + j] = distance + logarithms[j]
            if rate_shift.size:
                shifts = rate_shift[block]
                for j in range(BLOCK):
                    growth = shifts[j] * years
                    scratch[5 * BLOCK + j] *= exponential(-growth)
                    scratch[6 * BLOCK + j] += growth
            if volatility_factor.shape[0]:
                factors, added = volatility_factor[u, block], volatility_shift[u, block]
                for j in range(BLOCK):
                    moved = deviation_now * factors[j] + added[j]
                    deviation = max(moved, 0.0) * root_time
                    d1, d2 = formulas.standardized_from(scratch[6 * BLOCK + j] / max(deviation, TINY_ROOT), deviation)
                    scratch[j] = d1
                    scratch[BLOCK + j] = d2
            else:
                deviation = deviation_now * root_time
                inverse_deviation = 1.0 / max(deviation, TINY_ROOT)
                for j in range(BLOCK):
                    d1, d2 = formulas.standardized_from(scratch[6 * BLOCK + j] * inverse_deviation, deviation)
                    scratch[j] = d1
                    scratch[BLOCK + j] = d2
            for j in range(BLOCK):
                scratch[2 * BLOCK + j] = density(scratch[j])
            for j in range(BLOCK):
                scratch[3 * BLOCK + j] = tail_ratio(scratch[j])
                scratch[4 * BLOCK + j] = tail_ratio(scratch[BLOCK + j])
            side, spot, held, before = sign[i], carried_spot[i], units[i], value_before[i]
            for j in range(BLOCK):
                value = formulas.price_from_parts(
                    side,
                    spot * spots[j],
                    scratch[5 * BLOCK + j],
                    scratch[j],
                    scratch[BLOCK + j],
                    scratch[2 * BLOCK + j],
                    scratch[3 * BLOCK + j],
                    scratch[4 * BLOCK + j],
                )
                gains[j] += held * value - before


_COLUMN = types.Array(types.float64, 1, "C")
_INDEX = types.Array(types.int64, 1, "C")
_TABLE = types.Array(types.float64, 2, "C")
_STRETCH = (types.int64, types.int64, _TABLE)
add_stocks: Any = njit(types.void(_INDEX, _INDEX, _COLUMN, _COLUMN, _TABLE, *_STRETCH), **OPTIONS)(_add_stocks)
add_europeans: Any = njit(types.void(_INDEX, _INDEX, *[_COLUMN] * 8, *[_TABLE] * 4, _COLUMN, *_STRETCH), **OPTIONS)(
    _add_europeans
)
