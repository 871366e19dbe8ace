"""Means and co-moments of the values of a block of paths, group by group."""

from typing import Any

from numba import njit, types

from quantmesh.quant.monte_carlo._tiles import OPTIONS


def _moments(values: Any, points: int, pairs: bool, means: Any, comoments: Any) -> None:
    """`values[quantity, path]`, in groups of so many paths, into `means[group, quantity]` and `comoments[group, ...]`.

    With `pairs` the second half of the paths mirrors the first, and a pair's average counts as one sample.
    """
    quantities, paths = values.shape
    if pairs:
        paths //= 2
        for k in range(quantities):
            for j in range(paths):
                values[k, j] = 0.5 * (values[k, j] + values[k, paths + j])
    for group in range(means.shape[0]):
        begin, end = group * points, (group + 1) * points
        for k in range(quantities):
            total = 0.0
            for j in range(begin, end):
                total += values[k, j]
            mean = total / points
            means[group, k] = mean
            for j in range(begin, end):
                values[k, j] -= mean
        for k in range(quantities):
            for m in range(k + 1):
                total = 0.0
                for j in range(begin, end):
                    total += values[k, j] * values[m, j]
                comoments[group, k, m] = total
                comoments[group, m, k] = total


def _products(rows: Any, sums: Any) -> None:
    """Sums of products of every two rows."""
    for k in range(rows.shape[0]):
        for m in range(k + 1):
            total = 0.0
            for j in range(rows.shape[1]):
                total += rows[k, j] * rows[m, j]
            sums[k, m] = total
            sums[m, k] = total


_MATRIX = types.float64[:, ::1]
# Sums of any order, so that they vectorise.
_OPTIONS = OPTIONS | {"fastmath": {"contract", "reassoc"}}
moments = njit(types.void(_MATRIX, types.int64, types.boolean, _MATRIX, types.float64[:, :, ::1]), **_OPTIONS)(_moments)
products = njit(types.void(_MATRIX, _MATRIX), **_OPTIONS)(_products)
