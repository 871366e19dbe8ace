import numpy as np
from numpy.typing import ArrayLike

from quantmesh.quant.optimize._constraints import LONG_ONLY, Constraints
from quantmesh.quant.optimize._optimum import Moments, Optimum, optimum_of
from quantmesh.quant.optimize._utility import Utility, least_utility


def minimum_variance(
    covariance: ArrayLike,
    constraints: Constraints = LONG_ONLY,
    *,
    expected_return: ArrayLike | None = None,
    risk_free_rate: float = 0.0,
) -> Optimum:
    """The weights of least variance (Markowitz, 1952); proportional costs are added to the variance.

    `expected_return` (one per asset) and `risk_free_rate` share the period of `covariance` and serve the statistics
    alone. Raises DomainError for what is no input, InfeasibleError where no weights satisfy the constraints, and
    SolverError where rounding leaves no answer.
    """
    moments = Moments.of(covariance, expected_return, risk_free_rate)
    moments.require_convex()
    limits = constraints.limits(moments.count)
    utility = Utility(moments.covariance, np.zeros(limits.count), 2.0, limits)
    weights, certificate = least_utility(utility)
    return optimum_of(weights, limits, moments, utility.value, certificate)
