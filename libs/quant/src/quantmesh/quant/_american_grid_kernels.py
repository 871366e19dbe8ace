"""`_american_grid_formulas` and `_american_certain_formulas` compiled, and a loop over rows."""

from collections.abc import Callable
from typing import Any

from numba import njit, types

from quantmesh.quant import _american_certain_formulas as certain
from quantmesh.quant import _american_grid_formulas as formulas
from quantmesh.quant import (
    _american_kernels,  # noqa: F401  importing it lets kernels call `certain_value_and_greeks`
)
from quantmesh.quant._black_scholes_kernels import OPTIONS
from quantmesh.quant._column_kernels import at
from quantmesh.quant._elementary_kernels import compile_as

_FORMULAS: tuple[Callable[..., Any], ...] = (
    formulas.fill_grid,
    formulas.fill_operator,
    formulas.step_back,
    formulas.march,
    formulas.interpolated,
    formulas.drop_by_dividend,
    certain.paid_until,
    certain.certain_ends,
    certain.certain_price,
    certain.certain_answer,
    formulas.price_on_grid,
    formulas.read_off,
)
for _formula in _FORMULAS:
    compile_as(_formula, _formula, {"error_model": "numpy"})


def _price(
    sign: Any,
    spots: Any,
    strike: Any,
    time: Any,
    rate: Any,
    dividend_yield: Any,
    volatility: Any,
    dividend_times: Any,
    dividend_amounts: Any,
    american: bool,
    points: int,
    steps: int,
    start: int,
    stop: int,
    outputs: Any,
) -> None:
    for row in range(start, stop):
        formulas.price_on_grid(
            at(sign, row),
            spots[0 if spots.shape[0] == 1 else row],
            at(strike, row),
            at(time, row),
            at(rate, row),
            at(dividend_yield, row),
            at(volatility, row),
            dividend_times,
            dividend_amounts,
            american,
            points,
            steps,
            outputs[row],
        )


# Spots are (contracts or 1, spots); outputs (contracts, spots, 3).
_FLOATS = types.Array(types.float64, 1, "C", readonly=True)
_SIGNS = types.Array(types.int8, 1, "C", readonly=True)
price: Any = njit(
    types.void(
        _SIGNS,
        types.Array(types.float64, 2, "C", readonly=True),
        *[_FLOATS] * 7,
        types.boolean,
        *[types.int64] * 4,
        types.float64[:, :, ::1],
    ),
    **OPTIONS,
)(_price)
