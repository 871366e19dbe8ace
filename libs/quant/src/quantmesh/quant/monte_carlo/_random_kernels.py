"""Blocks of normal and uniform numbers, by step, factor and path, from pseudo-random or scrambled Sobol bits.

Every number is a function of the seed and of its place alone, whichever thread computes it: a pseudo-random block has
its own generators (xoshiro256+ of Blackman and Vigna 2018, of which the upper 52 bits count, 32 side by side), a Sobol
replication its own scrambling. Pseudo-random normals come in pairs, those of Sobol points by the quantile, in order.
Keys are spread by SplitMix64 (Steele, Lea, Flood 2014).
"""

from typing import Any

import numpy as np
from numba import njit, types

from quantmesh.quant import _normal_pairs as pairs
from quantmesh.quant import _normal_quantile as quantiles
from quantmesh.quant._elementary_kernels import INLINE, bits_of, compile_as, double_of, high_bits_of, unsigned

TILE = 64
_GENERATORS = TILE // 2
OPTIONS: Any = {"nogil": True, "cache": True, "error_model": "numpy", "fastmath": {"contract"}}

_ONE_BITS = np.uint64(0x3FF0000000000000)
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST_FACTOR = np.uint64(0xBF58476D1CE4E5B9)
_SECOND_FACTOR = np.uint64(0x94D049BB133111EB)
_U0, _U1, _U12, _U17, _U19, _U27 = (np.uint64(n) for n in (0, 1, 12, 17, 19, 27))
_U30, _U31, _U45, _U63 = (np.uint64(n) for n in (30, 31, 45, 63))
# Adding it leaves the nearest integer in a double.
_ROUNDER = 6755399441055744.0
_ROOT_HALF_BITS = 0x3FE6A09E667F3BCD
_MANTISSA = (1 << 52) - 1
_LN2 = 0.6931471805599453
_TWO_TO_52_BITS = 0x4330000000000000


def _unit_interval(bits: Any) -> Any:
    return double_of(np.int64((bits >> _U12) | _ONE_BITS)) - (1.0 - 2.0**-53)


def _minus_logarithm(x: float) -> float:
    # x = m 2^k with m between the roots of 1/2 and 2; ln(m) = 2 artanh(s), |s| < 0.172, remainder 2e-11.
    offset = bits_of(x) - _ROOT_HALF_BITS
    m = double_of((offset & _MANTISSA) + _ROOT_HALF_BITS)
    s = (m - 1.0) / (m + 1.0)
    square = s * s
    series = 0.18181818181818182
    series = series * square + 0.2222222222222222
    series = series * square + 0.2857142857142857
    series = series * square + 0.4
    series = series * square + 0.6666666666666666
    exponent: float = double_of(high_bits_of(offset + (2048 << 52)) | _TWO_TO_52_BITS) - (4503599627370496.0 + 2048.0)
    logarithm: float = exponent * _LN2 + (series * square * s + 2.0 * s)
    return -logarithm


def _nearest(x: float) -> float:
    return (x + _ROUNDER) - _ROUNDER


compile_as(pairs.nearest, _nearest)
compile_as(quantiles.unit_interval, _unit_interval)
compile_as(quantiles.minus_logarithm, _minus_logarithm)
for _function in (pairs.distance, pairs.direction, quantiles.tail_exponent, quantiles.quantile_over_distance):
    compile_as(_function, _function)


def _mix(x: Any) -> Any:
    x = (x ^ (x >> _U30)) * _FIRST_FACTOR
    x = (x ^ (x >> _U27)) * _SECOND_FACTOR
    return x ^ (x >> _U31)


def _key_of(seed: Any, first: int, second: int) -> Any:
    return mix(mix(seed + _GOLDEN * np.uint64(first + 1)) + _GOLDEN * np.uint64(second + 1))


def _to_normals(uniforms: Any, exponents: Any) -> None:
    """A tile in place. Two loops, since one over both stages would need more registers than there are."""
    for j in range(TILE):
        exponents[j] = quantiles.tail_exponent(uniforms[j])
    for j in range(TILE):
        uniforms[j] = (uniforms[j] - 0.5) * quantiles.quantile_over_distance(exponents[j])


def _to_normal_pairs(uniforms: Any, distances: Any) -> None:
    """A tile in place: its first half gives the distances, its second half the directions."""
    half = TILE // 2
    for j in range(half):
        distances[j] = pairs.distance(uniforms[j])
    for j in range(half):
        first, second = pairs.direction(uniforms[half + j])
        uniforms[j] = distances[j] * first
        uniforms[half + j] = distances[j] * second


def _draw(state: Any, uniforms: Any) -> None:
    """A tile: two numbers from each of the generators, whose words lie side by side."""
    for j in range(_GENERATORS):
        words = state[j], state[_GENERATORS + j], state[2 * _GENERATORS + j], state[3 * _GENERATORS + j]
        uniforms[j] = quantiles.unit_interval(words[0] + words[3])
        words = following(words)
        uniforms[_GENERATORS + j] = quantiles.unit_interval(words[0] + words[3])
        words = following(words)
        state[j], state[_GENERATORS + j] = words[0], words[1]
        state[2 * _GENERATORS + j], state[3 * _GENERATORS + j] = words[2], words[3]


def _following(words: Any) -> Any:
    a, b, c, d = words
    shifted = b << _U17
    c ^= a
    d ^= b
    return a ^ d, b ^ c, c ^ shifted, (d << _U45) | (d >> _U19)


def _fill_pseudo(block: Any, rows: Any, normals: int, seed: Any, number: int, antithetic: bool) -> None:
    """Numbers for `block[step, rows[factor], path]`: the first `normals` factors normal, the others uniform.

    `antithetic` gives the second half of the paths the mirror images of the first; the number of paths is then even.
    """
    state = np.empty(4 * _GENERATORS, np.uint64)
    uniforms, distances = np.empty(TILE), np.empty(TILE // 2)
    key = key_of(seed, number, 0)
    for j in range(4 * _GENERATORS):
        state[j] = mix(key + _GOLDEN * np.uint64(j + 1))
    paths = block.shape[2]
    drawn = paths // 2 if antithetic else paths
    for step in range(block.shape[0]):
        for factor in range(rows.size):
            row = rows[factor]
            for begin in range(0, drawn, TILE):
                count = min(TILE, drawn - begin)
                draw(state, uniforms)
                if factor < normals:
                    to_normal_pairs(uniforms, distances)
                put(block, step, row, begin, count, uniforms)
    if antithetic:
        mirror(block, rows, normals)


def _put(block: Any, step: int, row: int, begin: int, count: int, numbers: Any) -> None:
    """A tile, or the beginning of one, to its place."""
    if count == TILE:
        for j in range(TILE):
            block[step, row, unsigned(begin + j)] = numbers[j]
    else:
        for j in range(count):
            block[step, row, begin + j] = numbers[j]


def _mirror(block: Any, rows: Any, normals: int) -> None:
    """The second half of the paths as the mirror image of the first."""
    half = block.shape[2] // 2
    for step in range(block.shape[0]):
        for factor in range(rows.size):
            row = rows[factor]
            total = 0.0 if factor < normals else 1.0
            for j in range(half):
                block[step, row, unsigned(half + j)] = total - block[step, row, j]


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
        column = (mix(key + _GOLDEN * np.uint64(b + 1)) & (top - _U1)) | top
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


def _fill_sobol(
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
    """As `fill_pseudo`, from `points` points of each of several replications, the drawn ones of each side by side.

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


mix = njit(**INLINE)(_mix)
key_of = njit(**INLINE)(_key_of)
to_normals = njit(**INLINE)(_to_normals)
to_normal_pairs = njit(**INLINE)(_to_normal_pairs)
following = njit(**INLINE)(_following)
draw = njit(**INLINE)(_draw)
scramble = njit(**INLINE)(_scramble)
combination = njit(**INLINE)(_combination)
first_points = njit(**INLINE)(_first_points)
connect = njit(**INLINE)(_connect)
put = njit(**INLINE)(_put)
mirror = njit(**INLINE)(_mirror)
difference = njit(**INLINE)(_difference)

_BLOCK = types.float64[:, :, ::1]
_ROWS = types.int64[::1]
fill_pseudo = njit(types.void(_BLOCK, _ROWS, types.int64, types.uint64, types.int64, types.boolean), **OPTIONS)(
    _fill_pseudo
)
fill_sobol = njit(
    types.void(
        _BLOCK,
        _ROWS,
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
)(_fill_sobol)
