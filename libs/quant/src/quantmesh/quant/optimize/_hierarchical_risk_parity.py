from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quantmesh.quant._samples import Floats
from quantmesh.quant.errors import DomainError
from quantmesh.quant.optimize._constraints import LONG_ONLY, Constraints, require_bare
from quantmesh.quant.optimize._hierarchical_risk_parity_kernels import bisect, leaf_order, spanning_tree
from quantmesh.quant.optimize._matrix_kernels import column_products
from quantmesh.quant.optimize._optimum import Certificate, Moments, Optimum, optimum_of

Distance = Literal["columns", "correlation"]


def hierarchical_risk_parity(
    covariance: ArrayLike,
    constraints: Constraints = LONG_ONLY,
    *,
    distance: Distance = "columns",
    expected_return: ArrayLike | None = None,
    risk_free_rate: float = 0.0,
) -> Optimum:
    """Variance divided along a tree of similar assets (Lopez de Prado, Journal of Portfolio Management 42, 2016).

    Single linkage joins what is nearest by d = sqrt((1 - correlation) / 2): by the Euclidean distance between columns
    of d as in the paper, or by d itself with "correlation", as several libraries do. The method minimises nothing, so
    that there is no bound; the objective shown is the variance. Of the constraints the budget counts, and `current`
    for comparison: others raise DomainError.
    """
    if distance not in get_args(Distance):
        raise DomainError("distance", repr(distance), '"columns" or "correlation"')
    moments = Moments.of(covariance, expected_return, risk_free_rate)
    matrix, count = moments.covariance, moments.count
    limits = require_bare(constraints, count, "hierarchical_risk_parity")
    order = _leaves(_distances(matrix, distance))
    split = np.empty(count)
    bisect(np.ascontiguousarray(matrix[np.ix_(order, order)]), split)
    weights = np.empty(count)
    weights[order] = split * limits.budget
    return optimum_of(weights, limits, moments, moments.variance, Certificate("recursive bisection", count - 1, None))


def _distances(matrix: Floats, distance: Distance) -> Floats:
    deviations = np.sqrt(np.diagonal(matrix))
    correlation = np.clip(matrix / (deviations[:, None] * deviations), -1.0, 1.0)
    squared = 0.5 - 0.5 * correlation
    np.fill_diagonal(squared, 0.0)
    near: Floats = np.sqrt(squared)
    if distance == "correlation":
        return near
    # Distances stay when every column moves alike, and what cancels below is smaller then.
    centred = near - near.mean(axis=1, keepdims=True)
    squares = np.empty(near.shape)
    column_products(centred, squares)
    sizes = np.diagonal(squares).copy()
    squares *= -2.0
    squares += sizes[:, None]
    squares += sizes
    np.maximum(squares, 0.0, out=squares)
    np.sqrt(squares, out=squares)
    return squares


def _leaves(distance: Floats) -> NDArray[np.int64]:
    count = distance.shape[0]
    sources, targets = np.empty(count - 1, np.int64), np.empty(count - 1, np.int64)
    lengths = np.empty(count - 1)
    spanning_tree(distance, sources, targets, lengths)
    merges = np.argsort(lengths, kind="stable")
    order = np.empty(count, np.int64)
    leaf_order(sources[merges], targets[merges], order)
    return order
