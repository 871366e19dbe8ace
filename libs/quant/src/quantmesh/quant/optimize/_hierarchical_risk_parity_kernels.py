"""Single linkage by Prim's minimum spanning tree, and recursive bisection of the variance."""

from typing import Any

import numpy as np
from numba import njit, types


def _spanning_tree(distance: Any, sources: Any, targets: Any, lengths: Any) -> None:
    """The edges of a minimum spanning tree; their lengths are the merges of single linkage (Gower and Ross, 1969)."""
    count = distance.shape[0]
    nearest = np.zeros(count, np.int64)
    reach = np.full(count, np.inf)
    outside = np.ones(count, np.bool_)
    newest = 0
    for edge in range(count - 1):
        outside[newest] = False
        best = -1
        for i in range(count):
            if outside[i]:
                if distance[newest, i] < reach[i]:
                    reach[i] = distance[newest, i]
                    nearest[i] = newest
                if best < 0 or reach[i] < reach[best]:
                    best = i
        sources[edge] = nearest[best]
        targets[edge] = best
        lengths[edge] = reach[best]
        newest = best


def _leaf_order(sources: Any, targets: Any, order: Any) -> None:
    """Leaves from left to right; of each merge the cluster that is older, or has the lower number, is left."""
    count = order.size
    parent = np.arange(2 * count - 1)
    children = np.zeros((2 * count - 1, 2), np.int64)
    for merge in range(count - 1):
        left, right = sources[merge], targets[merge]
        while parent[left] != left:
            parent[left] = parent[parent[left]]
            left = parent[left]
        while parent[right] != right:
            parent[right] = parent[parent[right]]
            right = parent[right]
        merged = count + merge
        parent[left] = merged
        parent[right] = merged
        children[merged, 0] = min(left, right)
        children[merged, 1] = max(left, right)
    stack = np.empty(count, np.int64)
    stack[0] = 2 * count - 2
    depth = 1
    placed = 0
    while depth > 0:
        depth -= 1
        cluster = stack[depth]
        if cluster < count:
            order[placed] = cluster
            placed += 1
        else:
            stack[depth] = children[cluster, 1]
            stack[depth + 1] = children[cluster, 0]
            depth += 2


def _bisect(covariance: Any, weights: Any) -> None:
    """Split the leaves in halves again and again; each half gets weight by the other's inverse-variance portfolio."""
    count = weights.size
    weights[:] = 1.0
    starts = np.empty(count, np.int64)
    stops = np.empty(count, np.int64)
    starts[0] = 0
    stops[0] = count
    depth = 1
    variances = np.empty(2)
    while depth > 0:
        depth -= 1
        start, stop = starts[depth], stops[depth]
        if stop - start < 2:
            continue
        middle = start + (stop - start) // 2
        for half in range(2):
            first = start if half == 0 else middle
            last = middle if half == 0 else stop
            total = 0.0
            variance = 0.0
            for i in range(first, last):
                total += 1.0 / covariance[i, i]
                row = 0.0
                for j in range(first, last):
                    row += covariance[i, j] / covariance[j, j]
                variance += row / covariance[i, i]
            variances[half] = variance / (total * total)
        both = variances[0] + variances[1]
        share = 1.0 - variances[0] / both if both > 0.0 else 0.5
        for i in range(start, middle):
            weights[i] *= share
        for i in range(middle, stop):
            weights[i] *= 1.0 - share
        starts[depth], stops[depth] = start, middle
        starts[depth + 1], stops[depth + 1] = middle, stop
        depth += 2


_MATRIX = types.Array(types.float64, 2, "C", readonly=True)
_INDICES = types.int64[::1]
_VECTOR = types.float64[::1]
spanning_tree = njit(types.void(_MATRIX, _INDICES, _INDICES, _VECTOR), cache=True, nogil=True)(_spanning_tree)
leaf_order = njit(types.void(_INDICES, _INDICES, _INDICES), cache=True, nogil=True)(_leaf_order)
bisect = njit(types.void(_MATRIX, _VECTOR), cache=True, nogil=True)(_bisect)
