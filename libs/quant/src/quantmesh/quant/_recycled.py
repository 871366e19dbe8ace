"""Memory for large answers, used again once the arrays over it are gone.

A fresh block of this size comes from the kernel page by page, zeroed: for a million prices with their Greeks that takes
a third as long as computing them.
"""

import math
from collections import deque

import numpy as np

from quantmesh.quant._arguments import Floats

_SMALLEST_BYTES = 4 << 20  # below it the allocator keeps its memory by itself
_LARGEST_BYTES = 64 << 20
_LINE_BYTES = 64
_idle: deque[Floats] = deque(maxlen=2)


class _Lease:
    """Every view of the array made from it keeps it alive; when the last one goes, the block is idle again."""

    def __init__(self, block: Floats) -> None:
        self._block = block
        self.__array_interface__ = block.__array_interface__

    def __del__(self) -> None:
        _idle.append(self._block)


def empty(shape: tuple[int, ...]) -> Floats:
    """As `numpy.empty`, of doubles; a large one begins on a line of the caches."""
    size = math.prod(shape)
    if not _SMALLEST_BYTES <= size * 8 <= _LARGEST_BYTES:
        return np.empty(shape)
    try:
        block = _idle.pop()
    except IndexError:
        block = _aligned(size)
    if block.size < size:
        block = _aligned(size)
    return np.asarray(_Lease(block))[:size].reshape(shape)


def _aligned(size: int) -> Floats:
    block = np.empty(size + _LINE_BYTES // 8)
    return block[-block.ctypes.data % _LINE_BYTES // 8 :]
