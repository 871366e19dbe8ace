"""Checks on samples and matrices that several modules share."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quantmesh.quant.errors import DomainError

Floats = NDArray[np.float64]


def sample_of(returns: ArrayLike, *, least: int = 2) -> Floats:
    """Observations by assets, finite; raises DomainError."""
    sample = np.asarray(returns, dtype=np.float64)
    if sample.ndim != 2 or sample.shape[0] < least or sample.shape[1] < 1:
        raise DomainError("returns", f"shape {sample.shape}", f"observations by assets, at least {least} by 1")
    check_finite("returns", sample)
    return sample


def vector_of(name: str, values: ArrayLike, size: int) -> Floats:
    vector = np.asarray(values, dtype=np.float64, order="C")
    if vector.shape != (size,):
        raise DomainError(name, f"shape {vector.shape}", f"a vector of {size}")
    check_finite(name, vector)
    return vector


def covariance_of(values: ArrayLike) -> Floats:
    """A symmetric matrix with a positive diagonal; raises DomainError. Definiteness is left to the solver."""
    matrix = np.asarray(values, dtype=np.float64, order="C")
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or matrix.shape[0] == 0:
        raise DomainError("covariance", f"shape {matrix.shape}", "a square matrix")
    check_finite("covariance", matrix)
    check_symmetric("covariance", matrix)
    flat = np.flatnonzero(np.diagonal(matrix) <= 0.0)
    if flat.size:
        raise DomainError("covariance diagonal", float(matrix[flat[0], flat[0]]), "positive", int(flat[0]))
    return matrix


def check_symmetric(name: str, matrix: Floats) -> None:
    # Most are symmetric to the last bit, which is seen much sooner.
    if not np.array_equal(matrix, matrix.T) and not np.allclose(
        matrix, matrix.T, rtol=1e-10, atol=1e-14 * float(np.abs(matrix).max())
    ):
        raise DomainError(name, "an asymmetric matrix", "symmetric")


def check_finite(name: str, values: Floats) -> None:
    finite = np.isfinite(values)
    if not finite.all():
        wrong = np.flatnonzero(~finite)
        raise DomainError(name, float(values.flat[wrong[0]]), "finite", int(wrong[0]))
