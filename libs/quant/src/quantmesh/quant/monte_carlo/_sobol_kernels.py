"""Blocks of scrambled Sobol points: a scrambling of its own for each replication, normals by the quantile, in order."""

from typing import Any

import numpy as np
from numba import njit, types

from quantmesh.quant import _normal_quantile as quantiles
from quantmesh.quant._elementary_kernels import INLINE, compile_as, unsigned
from quantmesh.quant.monte_carlo._tiles import GOLDEN, OPTIONS, TILE, key_of, mirror, mix, put

_U0, _U1, _U63 = (np.uint64(n) for n in (0, 1, 63))

for _function in (quantiles.tail_exponent, quantiles.quantile_over_distance):
    compile_as(_function, _function)


def _to_normals(uniforms: Any, exponents: Any) -> None:
    """A tile in place. Two loops, since one over both stages would need more registers than there are."""
    for j in range(TILE):
        exponents[j] = quantiles.tail_exponent(uniforms[j])
    for j in range(TILE):
        uniforms[j] = (uniforms[j] - 0.5) * quantiles.quantile_over_distance(exponents[j])


def _scramble(directions: Any, key: Any, columns: Any) -> None:
    """Multiply the direction numbers by a random lower triangular matrix; the last column is the digital shift.

    Matousek (1998), "On the L2-discrepancy for anchored boxes": as good as Owen's nested scrambling for the variance.
    Direction number b has no bit below its b-th, so that only as many columns of the matrix are drawn.
    """
    for b in range(directions.size):
        columns[b] = _U0
    for b in range(directions.size):
        place = _U63 - np.uint64(b)
        top = _U1 << place
        column = (mix(key + GOLDEN * np.uint64(b + 1)) & (top - _U1)) | top
        for c in range(b, directions.size):
            columns[c] ^= column & (_U0 - ((directions[c] >> place) & _U1))
    columns[directions.size] = mix(key)


def _combination(columns: Any, point: int) -> Any:
    """The sum of the columns that the bits of `point` choose."""
    combined = _U0
    for b in range(columns.size - 1):
        if (point >> b) & 1:
            combined ^= columns[b]
    return combined


def _first_points(columns: Any, count: int, points: Any, begin: int) -> None:
    """Coordinates of the first `count` points, a power of two, into `points[begin:]`."""
    points[begin] = columns[columns.size - 1]
    width, b = 1, 0
    while width < count:
        column = columns[b]
        for j in range(begin, begin + width):
            points[width + j] = points[j] ^ column
        width, b = 2 * width, b + 1


def _connect(block: Any, row: int, start: int, count: int, numbers: Any, nodes: Any, weights: Any) -> None:
    """Set a tile of the Brownian motion at `nodes[0]` from its neighbours and a tile of normals, which it spends."""
    node, left, right = nodes[0], nodes[1], nodes[2]
    for j in range(TILE):
        numbers[j] *= weights[2]
    if left >= 0:
        for j in range(count):
            numbers[j] += weights[0] * block[left, row, unsigned(start + j)]
    if right >= 0:
        for j in range(count):
            numbers[j] += weights[1] * block[right, row, unsigned(start + j)]
    put(block, node, row, start, count, numbers)


def _difference(block: Any, rows: Any, paths: int) -> None:
    """From values at the ends of the steps to increments."""
    for row in rows:
        for step in range(block.shape[0] - 1, 0, -1):
            for j in range(paths):
                block[step, row, j] -= block[step - 1, row, j]


def _fill(
    block: Any,
    rows: Any,
    normals: int,
    seed: Any,
    antithetic: bool,
    directions: Any,
    replication: int,
    first: int,
    points: int,
    bridge: Any,
    weights: Any,
) -> None:
    """As in `_pseudo_random_kernels`, from `points` points of each of several replications, those drawn side by side.

    Normals are the increments of a Brownian motion on the clock 1, 2, ... that is built coarse to fine: level l sets
    the value at `bridge[l, 0]` from those at `bridge[l, 1]` and `bridge[l, 2]` (-1: none) with the weights
    `weights[l, 0:2]` and the deviation `weights[l, 2]`. The first dimensions go to the first levels of all factors.
    """
    steps = block.shape[0]
    paths = block.shape[2] // 2 if antithetic else block.shape[2]
    columns = np.empty(directions.shape[1] + 1, np.uint64)
    width = min(TILE, points)
    bits, numbers, exponents = np.zeros(TILE, np.uint64), np.empty(TILE), np.empty(TILE)
    for level in range(steps):
        for factor in range(rows.size):
            is_normal = factor < normals
            uniform_dimension = steps * normals + level * (rows.size - normals) + factor - normals
            dimension = level * normals + factor if is_normal else uniform_dimension
            for start in range(0, paths, TILE):
                # A tile holds a part of one replication, or several whole ones.
                count = min(TILE, paths - start)
                offset = _U0
                for begin in range(0, count, width):
                    group, point = divmod(start + begin, points)
                    if point == 0:
                        scramble(directions[dimension], key_of(seed, replication + group, dimension), columns)
                        first_points(columns, width, bits, begin)
                    # Points are linear in their numbers' bits: other tiles differ from the first by a constant.
                    offset = combination(columns, first + point)
                for j in range(TILE):
                    numbers[j] = quantiles.unit_interval(bits[j] ^ offset)
                if is_normal:
                    to_normals(numbers, exponents)
                    connect(block, rows[factor], start, count, numbers, bridge[level], weights[level])
                else:
                    put(block, level, rows[factor], start, count, numbers)
    difference(block, rows[:normals], paths)
    if antithetic:
        mirror(block, rows, normals)


to_normals = njit(**INLINE)(_to_normals)
scramble = njit(**INLINE)(_scramble)
combination = njit(**INLINE)(_combination)
first_points = njit(**INLINE)(_first_points)
connect = njit(**INLINE)(_connect)
difference = njit(**INLINE)(_difference)
fill = njit(
    types.void(
        types.float64[:, :, ::1],
        types.int64[::1],
        types.int64,
        types.uint64,
        types.boolean,
        types.uint64[:, ::1],
        types.int64,
        types.int64,
        types.int64,
        types.int64[:, ::1],
        types.float64[:, ::1],
    ),
    **OPTIONS,
)(_fill)
