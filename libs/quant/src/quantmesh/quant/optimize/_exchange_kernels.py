"""Pairwise exchanges for a convex quadratic program over a budget and bounds.

Each step moves weight from one asset to another: the first has the lowest marginal objective of all that can grow, the
second promises the largest decrease by the second-order model (Platt, 1998; Fan, Chen and Lin, JMLR 6, 2005, working
set selection 2). It costs one pass over a row each and soon settles which assets are held, whatever the rank.
"""

from typing import Any

from numba import njit, types

# Assets without variance move as far as they can.
_LEAST_CURVATURE = 1e-300


def _exchange(
    covariance: Any, gradient: Any, weights: Any, lower: Any, upper: Any, most_steps: int, tolerance: float
) -> int:
    """Improve `weights` and `gradient` in place until no exchange gains more than `tolerance` per unit moved.

    Answers the number of steps, `most_steps` where that was not enough.
    """
    count = weights.size
    for step in range(most_steps):
        lowest = gradient[0]
        taker = -1
        for i in range(count):
            if weights[i] < upper[i] and (taker < 0 or gradient[i] < lowest):
                lowest = gradient[i]
                taker = i
        if taker < 0:
            return step
        best = 0.0
        giver = -1
        least_curvature = max(1e-14 * covariance[taker, taker], _LEAST_CURVATURE)
        for i in range(count):
            slope = gradient[i] - lowest
            if weights[i] > lower[i] and slope > tolerance:
                curvature = covariance[taker, taker] + covariance[i, i] - 2.0 * covariance[taker, i]
                gain = slope * slope / max(curvature, least_curvature)
                if gain > best:
                    best = gain
                    giver = i
        if giver < 0:
            return step
        curvature = covariance[taker, taker] + covariance[giver, giver] - 2.0 * covariance[taker, giver]
        room, stock = upper[taker] - weights[taker], weights[giver] - lower[giver]
        moved = min((gradient[giver] - lowest) / max(curvature, least_curvature), room, stock)
        # A bound that is reached is set, not computed, so that it is recognised as reached.
        weights[taker] = upper[taker] if moved == room else weights[taker] + moved
        weights[giver] = lower[giver] if moved == stock else weights[giver] - moved
        for i in range(count):
            gradient[i] += moved * (covariance[taker, i] - covariance[giver, i])
    return most_steps


_MATRIX = types.Array(types.float64, 2, "C", readonly=True)
_BOUND = types.Array(types.float64, 1, "C", readonly=True)
_VECTOR = types.float64[::1]
exchange = njit(
    types.int64(_MATRIX, _VECTOR, _VECTOR, _BOUND, _BOUND, types.int64, types.float64), cache=True, nogil=True
)(_exchange)
