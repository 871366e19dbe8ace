"""The far end of a sample of profits: value at risk, expected shortfall, and how positions make them up."""

import math
from typing import NamedTuple

import numpy as np

from quantmesh.quant._samples import Floats
from quantmesh.quant.errors import DomainError

_COLUMNS_AT_ONCE = 64


class ValueAtRisk(NamedTuple):
    """Losses are positive, in the money of the exposures; arrays are in the order of the assets (or groups).

    `contributions` (components) add up to `value`, `shortfall_contributions` to `expected_shortfall`. `marginal` is the
    change of the value per unit more of an exposure; `incremental` is by how much the value falls without it.
    `standard_error` is the error of a simulated value, None where nothing is simulated.
    """

    value: float
    expected_shortfall: float
    contributions: Floats
    shortfall_contributions: Floats
    marginal: Floats
    incremental: Floats
    standard_error: float | None = None
    shortfall_standard_error: float | None = None


def check_confidence(confidence: float) -> None:
    if not 0.5 <= confidence < 1.0:
        raise DomainError("confidence", confidence, "from 0.5 to below 1")


def check_figure(confidence: float, horizon_days: int) -> None:
    check_confidence(confidence)
    if not horizon_days >= 1:
        raise DomainError("horizon_days", horizon_days, "at least 1")


def empirical_weights(count: int, confidence: float) -> Floats:
    """All weight on the least of `count` losses, sorted upwards, not exceeded in `confidence` of them."""
    weights = np.zeros(count)
    weights[math.ceil(count * confidence - 1e-9) - 1] = 1.0
    return weights


def smooth_weights(count: int, confidence: float) -> Floats:
    """Of losses sorted upwards in the quantile of Harrell and Davis (A new distribution-free quantile estimator, 1982):
    an average around the empirical quantile, so that contributions rest on more than one scenario.
    """
    from scipy.special import betainc

    edges = betainc((count + 1) * confidence, (count + 1) * (1.0 - confidence), np.arange(count + 1) / count)
    return np.diff(edges)


def shortfall_weights(count: int, confidence: float) -> Floats:
    """Of losses sorted upwards in the mean of the worst count * (1 - confidence), the last of them in part.

    Acerbi and Tasche, On the coherence of expected shortfall, 2002, eq. 4.12.
    """
    weights = np.clip(count * (1.0 - confidence) - np.arange(count)[::-1], 0.0, 1.0)
    whole: Floats = weights / weights.sum()
    return whole


def tail_of(unit_profits: Floats, sizes: Floats, confidence: float, weights: Floats, *, scale: float) -> ValueAtRisk:
    """From `unit_profits` (scenarios by assets) of positions with these `sizes`; losses are multiplied by `scale`."""
    profits = unit_profits * sizes
    losses = -profits.sum(axis=1)
    order = np.argsort(losses, kind="stable")
    tail = shortfall_weights(losses.size, confidence)
    value = float(weights @ losses[order])
    at_value = np.zeros(losses.size)
    at_value[order] = weights
    in_tail = np.zeros(losses.size)
    in_tail[order] = tail
    marginal = -(at_value @ unit_profits)
    return ValueAtRisk(
        value=value * scale,
        expected_shortfall=float(tail @ losses[order]) * scale,
        contributions=marginal * sizes * scale,
        shortfall_contributions=-(in_tail @ profits) * scale,
        marginal=marginal * scale,
        incremental=incremental_of(profits, losses, weights, value) * scale,
    )


def incremental_of(profits: Floats, losses: Floats, weights: Floats, value: float) -> Floats:
    """By how much the quantile falls when each column of `profits` is left out."""
    chosen = np.flatnonzero(weights)
    kept = slice(int(chosen[0]), int(chosen[-1]) + 1)
    without = np.empty(profits.shape[1])
    for start in range(0, profits.shape[1], _COLUMNS_AT_ONCE):
        columns = slice(start, start + _COLUMNS_AT_ONCE)
        remaining = losses[:, None] + profits[:, columns]
        remaining.sort(axis=0)
        without[columns] = weights[kept] @ remaining[kept]
    falls: Floats = value - without
    return falls


def standard_errors(losses: Floats, confidence: float) -> tuple[float, float]:
    """Of the quantile and of the expected shortfall of independent losses.

    The quantile's is half the distance between the order statistics one binomial deviation to either side; the
    shortfall's is that of Manistre and Hancock (Variance of the CTE estimator, 2005, eq. 2).
    """
    ordered = np.sort(losses)
    count = ordered.size
    middle, deviation = count * confidence, math.sqrt(count * confidence * (1.0 - confidence))
    low, high = (min(max(math.ceil(rank) - 1, 0), count - 1) for rank in (middle - deviation, middle + deviation))
    quantile = ordered[math.ceil(middle - 1e-9) - 1]
    tail = ordered[ordered >= quantile]
    spread = float(tail.var()) + confidence * (float(tail.mean()) - quantile) ** 2
    return 0.5 * float(ordered[high] - ordered[low]), math.sqrt(spread / (count * (1.0 - confidence)))
