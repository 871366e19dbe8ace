"""Pseudo-random blocks: generators of their own for each, and normals in pairs.

The generators are xoshiro256+ of Blackman and Vigna (2018), of which the upper 52 bits count, 32 side by side.
"""

from typing import Any

import numpy as np
from numba import njit, types

from quantmesh.quant import _normal_pairs as pairs
from quantmesh.quant import _normal_quantile as quantiles
from quantmesh.quant._elementary_kernels import INLINE, compile_as
from quantmesh.quant.monte_carlo._tiles import GOLDEN, OPTIONS, TILE, key_of, mirror, mix, put

_GENERATORS = TILE // 2
_U17, _U19, _U45 = (np.uint64(n) for n in (17, 19, 45))
# Adding it leaves the nearest integer in a double.
_ROUNDER = 6755399441055744.0


def _nearest(x: float) -> float:
    return (x + _ROUNDER) - _ROUNDER


compile_as(pairs.nearest, _nearest)
for _function in (pairs.distance, pairs.direction):
    compile_as(_function, _function)


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


def _fill(block: Any, rows: Any, normals: int, seed: Any, number: int, antithetic: bool) -> None:
    """Numbers for `block[step, rows[factor], path]`: the first `normals` factors normal, the others uniform.

    `antithetic` gives the second half of the paths the mirror images of the first; the number of paths is then even.
    """
    state = np.empty(4 * _GENERATORS, np.uint64)
    uniforms, distances = np.empty(TILE), np.empty(TILE // 2)
    key = key_of(seed, number, 0)
    for j in range(4 * _GENERATORS):
        state[j] = mix(key + GOLDEN * np.uint64(j + 1))
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


to_normal_pairs = njit(**INLINE)(_to_normal_pairs)
following = njit(**INLINE)(_following)
draw = njit(**INLINE)(_draw)
fill = njit(
    types.void(types.float64[:, :, ::1], types.int64[::1], types.int64, types.uint64, types.int64, types.boolean),
    **OPTIONS,
)(_fill)
