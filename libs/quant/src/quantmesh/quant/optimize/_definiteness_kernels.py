"""Whether a covariance has a negative eigenvalue, by Cholesky's factorisation on one thread.

LAPACK's is faster alone, but where other work keeps the cores busy its threads wait for each other, up to a hundred
times as long as this takes.
"""

from typing import Any

import numpy as np
from numba import njit, types

_PANEL = 4


def _is_positive(matrix: Any) -> bool:
    """Whether all pivots of a symmetric matrix are positive; its upper triangle is overwritten by the factor."""
    count = matrix.shape[0]
    panel = np.empty((_PANEL, count))
    for start in range(0, count, _PANEL):
        stop = min(start + _PANEL, count)
        for k in range(start, stop):
            if not matrix[k, k] > 0.0:
                return False
            inverse = 1.0 / np.sqrt(matrix[k, k])
            for j in range(k, count):
                matrix[k, j] *= inverse
            for i in range(k + 1, stop):
                for j in range(i, count):
                    matrix[i, j] -= matrix[k, i] * matrix[k, j]
        # Four rows at once, from a copy that cannot overlap with what is written: the loop below vectorises.
        panel[: stop - start] = matrix[start:stop]
        for i in range(stop, count):
            first, second, third, fourth = panel[0, i], panel[1, i], panel[2, i], panel[3, i]
            for j in range(i, count):
                matrix[i, j] -= (first * panel[0, j] + second * panel[1, j]) + (
                    third * panel[2, j] + fourth * panel[3, j]
                )
    return True


is_positive = njit(types.boolean(types.float64[:, ::1]), cache=True, nogil=True, error_model="numpy")(_is_positive)
