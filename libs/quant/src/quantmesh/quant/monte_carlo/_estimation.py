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
    it is left out. With `replications` the error is what they differ by; otherwise every sample is independent.
    """
    counts, means, comoments = moments
    samples = int(counts.sum())
    overall = counts @ means / samples
    apart = means - overall
    total = comoments.sum(axis=0) + (apart * counts[:, None]).T @ apart
    controls = 1 + np.flatnonzero(np.sqrt(np.diagonal(total)[1 : scales.size + 1] / samples) > _ROUNDING * scales)
    weights = regression(total[np.ix_(controls, controls)], total[controls, 0])
    corrected = means[:, 0] - (means[:, controls] - expectations[controls - 1]) @ weights
    value = float(counts @ corrected / samples)
    if replications is None:
        residual = total[0, 0] - float(weights @ total[controls, 0])
        freedom = max(samples - 1 - controls.size, 1)
        return Estimate(value, math.sqrt(max(residual, 0.0) / freedom / samples))
    by_replication = corrected.reshape(replications, -1).mean(axis=1)
    return Estimate(value, float(np.std(by_replication, ddof=1)) / math.sqrt(replications))


def regression(products: Floats, targets: Floats) -> Floats:
    """Weights that fit; of controls that are one another's combinations, nearly the least that do."""
    sizes = np.sqrt(np.diagonal(products))
    sizes = np.where(sizes > 0.0, sizes, 1.0)
    ridge = _RIDGE * np.eye(sizes.size)
    weights: Floats = np.linalg.solve(products / np.outer(sizes, sizes) + ridge, targets / sizes) / sizes
    return weights
