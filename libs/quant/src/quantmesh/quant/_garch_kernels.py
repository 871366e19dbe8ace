"""Likelihoods of GARCH(1,1) and of its dynamic conditional correlation, with their recursions.

The functions without a compiled name are the pure Python twins of those below.
"""

from typing import Any

import numpy as np
from numba import njit, types

from quantmesh.quant._black_scholes_kernels import OPTIONS


def _garch(
    squares: Any, initial: float, omega: float, alpha: float, beta: float, variances: Any, gradient: Any
) -> float:
    """Sum of ln(h) + e^2 / h, with its slopes by omega, alpha and beta in `gradient`.

    `variances` takes h_0 to h_T, one more than there are squares: the last is the forecast.
    """
    total = 0.0
    h = omega + (alpha + beta) * initial
    slopes = (1.0, initial, initial)
    gradient[:] = 0.0
    for t in range(squares.size):
        variances[t] = h
        total += np.log(h) + squares[t] / h
        weight = (1.0 - squares[t] / h) / h
        gradient[0] += weight * slopes[0]
        gradient[1] += weight * slopes[1]
        gradient[2] += weight * slopes[2]
        slopes = (1.0 + beta * slopes[0], squares[t] + beta * slopes[1], h + beta * slopes[2])
        h = omega + alpha * squares[t] + beta * h
    variances[squares.size] = h
    return total


def _correlation(residuals: Any, target: Any, a: float, b: float) -> float:
    """Sum of ln det R + z' R^-1 z over the rows z of `residuals`.

    R is Q scaled to a unit diagonal, Q' = (1 - a - b) target + a z z' + b Q. Infinite where R is not definite.
    """
    count, size = residuals.shape
    factor = np.empty((size, size))
    solved = np.empty(size)
    quasi = target.copy()
    total = 0.0
    for t in range(count):
        # Cholesky's factor of R, and the forward substitution of z, row by row.
        for i in range(size):
            for j in range(i + 1):
                value = quasi[i, j] / np.sqrt(quasi[i, i] * quasi[j, j])
                for k in range(j):
                    value -= factor[i, k] * factor[j, k]
                if i == j:
                    if value <= 0.0:
                        return np.inf
                    factor[i, i] = np.sqrt(value)
                else:
                    factor[i, j] = value / factor[j, j]
            value = residuals[t, i]
            for k in range(i):
                value -= factor[i, k] * solved[k]
            solved[i] = value / factor[i, i]
            total += 2.0 * np.log(factor[i, i]) + solved[i] * solved[i]
        for i in range(size):
            for j in range(size):
                quasi[i, j] = (1.0 - a - b) * target[i, j] + a * residuals[t, i] * residuals[t, j] + b * quasi[i, j]
    return total


def _pairwise_correlation(series: Any, target: Any, a: float, b: float) -> float:
    """The mean of the same sum over pairs of neighbours among `series`, which are assets by time."""
    size, count = series.shape
    mean = 0.0
    for i in range(size - 1):
        j = i + 1
        first, second, cross = target[i, i], target[j, j], target[i, j]
        for t in range(count):
            x, y = series[i, t], series[j, t]
            correlation = cross / np.sqrt(first * second)
            rest = 1.0 - correlation * correlation
            if rest <= 0.0:
                return np.inf
            mean += (np.log(rest) + (x * x + y * y - 2.0 * correlation * x * y) / rest) / (size - 1)
            first = (1.0 - a - b) * target[i, i] + a * x * x + b * first
            second = (1.0 - a - b) * target[j, j] + a * y * y + b * second
            cross = (1.0 - a - b) * target[i, j] + a * x * y + b * cross
    return mean


_COLUMN = types.Array(types.float64, 1, "C")
_MATRIX = types.Array(types.float64, 2, "C")
_NUMBER = types.float64
garch: Any = njit(_NUMBER(_COLUMN, *[_NUMBER] * 4, _COLUMN, _COLUMN), **OPTIONS)(_garch)
correlation: Any = njit(_NUMBER(_MATRIX, _MATRIX, _NUMBER, _NUMBER), **OPTIONS)(_correlation)
pairwise_correlation: Any = njit(_NUMBER(_MATRIX, _MATRIX, _NUMBER, _NUMBER), **OPTIONS)(_pairwise_correlation)
