"""From the moments of groups of paths to an estimate and its standard error."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quantmesh.quant._arguments import Floats

# Of a sum's terms: what their rounding may leave of it, generously.
_ROUNDING = 1e-12
# Of products that are scaled to 1: keeps a singular matrix solvable.
_RIDGE = 1e-11


class Estimate(NamedTuple):
    value: float
    standard_error: float


class Moments(NamedTuple):
    """`[group]` numbers of samples, `[group, quantity]` means, `[group, quantity, quantity]` sums of products."""

    counts: NDArray[np.int64]
    means: Floats
    comoments: Floats


def joined(parts: list[Moments]) -> Moments:
    return Moments(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def estimate(moments: Moments, expectations: Floats, scales: Floats, replications: int | None) -> Estimate:
    """Of quantity 0, the others being controls with these expectations, whose weights regression gives.

    `scales` are the sizes of the numbers that a control was computed from: where its deviation is but their rounding,
    it is left out. With `replications` the error is what they differ by, and each takes its weights from the others,
    which leaves it unbiased; otherwise every sample is independent and all take the same.
    """
    counts, means, comoments = moments
    samples = int(counts.sum())
    apart = means - counts @ means / samples
    products = comoments + counts[:, None, None] * apart[:, :, None] * apart[:, None, :]
    total = products.sum(axis=0)
    controls = 1 + np.flatnonzero(np.sqrt(np.diagonal(total)[1 : scales.size + 1] / samples) > _ROUNDING * scales)
    square = np.ix_(controls, controls)
    if replications is None:
        weights = regression(total[square], total[controls, 0])
        value = counts @ means[:, 0] - (counts @ means[:, controls] - samples * expectations[controls - 1]) @ weights
        residual = total[0, 0] - float(weights @ total[controls, 0])
        freedom = max(samples - 1 - controls.size, 1)
        return Estimate(float(value) / samples, math.sqrt(max(residual, 0.0) / freedom / samples))
    others = total - products.reshape(replications, -1, *total.shape).sum(axis=1)
    weights = regression(others[:, square[0], square[1]], others[:, controls, 0])
    by_replication = means.reshape(replications, -1, len(total)).mean(axis=1)
    surplus = by_replication[:, controls] - expectations[controls - 1]
    corrected = by_replication[:, 0] - np.sum(surplus * weights, axis=1)
    return Estimate(float(np.mean(corrected)), float(np.std(corrected, ddof=1)) / math.sqrt(replications))


def regression(products: Floats, targets: Floats) -> Floats:
    """Weights that fit, of one problem or of several; where rows are combinations of one another, nearly the least."""
    sizes = np.sqrt(np.diagonal(products, axis1=-2, axis2=-1))
    sizes = np.where(sizes > 0.0, sizes, 1.0)
    scaled = products / (sizes[..., :, None] * sizes[..., None, :]) + _RIDGE * np.eye(sizes.shape[-1])
    weights: Floats = np.linalg.solve(scaled, (targets / sizes)[..., None])[..., 0] / sizes
    return weights
