"""Covariance of returns (RSK-8), per period of the returns: times 252 it is per year of daily ones.

`returns` are observations by assets; every answer is symmetric and positive semidefinite, assets by assets. Anything
not finite raises DomainError.
"""

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from quantmesh.quant import garch
from quantmesh.quant._samples import Floats, check_finite, sample_of
from quantmesh.quant._shrinkage import toward_constant_correlation, toward_identity, within_eigenvalues
from quantmesh.quant.errors import DomainError


def sample(returns: ArrayLike) -> Floats:
    """The unbiased sample covariance."""
    return np.atleast_2d(np.cov(sample_of(returns), rowvar=False, ddof=1))


def ewma(returns: ArrayLike, *, decay: float = 0.94) -> Floats:
    """Products of returns with weights that fall by `decay` a period into the past and add up to one; means are 0.

    J.P. Morgan, RiskMetrics, 4th ed., 5.2: 0.94 for days, 0.97 for months.
    """
    observations = sample_of(returns)
    if not 0.0 < decay < 1.0:
        raise DomainError("decay", decay, "between 0 and 1")
    weights = decay ** np.arange(observations.shape[0], dtype=np.float64)[::-1]
    return _product(observations * np.sqrt(weights / weights.sum())[:, None])


def ledoit_wolf(
    returns: ArrayLike, *, target: Literal["constant_correlation", "identity", "nonlinear"] = "constant_correlation"
) -> Floats:
    """The sample covariance (over n, not n - 1), shrunk by as much as the sample itself shows to be best.

    Toward one correlation for all pairs (Ledoit and Wolf, Honey, I shrunk the sample covariance matrix, 2004); toward
    one variance and no correlation (A well-conditioned estimator for large-dimensional covariance matrices, 2004); or
    every eigenvalue by its own amount (Analytical nonlinear shrinkage of large-dimensional covariance matrices, 2020,
    which divides by n - 1 and needs at least 12 observations).
    """
    observations = sample_of(returns, least=12 if target == "nonlinear" else 2)
    centred = observations - observations.mean(axis=0)
    if target == "constant_correlation":
        return toward_constant_correlation(centred)
    if target == "identity":
        return toward_identity(centred)
    if target == "nonlinear":
        return within_eigenvalues(centred)
    raise DomainError("target", repr(target), '"constant_correlation", "identity" or "nonlinear"')


def factor(returns: ArrayLike, factors: int | ArrayLike) -> Floats:
    """Loadings times the factors' covariance, plus residuals that are independent of each other.

    `factors` is how many principal components, or the factors' own returns (observations by factors), on which each
    asset is regressed with an intercept. Variances are those of the sample, unbiased.
    """
    observations = sample_of(returns)
    centred = observations - observations.mean(axis=0)
    if isinstance(factors, (int, np.integer)):
        if not 1 <= factors <= observations.shape[1]:
            raise DomainError("factors", factors, f"from 1 to {observations.shape[1]}, the number of assets")
        _, _, components = np.linalg.svd(centred, full_matrices=False)
        common = centred @ components[:factors].T @ components[:factors]
    else:
        given = np.asarray(factors, dtype=np.float64)
        if given.ndim != 2 or given.shape[0] != observations.shape[0]:
            raise DomainError("factors", f"shape {given.shape}", f"{observations.shape[0]} observations by factors")
        check_finite("factors", given)
        explaining = given - given.mean(axis=0)
        common = explaining @ np.linalg.lstsq(explaining, centred, rcond=None)[0]
    degrees = observations.shape[0] - 1
    residual = (centred - common).var(axis=0) * observations.shape[0] / degrees
    return _product(common / np.sqrt(degrees)) + np.diag(residual)


def garch_dcc(returns: ArrayLike) -> Floats:
    """Of the next period, by `garch.dynamic_correlation`, whose answer also has the parameters."""
    return garch.dynamic_correlation(returns).covariance


def _product(rows: Floats) -> Floats:
    """rows' rows, symmetric to the last bit."""
    product = rows.T @ rows
    symmetric: Floats = 0.5 * (product + product.T)
    return symmetric
