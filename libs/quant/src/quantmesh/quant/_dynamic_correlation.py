"""Dynamic conditional correlation after Engle (2002)."""

from typing import NamedTuple

import numpy as np

from quantmesh.quant._samples import Floats
from quantmesh.quant.errors import DomainError

# a + b stays below, where the correlation reverts to its mean.
_LARGEST_PERSISTENCE = 0.9999
# Of so many assets or fewer the whole likelihood is used: an evaluation costs the cube of their number a day.
_LARGEST_FULL = 20
# Of the coordinates, beyond which the parameters hardly change.
_FARTHEST = 9.2
_STARTS = ((0.97, 0.03), (0.8, 0.1))


class Correlation(NamedTuple):
    a: float
    b: float
    matrix: Floats
    """Of the next period."""


def fit_correlation(standardized: Floats) -> Correlation:
    """Q' = (1 - a - b) Qbar + a z z' + b Q with Qbar the mean of z z', and R its correlations (eq. 24, 25).

    a and b maximise the correlation's part of the quasi likelihood (eq. 26); of many assets that of pairs of
    neighbours, which costs as many steps as there are numbers and holds for more assets than observations (Engle,
    Shephard and Sheppard, Fitting vast dimensional time-varying covariance models, 2008).
    """
    from scipy.optimize import minimize

    # Numba takes 0.7 s to import: on first use.
    from quantmesh.quant import _garch_kernels as kernels

    count, size = standardized.shape
    target = standardized.T @ standardized / count
    if size == 1:
        return Correlation(0.0, 0.0, np.ones((1, 1)))
    is_small = size <= _LARGEST_FULL and size < count
    likelihood = kernels.correlation if is_small else kernels.pairwise_correlation
    residuals = np.ascontiguousarray(standardized if is_small else standardized.T)

    def objective(point: Floats) -> float:
        mean: float = likelihood(residuals, target, *_parameters(point)) / count
        return mean

    if not np.isfinite(objective(_coordinates(*_STARTS[0]))):
        raise DomainError("returns", "assets that repeat each other", "linearly independent")
    found = [minimize(objective, _coordinates(*start), method="BFGS") for start in _STARTS]
    best = min(found, key=lambda result: float(result.fun))
    a, b = _parameters(best.x)
    quasi = next_quasi_correlation(standardized, target, a, b)
    deviations = np.sqrt(np.diagonal(quasi))
    correlation = quasi / np.outer(deviations, deviations)
    np.fill_diagonal(correlation, 1.0)
    return Correlation(a, b, correlation)


def next_quasi_correlation(standardized: Floats, target: Floats, a: float, b: float) -> Floats:
    """Q after the last row: the recursion's sum."""
    count = standardized.shape[0]
    weights = a * b ** np.arange(count, dtype=np.float64)[::-1]
    fading = b**count
    constant = (1.0 - a - b) * (1.0 - fading) / (1.0 - b) + fading
    weighted = standardized * np.sqrt(weights)[:, None]
    quasi: Floats = constant * target + weighted.T @ weighted
    return 0.5 * (quasi + quasi.T)


def _parameters(point: Floats) -> tuple[float, float]:
    whole, share = 1.0 / (1.0 + np.exp(-np.clip(point, -_FARTHEST, _FARTHEST)))
    persistence = _LARGEST_PERSISTENCE * whole
    return float(persistence * share), float(persistence * (1.0 - share))


def _coordinates(persistence: float, share: float) -> Floats:
    whole = persistence / _LARGEST_PERSISTENCE
    return np.log([whole / (1.0 - whole), share / (1.0 - share)])
