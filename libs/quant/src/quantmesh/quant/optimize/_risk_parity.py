import numpy as np
from numpy.typing import ArrayLike

from quantmesh.quant._samples import Floats, vector_of
from quantmesh.quant.errors import DomainError, SolverError
from quantmesh.quant.optimize._constraints import LONG_ONLY, Constraints, require_bare
from quantmesh.quant.optimize._matrix_kernels import product
from quantmesh.quant.optimize._optimum import Certificate, Moments, Optimum, optimum_of
from quantmesh.quant.optimize._risk_parity_kernels import descend

_SWEEPS = 200
_CERTAIN = 1e-12
_ACCEPTABLE = 1e-10
_NEWTON_STEPS = 100


def risk_parity(
    covariance: ArrayLike,
    constraints: Constraints = LONG_ONLY,
    *,
    budgets: ArrayLike | None = None,
    expected_return: ArrayLike | None = None,
    risk_free_rate: float = 0.0,
) -> Optimum:
    """Positive weights whose shares in the variance equal `budgets` (equal where absent), relatively to 1e-10.

    They are the scaled minimum of x' C x / 2 - budgets' log(x), which is unique where C has full rank (Spinu, An
    algorithm for computing risk parity weights, 2013, section 2). The objective is the largest distance of a share from
    its budget. Of the constraints the budget counts, and `current` for comparison: others raise DomainError, since
    they would break the shares.
    """
    moments = Moments.of(covariance, expected_return, risk_free_rate)
    matrix, count = moments.covariance, moments.count
    limits = require_bare(constraints, count, "risk_parity")
    shares = np.full(count, 1.0) if budgets is None else vector_of("budgets", budgets, count)
    if shares.min() <= 0.0:
        raise DomainError("budgets", float(shares.min()), "positive", int(shares.argmin()))
    shares = shares / shares.sum()

    def objective(weights: Floats) -> float:
        marginal = product(matrix, weights)
        variance = float(weights @ marginal)
        return float(np.abs(weights * marginal / variance - shares).max()) if variance > 0.0 else float(shares.max())

    deviations = np.sqrt(np.diagonal(matrix))
    correlation = matrix / (deviations[:, None] * deviations)
    point, solver, iterations = _balanced(correlation, shares)
    weights = point / deviations
    weights *= limits.budget / weights.sum()
    return optimum_of(weights, limits, moments, objective, Certificate(solver, iterations, 0.0))


def _balanced(correlation: Floats, shares: Floats) -> tuple[Floats, str, int]:
    """x with x_i (correlation @ x)_i = shares_i."""
    point = np.sqrt(shares / np.maximum(correlation.sum(axis=1), 1e-3))
    marginal = product(correlation, point)
    sweeps = descend(correlation, shares, point, marginal, _SWEEPS, _CERTAIN)
    if _distance(correlation, shares, point) <= _ACCEPTABLE:
        return point, "coordinate descent", sweeps
    for step in range(_NEWTON_STEPS):
        gradient = correlation @ point - shares / point
        try:
            direction = np.linalg.solve(correlation + np.diag(shares / point**2), gradient)
        except np.linalg.LinAlgError:
            break
        # Within the domain of self-concordance a full step converges quadratically; outside it is damped.
        relative = float(np.max(np.abs(direction / point)))
        point = point - direction / (1.0 + relative if relative > 0.5 else 1.0)
        if _distance(correlation, shares, point) <= _ACCEPTABLE:
            return point, "newton", sweeps + step + 1
    distance = _distance(correlation, shares, point)
    raise SolverError(
        "newton", f"shares up to {distance:.2g} off their budgets, relatively; the covariance is singular"
    )


def _distance(correlation: Floats, shares: Floats, point: Floats) -> float:
    return float(np.abs(point * product(correlation, point) / shares - 1.0).max())
