"""Dynamic conditional correlation after Engle (2002)."""

from typing import NamedTuple

import numpy as np

from quantmesh.quant._samples import Floats
from quantmesh.quant.errors import DomainError, SolverError

# a + b stays below, where the correlation reverts to its mean.
_LARGEST_PERSISTENCE = 0.9999
_STARTS = ((0.97, 0.03), (0.8, 0.1))


class Correlation(NamedTuple):
    a: float
    b: float
    matrix: Floats
    """Of the next period."""


def fit_correlation(standardized: Floats) -> Correlation:
    """Q' = (1 - a - b) Qbar + a z z' + b Q with Qbar the mean of z z', and R its correlations (eq. 24, 25).

    a and b maximise the correlation's part of the quasi likelihood (eq. 26). An evaluation costs observations times the
    cube of the number of assets.
    """
    from scipy.optimize import minimize

    # Numba takes 0.7 s to import: on first use.
    from quantmesh.quant import _garch_kernels as kernels

    residuals = np.ascontiguousarray(standardized)
    count, size = residuals.shape
    if count <= size:
        raise DomainError("returns", f"shape {residuals.shape}", "more observations than assets")
    target = residuals.T @ residuals / count
    quasi = np.empty((size, size))

    def objective(point: Floats) -> float:
        mean: float = kernels.correlation(residuals, target, *_parameters(point), quasi) / count
        return mean

    if not np.isfinite(objective(_coordinates(*_STARTS[0]))):
        raise DomainError("returns", "assets that repeat each other", "linearly independent")
    found = [
        minimize(objective, _coordinates(*start), method="L-BFGS-B", bounds=[(-8.0, 9.2), (-12.0, 6.0)])
        for start in _STARTS
    ]
    best = min(found, key=lambda result: float(result.fun))
    if not np.isfinite(best.fun):
        raise SolverError("dynamic correlation", str(best.message))
    a, b = _parameters(best.x)
    objective(best.x)
    deviations = np.sqrt(np.diagonal(quasi))
    return Correlation(a, b, quasi / np.outer(deviations, deviations))


def _parameters(point: Floats) -> tuple[float, float]:
    persistence, share = _LARGEST_PERSISTENCE / (1.0 + np.exp(-point[0])), 1.0 / (1.0 + np.exp(-point[1]))
    return float(persistence * share), float(persistence * (1.0 - share))


def _coordinates(persistence: float, share: float) -> Floats:
    whole = persistence / _LARGEST_PERSISTENCE
    return np.log([whole / (1.0 - whole), share / (1.0 - share)])
