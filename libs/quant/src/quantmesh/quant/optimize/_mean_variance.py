import math

from numpy.typing import ArrayLike

from quantmesh.quant.errors import DomainError
from quantmesh.quant.optimize._constraints import LONG_ONLY, Constraints
from quantmesh.quant.optimize._optimum import Moments, Optimum, optimum_of
from quantmesh.quant.optimize._utility import Utility, least_utility


def mean_variance(
    expected_return: ArrayLike,
    covariance: ArrayLike,
    constraints: Constraints = LONG_ONLY,
    *,
    risk_aversion: float,
    risk_free_rate: float = 0.0,
) -> Optimum:
    """The weights of least `risk_aversion` / 2 * variance - expected return + costs: Markowitz's utility, negated.

    `expected_return`, `covariance`, costs and `risk_free_rate`, which serves the statistics alone, share one period.
    Raises as minimum_variance does.
    """
    if not 0.0 < risk_aversion < math.inf:
        raise DomainError("risk_aversion", risk_aversion, "a positive number")
    moments = Moments.of(covariance, expected_return, risk_free_rate)
    moments.require_convex()
    limits = constraints.limits(moments.count)
    utility = Utility(moments.covariance, moments.mean, float(risk_aversion), limits)
    weights, certificate = least_utility(utility)
    return optimum_of(weights, limits, moments, utility.value, certificate)
