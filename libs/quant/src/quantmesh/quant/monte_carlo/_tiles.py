"""What every source of random numbers draws them with: tiles of them, keys, and their places in a block.

Every number is a function of the seed and of its place alone, whichever thread computes it. Keys are spread by
SplitMix64 (Steele, Lea, Flood 2014).
"""

from typing import Any

import numpy as np
from numba import njit

from quantmesh.quant import _normal_quantile as quantiles
from quantmesh.quant._elementary_kernels import INLINE, bits_of, compile_as, double_of, high_bits_of, unsigned

TILE = 64
OPTIONS: Any = {"nogil": True, "cache": True, "error_model": "numpy", "fastmath": {"contract"}}

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST_FACTOR = np.uint64(0xBF58476D1CE4E5B9)
_SECOND_FACTOR = np.uint64(0x94D049BB133111EB)
_ONE_BITS = np.uint64(0x3FF0000000000000)
_U12, _U27, _U30, _U31 = (np.uint64(n) for n in (12, 27, 30, 31))
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


compile_as(quantiles.unit_interval, _unit_interval)
compile_as(quantiles.minus_logarithm, _minus_logarithm)


def _mix(x: Any) -> Any:
    x = (x ^ (x >> _U30)) * _FIRST_FACTOR
    x = (x ^ (x >> _U27)) * _SECOND_FACTOR
    return x ^ (x >> _U31)


def _key_of(seed: Any, first: int, second: int) -> Any:
    return mix(mix(seed + GOLDEN * np.uint64(first + 1)) + GOLDEN * np.uint64(second + 1))


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


mix = njit(**INLINE)(_mix)
key_of = njit(**INLINE)(_key_of)
put = njit(**INLINE)(_put)
mirror = njit(**INLINE)(_mirror)
