"""Direction numbers of Sobol's sequence after Joe and Kuo (2008), and the order in which a bridge uses them."""

from collections import deque
from functools import lru_cache
from importlib.resources import as_file, files
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quantmesh.quant.errors import DomainError

LARGEST_DIMENSION = 21_201


class Bridge(NamedTuple):
    """Per level: the index that is set, and its left and right neighbours (-1: none); their weights, the deviation."""

    indices: NDArray[np.int64]
    weights: NDArray[np.float64]


@lru_cache(maxsize=8)
def direction_numbers(dimensions: int, bits: int) -> NDArray[np.uint64]:
    """`[dimension, bit]`, each aligned with the highest of 64 bits. scipy ships the table of the initial numbers."""
    if dimensions > LARGEST_DIMENSION:
        requirement = f"few enough for {LARGEST_DIMENSION} random numbers per path, or the sampler pseudo"
        raise DomainError("steps", f"{dimensions} random numbers per path", requirement)
    with as_file(files("scipy") / "stats" / "_sobol_direction_numbers.npz") as path, np.load(path) as table:
        polynomials, initial = table["poly"][:dimensions].tolist(), table["vinit"][:dimensions].tolist()
    numbers = np.empty((dimensions, bits), np.uint64)
    for dimension, (polynomial, odd_numbers) in enumerate(zip(polynomials, initial, strict=True)):
        degree = int(polynomial).bit_length() - 1
        # The first dimension has no polynomial: its odd numbers are all 1.
        m = [1] * bits if dimension == 0 else [int(number) for number in odd_numbers[:degree]]
        for bit in range(len(m), bits):
            following = m[bit - degree] ^ (m[bit - degree] << degree)
            for k in range(1, degree):
                if (polynomial >> (degree - k)) & 1:
                    following ^= m[bit - k] << k
            m.append(following)
        numbers[dimension] = [number << (63 - bit) for bit, number in enumerate(m[:bits])]
    return numbers


@lru_cache(maxsize=32)
def bridge(steps: int) -> Bridge:
    """The last value first, then always the middle of the widest gap (Glasserman 2004, section 3.1)."""
    indices = np.full((steps, 3), -1, np.int64)
    weights = np.zeros((steps, 3))
    indices[0, 0], weights[0, 2] = steps - 1, np.sqrt(steps)
    gaps = deque([(-1, steps - 1)])
    level = 1
    while gaps:
        left, right = gaps.popleft()
        middle = (left + right) // 2
        if middle == left:
            continue
        before, after = middle - left, right - middle
        width = before + after
        indices[level] = middle, left, right
        weights[level] = after / width, before / width, np.sqrt(before * after / width)
        gaps.extend([(left, middle), (middle, right)])
        level += 1
    return Bridge(indices, weights)
