"""Discounted payoffs of paths: from `block[step, row, path]`, logarithms of spots, into one row of `values`.

`sign` is 1 for a call and -1 for a put; `stride` is the number of steps between two observations.
"""

from typing import Any

import numpy as np
from numba import njit, types

from quantmesh.quant._elementary import TINY, exponential, logarithm_of_ratio, mills_ratio, mills_slope, square_root
from quantmesh.quant._elementary_kernels import INLINE, unsigned
from quantmesh.quant.monte_carlo._tiles import OPTIONS, TILE

# Deviations beyond which the time of a hit is as good as certain; and a second barrier that nothing reaches.
_FARTHEST = 1e3
_NO_WIDTH = 1e9


def _european(block: Any, asset: int, sign: float, strike: float, discount: float, values: Any, row: int) -> None:
    last = block.shape[0] - 1
    for j in range(block.shape[2]):
        values[row, j] = discount * max(sign * (exponential(block[last, asset, j]) - strike), 0.0)


def _digital(
    block: Any, sign: float, strike: float, cash: float, shares: float, discount: float, values: Any, row: int
) -> None:
    last = block.shape[0] - 1
    for j in range(block.shape[2]):
        spot = exponential(block[last, 0, j])
        values[row, j] = discount * (cash + shares * spot) if sign * (spot - strike) > 0.0 else 0.0


def _arithmetic_average(block: Any, stride: int, values: Any, row: int) -> None:
    """Undiscounted."""
    paths, steps = block.shape[2], block.shape[0]
    sums = np.empty(TILE)
    for begin in range(0, paths, TILE):
        count = min(TILE, paths - begin)
        sums[:] = 0.0
        for step in range(stride - 1, steps, stride):
            for j in range(count):
                sums[j] += exponential(block[step, 0, unsigned(begin + j)])
        for j in range(count):
            values[row, unsigned(begin + j)] = sums[j] * (stride / steps)


def _geometric_average(block: Any, stride: int, values: Any, row: int) -> None:
    """Undiscounted."""
    paths, steps = block.shape[2], block.shape[0]
    for j in range(paths):
        values[row, j] = 0.0
    for step in range(stride - 1, steps, stride):
        for j in range(paths):
            values[row, j] += block[step, 0, j]
    for j in range(paths):
        values[row, j] = exponential(values[row, j] * (stride / steps))


def _hits_one(distances: Any, following: Any, variances: Any, hits: Any, count: int) -> None:
    """Probabilities that a bridge between two points at these distances from a barrier, on one side, touches it."""
    for j in range(count):
        product = max(distances[j], 0.0) * max(following[j], 0.0)
        hits[j] = exponential(-2.0 * product / max(variances[j], TINY))


def _hits_either(distances: Any, following: Any, variances: Any, hits: Any, count: int, width: float) -> None:
    """As `hits_one`, with the distances from the lower of two barriers: the series of images to the fourth order."""
    for j in range(count):
        a, b = min(max(distances[j], 0.0), width), min(max(following[j], 0.0), width)
        scale = -2.0 / max(variances[j], TINY)
        stays = 1.0 - exponential(scale * (a * b))
        for k in range(1, 5):
            shift = k * width
            stays += exponential(scale * (shift * (shift + b - a))) + exponential(scale * (shift * (shift - b + a)))
            stays -= exponential(scale * ((shift - a) * (shift - b))) + exponential(scale * ((shift + a) * (shift + b)))
        hits[j] = 1.0 - min(max(stays, 0.0), 1.0)


def _paid_within(
    distances: Any, following: Any, variances: Any, width: float, first: float, last: float, paid: Any, count: int
) -> None:
    """What 1 is worth that a hit within the step pays, between the discount factors at its ends.

    From the mean m and the variance of the hit's time, as a share of the step: with the distances at the ends in
    deviations, a and b, and Mills' ratio M of their sum c, the Laplace transforms of the first passage and of what
    follows it give m = a M and the mean square a^2 (1 - c M) + a (M - c (1 - c M)) / 2. Of two barriers that one
    counts which a bridge is likelier to touch.
    """
    decay = logarithm_of_ratio(first, last)
    for j in range(count):
        a, b = distances[j], following[j]
        upper = (width - a) * (width - b) < a * b
        a = max(width - a if upper else a, 0.0)
        b = abs(width - b if upper else b)
        c = min((a + b) / square_root(max(variances[j], TINY)), _FARTHEST)
        a = a / max(a + b, TINY) * c
        ratio, slope = mills_ratio(c), mills_slope(c)
        mean = a * ratio
        spread = max(a * a * slope + 0.5 * a * (ratio - c * slope) - mean * mean, 0.0)
        paid[j] = first * exponential(-decay * mean) * (1.0 + 0.5 * decay * decay * spread)


def _hits_observed(block: Any, step: int, begin: int, lower: float, upper: float, hits: Any, count: int) -> None:
    for j in range(count):
        x = block[step, 0, unsigned(begin + j)]
        hits[j] = 0.0 if (x > lower) & (x < upper) else 1.0


def _barrier(
    block: Any,
    stride: int,
    continuous: bool,
    start: float,
    lower: float,
    upper: float,
    knocks_in: bool,
    rebate: float,
    discounts: Any,
    sign: float,
    strike: float,
    values: Any,
    row: int,
) -> None:
    """One barrier or two, as logarithms; minus or plus infinity where there is none.

    Between two steps of a continuous one the logarithm is a Brownian bridge, whose probability to touch is known: one
    exponential for one barrier, a series for two. A value is the expectation over all bridges.
    """
    paths, steps = block.shape[2], block.shape[0]
    # Distances are from the lower barrier, or down from the upper where there is no lower.
    side, origin = (1.0, lower) if lower > -np.inf else (-1.0, upper)
    two_sided = lower > -np.inf and upper < np.inf
    width = upper - lower if two_sided else _NO_WIDTH
    distances, following, variances = np.empty(TILE), np.empty(TILE), np.empty(TILE)
    alive, hits, rebates, paid = np.empty(TILE), np.empty(TILE), np.empty(TILE), np.empty(TILE)
    discount = discounts[steps]
    for begin in range(0, paths, TILE):
        count = min(TILE, paths - begin)
        distances[:] = side * (start - origin)
        alive[:] = 1.0
        rebates[:] = 0.0
        for step in range(stride - 1, steps, stride):
            paid[:] = discounts[step + 1]
            if continuous:
                for j in range(count):
                    following[j] = side * (block[step, 0, unsigned(begin + j)] - origin)
                    variances[j] = block[step, 1, unsigned(begin + j)]
                if two_sided:
                    hits_either(distances, following, variances, hits, count, width)
                else:
                    hits_one(distances, following, variances, hits, count)
                if rebate > 0.0 and not knocks_in:
                    first, last = discounts[step], discounts[step + 1]
                    paid_within(distances, following, variances, width, first, last, paid, count)
                for j in range(count):
                    distances[j] = following[j]
            else:
                hits_observed(block, step, begin, lower, upper, hits, count)
            for j in range(count):
                struck = alive[j] * hits[j]
                alive[j] -= struck
                rebates[j] += rebate * paid[j] * struck
        for j in range(count):
            vanilla = discount * max(sign * (exponential(block[steps - 1, 0, unsigned(begin + j)]) - strike), 0.0)
            knocked_in = (1.0 - alive[j]) * vanilla + alive[j] * (rebate * discount)
            values[row, unsigned(begin + j)] = knocked_in if knocks_in else alive[j] * vanilla + rebates[j]


hits_one = njit(**INLINE)(_hits_one)
hits_either = njit(**INLINE)(_hits_either)
hits_observed = njit(**INLINE)(_hits_observed)
paid_within = njit(**INLINE)(_paid_within)

_BLOCK = types.float64[:, :, ::1]
_VECTOR = types.float64[::1]
_VALUES = types.float64[:, ::1]
_NUMBER, _INDEX, _CHOICE = types.float64, types.int64, types.boolean
european = njit(types.void(_BLOCK, _INDEX, _NUMBER, _NUMBER, _NUMBER, _VALUES, _INDEX), **OPTIONS)(_european)
digital = njit(types.void(_BLOCK, *[_NUMBER] * 5, _VALUES, _INDEX), **OPTIONS)(_digital)
arithmetic_average = njit(types.void(_BLOCK, _INDEX, _VALUES, _INDEX), **OPTIONS)(_arithmetic_average)
geometric_average = njit(types.void(_BLOCK, _INDEX, _VALUES, _INDEX), **OPTIONS)(_geometric_average)
barrier = njit(
    types.void(
        _BLOCK,
        _INDEX,
        _CHOICE,
        _NUMBER,
        _NUMBER,
        _NUMBER,
        _CHOICE,
        _NUMBER,
        _VECTOR,
        _NUMBER,
        _NUMBER,
        _VALUES,
        _INDEX,
    ),
    **OPTIONS,
)(_barrier)
