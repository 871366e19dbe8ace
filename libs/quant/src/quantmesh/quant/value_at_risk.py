"""Value at risk and expected shortfall of a book of exposures (RSK-1). Losses are positive.

Exposures are amounts of money; returns are simple and of one day. A horizon of h days scales one day's figure by the
square root of h, which holds for independent returns (McNeil, Frey, Embrechts, Quantitative Risk Management, 2nd ed.,
2.3.4).
Contributions are Euler's: the derivative of the figure by the size of each exposure, times that exposure (ibid., 8.5).
They add up to the figure, which is homogeneous of degree one.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from quantmesh.quant._samples import Floats, covariance_of, sample_of, vector_of
from quantmesh.quant.errors import DomainError


class ValueAtRisk(NamedTuple):
    """`value` and `expected_shortfall` in the money of the exposures; contributions in the order of the assets."""

    value: float
    expected_shortfall: float
    contributions: Floats
    shortfall_contributions: Floats


def historical(
    returns: ArrayLike, exposures: ArrayLike, *, confidence: float = 0.99, horizon_days: int = 1
) -> ValueAtRisk:
    """From the empirical distribution of the book's loss over the rows of `returns` (observations by assets).

    With n losses sorted upwards, the value is number ceil(n * confidence): the least loss that is not exceeded in at
    least that share of the sample. The expected shortfall averages the worst n * (1 - confidence) losses, the last of
    them in part (Acerbi and Tasche, On the coherence of expected shortfall, 2002, eq. 4.12).
    """
    sample = sample_of(returns)
    amounts = vector_of("exposures", exposures, sample.shape[1])
    _check(confidence, horizon_days)
    profits = sample * amounts
    losses = -profits.sum(axis=1)
    order = np.argsort(-losses, kind="stable")
    count = losses.size
    at_value = order[count - math.ceil(count * confidence - 1e-9)]
    tail = count * (1.0 - confidence)
    shares = np.clip(tail - np.arange(count), 0.0, 1.0)
    shares /= shares.sum()
    scale = math.sqrt(horizon_days)
    shortfall_contributions = -(shares @ profits[order]) * scale
    return ValueAtRisk(
        value=float(losses[at_value]) * scale,
        expected_shortfall=float(shares @ losses[order]) * scale,
        contributions=-profits[at_value] * scale,
        shortfall_contributions=shortfall_contributions,
    )


def parametric(
    covariance: ArrayLike, exposures: ArrayLike, *, confidence: float = 0.99, horizon_days: int = 1
) -> ValueAtRisk:
    """Under normal returns of zero mean with the daily `covariance` (delta-normal; McNeil, Frey, Embrechts, 9.2.2).

    A mean over days is small beside its own error and is left out (J.P. Morgan, RiskMetrics, 4th ed., 5.3).
    """
    matrix = covariance_of(covariance)
    amounts = vector_of("exposures", exposures, matrix.shape[0])
    _check(confidence, horizon_days)
    from scipy.special import ndtri

    marginal = matrix @ amounts
    variance = float(amounts @ marginal)
    deviation = math.sqrt(max(variance, 0.0) * horizon_days)
    quantile = float(ndtri(confidence))
    density = math.exp(-0.5 * quantile * quantile) / math.sqrt(2.0 * math.pi)
    share = amounts * marginal / variance if variance > 0.0 else np.zeros_like(amounts)
    value, shortfall = quantile * deviation, density / (1.0 - confidence) * deviation
    return ValueAtRisk(value, shortfall, share * value, share * shortfall)


def _check(confidence: float, horizon_days: int) -> None:
    if not 0.5 <= confidence < 1.0:
        raise DomainError("confidence", confidence, "from 0.5 to below 1")
    if horizon_days < 1:
        raise DomainError("horizon_days", horizon_days, "at least 1")
