"""Cyclical coordinate descent for risk budgets (Griveau-Billion, Richard and Roncalli, 2013, algorithm 1)."""

import math
from typing import Any

from numba import njit, types


def _descend(matrix: Any, budgets: Any, point: Any, product: Any, most_sweeps: int, tolerance: float) -> int:
    """Minimise point' matrix point / 2 - budgets' log(point) in place; `product` is matrix @ point throughout.

    Answers the sweeps until every point_i product_i was within `tolerance` of its budget, relatively; `most_sweeps`
    where that was not enough.
    """
    count = point.size
    for sweep in range(most_sweeps):
        worst = 0.0
        for i in range(count):
            worst = max(worst, abs(point[i] * product[i] / budgets[i] - 1.0))
            curvature = matrix[i, i]
            others = product[i] - curvature * point[i]
            root = math.sqrt(others * others + 4.0 * curvature * budgets[i])
            # The positive root of curvature x^2 + others x - budget, without cancellation.
            new = 2.0 * budgets[i] / (others + root) if others > 0.0 else (root - others) / (2.0 * curvature)
            moved = new - point[i]
            point[i] = new
            for j in range(count):
                product[j] += moved * matrix[i, j]
        if worst <= tolerance:
            return sweep + 1
    return most_sweeps


_VECTOR = types.float64[::1]
_READ_ONLY = types.Array(types.float64, 1, "C", readonly=True)
_MATRIX = types.Array(types.float64, 2, "C", readonly=True)
descend = njit(types.int64(_MATRIX, _READ_ONLY, _VECTOR, _VECTOR, types.int64, types.float64), cache=True, nogil=True)(
    _descend
)
