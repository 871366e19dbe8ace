"""Where a boundary is collocated and integrals are taken, for each accuracy.

Collocation points are Chebyshev's extreme points in the root of time. Integrals over time run over an angle `phi` with
`theta = tau sin(phi)^2`, so that the roots of the time elapsed and of the time left, in which the integrand is smooth,
are both smooth in `phi`: Gauss and Legendre's rule then converges much faster than in the root of elapsed time alone.
All points lie at fixed fractions of the whole life, so that interpolation to them is one constant matrix.
"""

from functools import cache
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from quantmesh.quant._arguments import Floats

# The kernels add so many weighted rows at a time.
WEIGHTS_AT_ONCE = 4
_LEAST_DISTANCE = 1e-300  # to a collocation point: at the point itself, it alone counts
Accuracy = Literal["fast", "accurate", "high_precision"]


class Sizes(NamedTuple):
    collocation: int
    iterations: tuple[int, ...]  # quadrature points of each: while the boundary is rough, few are enough
    premium: int


class Scheme(NamedTuple):
    """Arrays as the kernels take them; `points` and `interpolation` hold one part per distinct rule."""

    fractions: Floats  # roots of the collocation points' time over the whole, from expiry's far end down, without 0
    points: Floats  # per rule, collocation point and quadrature point: fraction, its two weights
    interpolation: Floats  # per rule, collocation point and quadrature point: one weight per collocation point
    counts: NDArray[np.int64]  # per iteration: quadrature points
    starts: NDArray[np.int64]  # per iteration: first row of its rule in `points` and `interpolation`
    premium_points: Floats  # per quadrature point of the premium: fraction, weight
    premium_interpolation: Floats


SIZES: dict[Accuracy, Sizes] = {
    "fast": Sizes(6, (4, 4, 5, 5), 14),
    "accurate": Sizes(10, (4, 4, 5, 6, 8), 32),
    "high_precision": Sizes(64, (12, 16, 24, 32) + (48,) * 20, 128),
}
# Where a boundary is long (`_american_formulas.is_long`), at some eight times the cost.
LONG_SIZES: dict[Accuracy, Sizes] = {
    "fast": Sizes(16, (8,) * 4 + (12,) * 3, 48),
    "accurate": Sizes(20, (8,) * 4 + (12,) * 4 + (16,) * 2 + (24,) * 2, 64),
    "high_precision": Sizes(64, (12, 16, 24, 32) + (64,) * 40, 256),
}


@cache
def scheme_for(sizes: Sizes) -> Scheme:
    count = sizes.collocation
    fractions = collocation_points(count)
    points, interpolation = [], []
    rules = sorted(set(sizes.iterations))
    for rule in rules:
        sine, cosine, weight = angles(rule)
        fraction = np.outer(fractions, sine)
        first = 2.0 * np.outer(fractions, cosine * weight)
        second = 2.0 * np.outer(fractions**2, sine * cosine * weight)
        points.append(np.stack([fraction, first, second], axis=-1).reshape(-1, 3))
        interpolation.append(interpolation_weights(count, np.outer(fractions, cosine)).reshape(count * rule, -1))
    sine, cosine, weight = angles(sizes.premium)
    offsets = dict(zip(rules, np.cumsum([0, *(count * rule for rule in rules)])[:-1], strict=True))
    return Scheme(
        fractions,
        np.concatenate(points),
        np.concatenate(interpolation),
        np.array(sizes.iterations, np.int64),
        np.array([offsets[rule] for rule in sizes.iterations], np.int64),
        np.stack([sine, 2.0 * sine * cosine * weight], axis=-1),
        interpolation_weights(count, cosine),
    )


def collocation_points(count: int) -> Floats:
    """From 1 down, without 0."""
    points: Floats = 0.5 * (1.0 + np.cos(np.pi * np.arange(count) / count))
    return points


def angles(count: int) -> tuple[Floats, Floats, Floats]:
    """Sine, cosine and weight of Gauss and Legendre's rule over angles from 0 to pi / 2."""
    y, weight = np.polynomial.legendre.leggauss(count)
    angle = 0.25 * np.pi * (1.0 + y)
    return np.sin(angle), np.cos(angle), 0.25 * np.pi * weight


def interpolation_weights(count: int, fractions: Floats) -> Floats:
    """Barycentric weights of the collocation points but the last, at expiry, where what is interpolated is 0.

    Zeros fill them up to whole groups.
    """
    index = np.arange(count + 1)
    nodes = 0.5 * (1.0 + np.cos(np.pi * index / count))
    weights = np.where(index % 2 == 0, 1.0, -1.0)
    weights[[0, -1]] *= 0.5
    distances = fractions[..., None] - nodes
    quotients = weights / np.where(distances == 0.0, _LEAST_DISTANCE, distances)
    padded = np.zeros((*fractions.shape, -(-count // WEIGHTS_AT_ONCE) * WEIGHTS_AT_ONCE))
    padded[..., :count] = (quotients / quotients.sum(axis=-1, keepdims=True))[..., :-1]
    return padded
