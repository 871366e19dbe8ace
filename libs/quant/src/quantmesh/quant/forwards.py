"""Forwards and discount factors from put-call parity: `call - put = discount_factor (forward - strike)` at each strike.

Per expiry a line through the differences of European prices, weighted by bid-ask spread: Tukey's biweight, started from
the median of all slopes (Theil and Sen), so that quotes which miss the line by far have no say. Intervals are Student's
with `pairs - 2` degrees of freedom around Huber's covariance of the estimate ("Robust Statistics", section 7.6).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quantmesh.quant._arguments import PRICE, Domain, Floats
from quantmesh.quant._limits import LARGEST_AMOUNT
from quantmesh.quant._quotes import POSITIVE_STRIKE, POSITIVE_TIME, quote_columns
from quantmesh.quant._student_intervals import check_confidence, half_width
from quantmesh.quant.errors import DomainError

# Residuals count in units of their robust deviation; this bound keeps 95 % of the efficiency of least squares.
_BIWEIGHT_BOUND = 4.685
# The median of the absolute value of a standard normal variable.
_MEDIAN_DEVIATION = 0.6744897501960817
_MOST_ITERATIONS = 100

_CALL, _PUT = PRICE._replace(name="call"), PRICE._replace(name="put")
_SPREAD = Domain("spread", 1e-12, LARGEST_AMOUNT, "a positive number")


@dataclass(frozen=True, slots=True, eq=False)
class Forwards:
    """A row per expiry, ascending; intervals have a lower and an upper column, infinite where two pairs leave no room.

    `residual` (a price) and `is_outlier` have a row per pair that was given: what its difference lies above the line,
    and whether it was left out for that.
    """

    time_to_expiry: Floats
    forward: Floats
    discount_factor: Floats
    forward_interval: Floats
    discount_factor_interval: Floats
    confidence: float
    pairs: NDArray[np.int64]
    residual: Floats
    is_outlier: NDArray[np.bool_]


def from_put_call_parity(
    strike: ArrayLike,
    time_to_expiry: ArrayLike,
    call: ArrayLike,
    put: ArrayLike,
    *,
    spread: ArrayLike = 1.0,
    confidence: float = 0.95,
) -> Forwards:
    """One row per pair of European prices at the same strike and expiry, in any order; every expiry needs two strikes.

    `spread` is the bid-ask spread of the call plus that of the put: a pair's weight is its inverse square.
    Raises `DomainError` for values outside their domain and for an expiry whose pairs determine no line.
    """
    strikes, times, calls, puts, spreads = quote_columns(
        (POSITIVE_STRIKE, strike), (POSITIVE_TIME, time_to_expiry), (_CALL, call), (_PUT, put), (_SPREAD, spread)
    )
    check_confidence(confidence)
    expiries = np.unique(times)
    answers = np.empty((expiries.size, 6))
    pairs = np.empty(expiries.size, np.int64)
    residual = np.empty(strikes.size)
    is_outlier = np.empty(strikes.size, np.bool_)
    for i, expiry in enumerate(expiries):
        rows = np.flatnonzero(times == expiry)
        answers[i], residual[rows], is_outlier[rows] = _line(
            expiry, strikes[rows], calls[rows] - puts[rows], spreads[rows], confidence
        )
        pairs[i] = rows.size - np.count_nonzero(is_outlier[rows])
    return Forwards(
        time_to_expiry=expiries,
        forward=answers[:, 0],
        discount_factor=answers[:, 1],
        forward_interval=answers[:, 2:4],
        discount_factor_interval=answers[:, 4:6],
        confidence=confidence,
        pairs=pairs,
        residual=residual,
        is_outlier=is_outlier,
    )


def _line(
    expiry: float, strikes: Floats, differences: Floats, spreads: Floats, confidence: float
) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Forward, discount factor and their intervals; residuals and outliers."""
    distinct = np.unique(strikes).size
    if distinct < 2:
        place = f"{distinct} strike at {expiry:g} years"
        raise DomainError("strike", place, "at least two different ones per expiry, each with a call and a put")
    centre = np.average(strikes, weights=spreads**-2.0)
    level, slope = _theil_sen(strikes - centre, differences)
    design = np.column_stack([np.ones(strikes.size), strikes - centre]) / spreads[:, None]
    scaled = differences / spreads
    estimate = np.array([level, slope])
    # Exact prices have residuals of rounding alone, on which no quote is an outlier.
    rounding = 1e-13 * float(np.abs(strikes).max() + np.abs(differences).max()) / float(spreads.min())
    deviation = float(np.median(np.abs(scaled - design @ estimate))) / _MEDIAN_DEVIATION + rounding
    weights = np.ones(strikes.size)
    for _ in range(_MOST_ITERATIONS):
        units = (scaled - design @ estimate) / (_BIWEIGHT_BOUND * deviation)
        weights = np.where(np.abs(units) < 1.0, (1.0 - units**2) ** 2, 0.0)
        before = estimate
        estimate = np.linalg.lstsq(design * np.sqrt(weights)[:, None], scaled * np.sqrt(weights), rcond=None)[0]
        if np.abs(design @ (estimate - before)).max() <= 1e-10 * deviation:
            break
    discount_factor = -estimate[1]
    if discount_factor <= 0.0:
        place = f"a discount factor of {discount_factor:.6g} at {expiry:g} years"
        raise DomainError("call - put", place, "falling with the strike, as put-call parity has it")
    distance = estimate[0] / discount_factor
    units = (scaled - design @ estimate) / (_BIWEIGHT_BOUND * deviation)
    is_outlier = np.abs(units) >= 1.0
    half = np.full(2, np.inf)
    freedom = strikes.size - int(is_outlier.sum()) - 2
    if freedom > 0:
        influence = _BIWEIGHT_BOUND * deviation * units * weights
        steepness = np.mean(np.where(is_outlier, 0.0, (1.0 - units**2) * (1.0 - 5.0 * units**2)))
        variance = float(influence @ influence) / freedom / steepness**2
        covariance = variance * np.linalg.inv(design.T @ design)
        by_forward = np.array([1.0, distance]) / discount_factor
        deviations = np.sqrt([by_forward @ covariance @ by_forward, covariance[1, 1]])
        half = deviations * half_width(freedom, confidence)
    forward = centre + distance
    row = np.array(
        [
            forward,
            discount_factor,
            forward - half[0],
            forward + half[0],
            discount_factor - half[1],
            discount_factor + half[1],
        ]
    )
    return row, (scaled - design @ estimate) * spreads, is_outlier


def _theil_sen(x: Floats, y: Floats) -> tuple[float, float]:
    """Level at 0 and slope of the line whose slope is the median over all pairs of points."""
    first, second = np.triu_indices(x.size, 1)
    apart = x[first] != x[second]
    first, second = first[apart], second[apart]
    slope = float(np.median((y[first] - y[second]) / (x[first] - x[second])))
    return float(np.median(y - slope * x)), slope
