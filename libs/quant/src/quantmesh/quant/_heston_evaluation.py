"""What `heston` and `bates` share: arguments to columns, rows put in the order of their laws, and the kernel."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quantmesh.quant._arguments import (
    DIVIDEND_YIELD,
    RATE,
    SPOT,
    STRIKE,
    TIME_TO_EXPIRY,
    Columns,
    Domain,
    broadcast,
)
from quantmesh.quant._evaluation import Value, evaluate
from quantmesh.quant._heston_moments import LARGEST_JUMP, LARGEST_SPEED, LARGEST_VARIANCE
from quantmesh.quant.errors import DomainError

_VARIANCE = f"a variance per year from 0 to {LARGEST_VARIANCE:g}"
_SPEED = f"a number per year from 0 to {LARGEST_SPEED:g}"
DOMAINS = (
    SPOT,
    STRIKE,
    TIME_TO_EXPIRY,
    RATE,
    DIVIDEND_YIELD,
    Domain("v0", 0.0, LARGEST_VARIANCE, _VARIANCE),
    Domain("kappa", 0.0, LARGEST_SPEED, _SPEED),
    Domain("theta", 0.0, LARGEST_VARIANCE, _VARIANCE),
    Domain("sigma", 0.0, LARGEST_SPEED, _SPEED),
    Domain("rho", -1.0, 1.0, "a correlation from -1 to 1"),
    Domain("jump_intensity", 0.0, LARGEST_SPEED, _SPEED),
    Domain("jump_mean", -LARGEST_JUMP, LARGEST_JUMP, f"a number from {-LARGEST_JUMP:g} to {LARGEST_JUMP:g}"),
    Domain("jump_volatility", 0.0, LARGEST_JUMP, f"a number from 0 to {LARGEST_JUMP:g}"),
)
# A row may have a law to itself, and then costs as much as a hundred that share one.
_CHUNK_ROWS = 8_192
# Among the kernel's arrays, signs included.
_RHO = 10
_NO_CONVERGENCE = (
    "farther from -1 and 1: with these parameters the spot ends at a strike, and its integral hardly converges"
)
# The kernel's rows of outputs: price and Greeks, then the slopes in each model's parameters.
PRICE_ROWS, GREEKS_ROWS, HESTON_ROWS, BATES_ROWS = 1, 6, 11, 14
# Columns that make up a law, time to expiry last: the first key to sort by.
_LAW = (12, 11, 10, 9, 8, 7, 6, 5, 2)


def evaluate_rows(option_type: ArrayLike, arguments: Sequence[ArrayLike], count: int) -> tuple[Value, ...]:
    """`count` rows of the kernel's outputs, in the arguments' shape."""
    # Numba takes 0.7 s to import: on first use.
    from quantmesh.quant import _heston_kernels as kernels

    columns = broadcast(option_type, *arguments)

    def run(*columns_and_range: Any) -> int:
        *_, start, stop, outputs = columns_and_range
        invalid: int = kernels.evaluate(_order(columns, start, stop), columns.signs, columns.values, outputs)
        if invalid < 0:
            row = -1 - invalid
            place = row if columns.arrays[_RHO].size > 1 else None
            raise DomainError("rho", columns.value(_RHO, row), _NO_CONVERGENCE, place)
        return invalid

    return evaluate(columns, DOMAINS, count, run, _CHUNK_ROWS)


def _order(columns: Columns, start: int, stop: int) -> NDArray[np.int64]:
    """Rows of one law beside each other."""
    keys = [columns.part(index, start, stop) for index in _LAW if columns.values[index].size > 1]
    if not keys:
        return np.arange(start, stop)
    order = np.argsort(keys[0], kind="stable") if len(keys) == 1 else np.lexsort(keys)
    return order + start
