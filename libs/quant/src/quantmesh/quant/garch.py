"""GARCH(1,1): h' = omega + alpha e^2 + beta h, fitted by quasi maximum likelihood (Bollerslev, 1986), and correlations.

Returns are of one period and of any unit; variances are per period in the square of that unit.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from quantmesh.quant._dynamic_correlation import fit_correlation
from quantmesh.quant._samples import Floats, check_finite, sample_of
from quantmesh.quant.errors import DomainError

_LEAST_OBSERVATIONS = 10
# Persistence stays below 1, where the variance has no mean.
_LARGEST_PERSISTENCE = 0.9999
# Of the coordinates, beyond which the parameters no longer change to eight digits or leave all reason.
_LOWEST = np.array([-12.0, -12.0, -20.0])
_HIGHEST = np.array([9.2, 12.0, 3.0])
# Persistence and the share of alpha in it, from where the search starts.
_STARTS = ((0.98, 0.05), (0.9, 0.2), (0.5, 0.5))


class Garch(NamedTuple):
    """`variances` holds the conditional variance of every return, `next_variance` that of the one to come.

    `log_likelihood` is that of normal innovations, constants included; `residuals` are returns less `mean`.
    """

    mean: float
    omega: float
    alpha: float
    beta: float
    log_likelihood: float
    residuals: Floats
    variances: Floats
    next_variance: float

    @property
    def standardized(self) -> Floats:
        """Residuals over their conditional deviations; 0 where the variance is."""
        deviations = np.sqrt(self.variances)
        standardized: Floats = np.divide(
            self.residuals, deviations, out=np.zeros_like(deviations), where=deviations > 0.0
        )
        return standardized

    def forecast(self, periods: int) -> Floats:
        """The expected variance of each of the next periods."""
        persistence = self.alpha + self.beta
        lasting = self.omega / (1.0 - persistence) if persistence < 1.0 else math.inf
        steps = np.arange(periods, dtype=np.float64)
        if lasting == math.inf:
            growing: Floats = self.next_variance + self.omega * steps
            return growing
        reverting: Floats = lasting + (self.next_variance - lasting) * persistence**steps
        return reverting


def fit(returns: ArrayLike, *, variance_targeting: bool = False, demean: bool = True) -> Garch:
    """The parameters of highest likelihood, from several starts, by BFGS with analytic slopes.

    With `variance_targeting` omega makes the lasting variance that of the sample (Engle and Mezrich, 1996). The
    recursion starts from the sample's variance. Raises DomainError for returns that do not vary.
    """
    mean, residuals, initial = _residuals_of(returns, demean)
    from scipy.optimize import minimize

    # Numba takes 0.7 s to import: on first use.
    from quantmesh.quant import _garch_kernels as kernels

    squares = residuals * residuals / initial
    variances = np.empty(squares.size + 1)
    slopes = np.empty(3)

    count = 2 if variance_targeting else 3
    lowest, highest = _LOWEST[:count], _HIGHEST[:count]

    def objective(point: Floats) -> tuple[float, Floats]:
        inside = np.clip(point, lowest, highest)
        omega, alpha, beta = _parameters(inside, variance_targeting)
        total = kernels.garch(squares, 1.0, omega, alpha, beta, variances, slopes)
        return total / squares.size, _chained(inside, slopes, variance_targeting) * (inside == point) / squares.size

    found = []
    for persistence, share in _STARTS:
        start = [_logit(persistence / _LARGEST_PERSISTENCE), _logit(share), math.log(1.0 - persistence)]
        found.append(minimize(objective, start[:count], jac=True, method="BFGS", options={"gtol": 1e-9}))
    best = min(found, key=lambda result: float(result.fun))
    omega, alpha, beta = _parameters(np.clip(best.x, lowest, highest), variance_targeting)
    return _filtered(mean, residuals, initial, omega * initial, alpha, beta)


def ewma(returns: ArrayLike, *, decay: float = 0.94, demean: bool = False) -> Garch:
    """The same recursion with omega 0 and beta = decay = 1 - alpha (J.P. Morgan, RiskMetrics, 4th ed., 5.2)."""
    if not 0.0 < decay < 1.0:
        raise DomainError("decay", decay, "between 0 and 1")
    mean, residuals, initial = _residuals_of(returns, demean)
    return _filtered(mean, residuals, initial, 0.0, 1.0 - decay, decay)


class DynamicCorrelation(NamedTuple):
    """`covariance` and `correlation` are those of the next period, assets by assets."""

    a: float
    b: float
    correlation: Floats
    covariance: Floats
    assets: tuple[Garch, ...]


def dynamic_correlation(returns: ArrayLike) -> DynamicCorrelation:
    """A GARCH(1,1) for each asset of `returns` (observations by assets), then the correlation of what is left.

    Engle, Dynamic conditional correlation, 2002: quasi maximum likelihood in two steps.
    """
    assets = tuple(fit(column) for column in sample_of(returns, least=_LEAST_OBSERVATIONS).T)
    correlation = fit_correlation(np.column_stack([asset.standardized for asset in assets]))
    deviations = np.sqrt([asset.next_variance for asset in assets])
    covariance = correlation.matrix * np.outer(deviations, deviations)
    return DynamicCorrelation(correlation.a, correlation.b, correlation.matrix, covariance, assets)


def load_kernels() -> None:
    """Compile the recursions, or read them from the cache, ahead of the first call."""
    from quantmesh.quant import _garch_kernels  # noqa: F401  importing loads them


def _residuals_of(returns: ArrayLike, demean: bool) -> tuple[float, Floats, float]:
    """Mean, residuals and their variance about zero."""
    series = np.asarray(returns, dtype=np.float64)
    if series.ndim != 1 or series.size < _LEAST_OBSERVATIONS:
        raise DomainError("returns", f"shape {series.shape}", f"a vector of at least {_LEAST_OBSERVATIONS}")
    check_finite("returns", series)
    mean = float(series.mean()) if demean else 0.0
    residuals = np.ascontiguousarray(series - mean)
    variance = float(residuals @ residuals) / residuals.size
    if not variance > 1e-24 * float(np.abs(series).max()) ** 2:
        raise DomainError("returns", f"a deviation of {math.sqrt(variance):g}", "a series that varies")
    return mean, residuals, variance


def _filtered(mean: float, residuals: Floats, initial: float, omega: float, alpha: float, beta: float) -> Garch:
    from quantmesh.quant import _garch_kernels as kernels

    variances = np.empty(residuals.size + 1)
    total = kernels.garch(residuals * residuals, initial, omega, alpha, beta, variances, np.empty(3))
    log_likelihood = -0.5 * (total + residuals.size * math.log(2.0 * math.pi))
    return Garch(mean, omega, alpha, beta, log_likelihood, residuals, variances[:-1], float(variances[-1]))


def _parameters(point: Floats, variance_targeting: bool) -> tuple[float, float, float]:
    """Omega, alpha and beta of a sample with unit variance, from coordinates without constraints between them."""
    persistence, share = _LARGEST_PERSISTENCE * _logistic(point[0]), _logistic(point[1])
    omega = 1.0 - persistence if variance_targeting else math.exp(point[2])
    return omega, persistence * share, persistence * (1.0 - share)


def _chained(point: Floats, slopes: Floats, variance_targeting: bool) -> Floats:
    """Slopes by the coordinates, from those by the parameters."""
    whole, share = _logistic(point[0]), _logistic(point[1])
    by_omega, by_alpha, by_beta = slopes
    by_persistence = share * by_alpha + (1.0 - share) * by_beta - (by_omega if variance_targeting else 0.0)
    first = by_persistence * _LARGEST_PERSISTENCE * whole * (1.0 - whole)
    second = (by_alpha - by_beta) * _LARGEST_PERSISTENCE * whole * share * (1.0 - share)
    return np.array([first, second] if variance_targeting else [first, second, by_omega * math.exp(point[2])])


def _logistic(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-x))


def _logit(p: float) -> float:
    return math.log(p / (1.0 - p))
