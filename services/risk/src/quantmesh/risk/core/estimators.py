"""Covariances of daily returns, by name (RSK-8)."""

from collections.abc import Callable
from typing import Literal

from quantmesh.quant import covariance
from quantmesh.risk.core.model import Floats

Estimator = Literal["sample", "ewma", "ledoit_wolf", "factor", "garch_dcc"]
_MOST_FACTORS = 5


def _by_factors(returns: Floats) -> Floats:
    """As many principal components as leave something to each asset of its own, five at most."""
    assets = returns.shape[1]
    return covariance.factor(returns, min(_MOST_FACTORS, assets - 1)) if assets > 1 else covariance.sample(returns)


ESTIMATORS: dict[Estimator, Callable[[Floats], Floats]] = {
    "sample": covariance.sample,
    "ewma": covariance.ewma,
    "ledoit_wolf": covariance.ledoit_wolf,
    "factor": _by_factors,
    "garch_dcc": covariance.garch_dcc,
}
