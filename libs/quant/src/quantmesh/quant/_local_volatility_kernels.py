"""`_local_volatility_formulas` compiled."""

from typing import Any

from numba import njit, types

from quantmesh.quant import (
    _american_grid_kernels,  # noqa: F401  importing it lets kernels call `step_back`
)
from quantmesh.quant import _local_volatility_formulas as formulas
from quantmesh.quant._black_scholes_kernels import OPTIONS
from quantmesh.quant._elementary_kernels import compile_as

compile_as(formulas.fill_diffusion, formulas.fill_diffusion, {"error_model": "numpy"})

_VECTOR = types.Array(types.float64, 1, "C", readonly=True)
_TABLE = types.float64[:, ::1]
march: Any = njit(
    types.void(
        _VECTOR,
        types.Array(types.float64, 2, "C", readonly=True),
        _VECTOR,
        types.int64,
        *[types.float64] * 3,
        _VECTOR,
        types.boolean,
        *[_TABLE] * 3,
    ),
    **OPTIONS,
)(formulas.march)
