"""Products and Cholesky's factor of covariances on one thread.

The threads of BLAS and LAPACK are faster alone, but where other work keeps the cores busy they wait for each other, up
to a hundred times as long as this takes.
"""

from typing import Any

import numpy as np
from numba import njit, types

from quantmesh.quant._samples import Floats

_PANEL = 4
# Columns of a size whose rows stay in the first-level cache and whose loops have a known length.
_BLOCK = 64


def _is_positive(matrix: Any) -> bool:
    """Whether all pivots of a symmetric matrix are positive; its upper triangle is overwritten by the factor."""
    count = matrix.shape[0]
    panel = np.empty((_PANEL, count))
    for start in range(0, count, _PANEL):
        stop = min(start + _PANEL, count)
        for k in range(start, stop):
            if not matrix[k, k] > 0.0:
                return False
            inverse = 1.0 / np.sqrt(matrix[k, k])
            for j in range(k, count):
                matrix[k, j] *= inverse
            for i in range(k + 1, stop):
                for j in range(i, count):
                    matrix[i, j] -= matrix[k, i] * matrix[k, j]
        # Four rows at once, from a copy that cannot overlap with what is written: the loop below vectorises.
        panel[: stop - start] = matrix[start:stop]
        for i in range(stop, count):
            first, second, third, fourth = panel[0, i], panel[1, i], panel[2, i], panel[3, i]
            for j in range(i, count):
                matrix[i, j] -= (first * panel[0, j] + second * panel[1, j]) + (
                    third * panel[2, j] + fourth * panel[3, j]
                )
    return True


def _multiply(matrix: Any, vector: Any, product: Any) -> None:
    """A symmetric matrix times a vector; zeros of the vector, such as assets that are not held, cost nothing."""
    product[:] = 0.0
    for i in range(vector.size):
        factor = vector[i]
        if factor != 0.0:
            for j in range(vector.size):
                product[j] += factor * matrix[i, j]


def _column_products(columns: Any, products: Any) -> None:
    """columns' columns, for a square matrix: two of its columns at a time with a block of the others."""
    count = columns.shape[0]
    whole = count - count % _PANEL
    block = np.zeros((count, _BLOCK))
    one, other = np.empty(_BLOCK), np.empty(_BLOCK)
    for start in range(0, count, _BLOCK):
        width = min(_BLOCK, count - start)
        block[:, :width] = columns[:, start : start + width]
        for i in range(0, start + width, 2):
            partner = min(i + 1, count - 1)
            one[:] = 0.0
            other[:] = 0.0
            for k in range(0, whole, _PANEL):
                a, b, c, d = columns[k, i], columns[k + 1, i], columns[k + 2, i], columns[k + 3, i]
                e, f, g = columns[k, partner], columns[k + 1, partner], columns[k + 2, partner]
                h = columns[k + 3, partner]
                for j in range(_BLOCK):
                    first, second, third, fourth = block[k, j], block[k + 1, j], block[k + 2, j], block[k + 3, j]
                    one[j] += (a * first + b * second) + (c * third + d * fourth)
                    other[j] += (e * first + f * second) + (g * third + h * fourth)
            for k in range(whole, count):
                for j in range(_BLOCK):
                    one[j] += columns[k, i] * block[k, j]
                    other[j] += columns[k, partner] * block[k, j]
            for j in range(width):
                products[i, start + j] = one[j]
                products[start + j, i] = one[j]
                products[partner, start + j] = other[j]
                products[start + j, partner] = other[j]


_MATRIX = types.Array(types.float64, 2, "C", readonly=True)
_VECTOR = types.Array(types.float64, 1, "C", readonly=True)
_OUTPUT = types.float64[:, ::1]
is_positive = njit(types.boolean(_OUTPUT), cache=True, nogil=True, error_model="numpy")(_is_positive)
multiply = njit(types.void(_MATRIX, _VECTOR, types.float64[::1]), cache=True, nogil=True)(_multiply)
column_products = njit(types.void(_MATRIX, _OUTPUT), cache=True, nogil=True)(_column_products)


def product(matrix: Floats, vector: Floats) -> Floats:
    """A symmetric matrix times a vector."""
    result = np.empty_like(vector)
    multiply(matrix, vector, result)
    return result


def variance_of(covariance: Floats, weights: Floats) -> float:
    return float(weights @ product(covariance, weights))
