"""How paths are divided into blocks and groups, and where the random numbers of a block come from."""

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from quantmesh.quant._arguments import Floats
from quantmesh.quant.monte_carlo import _sobol

# Doubles in a block of paths: larger than a second-level cache, and so large that calls from Python cost little beside
# it. Payoffs that need normals are evaluated by NumPy, whose calls want longer rows still.
_BLOCK_SIZE, _WIDE_BLOCK_SIZE = 1 << 18, 1 << 20
_FEWEST_COLUMNS, _MOST_COLUMNS = 16, 16_384
LEAST_REPLICATIONS = 16


class Shape(NamedTuple):
    """Steps and rows of a block; the random numbers go to `random_rows`, normals first, then uniforms.

    The last `kept` rows hold the normals after the others have turned into paths.
    """

    steps: int
    rows: int
    random_rows: NDArray[np.int64]
    normals: int
    kept: int

    @property
    def columns(self) -> int:
        """Paths of a whole block, a power of two."""
        size = _WIDE_BLOCK_SIZE if self.kept else _BLOCK_SIZE
        fitting = max(size // (self.steps * self.rows), 1)
        return min(max(1 << (fitting.bit_length() - 1), _FEWEST_COLUMNS), _MOST_COLUMNS)

    def keep_normals(self, numbers: Floats) -> None:
        if self.kept:
            numbers[:, self.rows - self.kept :] = numbers[:, : self.kept]


class Sampler(Protocol):
    """Blocks of random numbers; a block holds one or several groups of as many paths each."""

    @property
    def paths(self) -> int: ...
    @property
    def blocks(self) -> int: ...
    @property
    def pairs(self) -> bool:
        """Whether the second half of a block's paths mirrors the first."""

    @property
    def replications(self) -> int | None:
        """Independent randomisations that paths come in, each of as many successive groups; None where each path is."""

    def groups(self, block: int) -> tuple[int, int]:
        """How many, and the paths of each."""

    def fill(self, block: int, numbers: Floats) -> None: ...


class PseudoRandom:
    replications = None

    def __init__(self, shape: Shape, paths: int, seed: int, antithetic: bool) -> None:
        self.pairs = antithetic
        self.paths = paths + paths % 2 if antithetic else paths
        self.blocks = -(-self.paths // shape.columns)
        self._shape, self._seed = shape, np.uint64(seed)

    def groups(self, block: int) -> tuple[int, int]:
        return 1, min(self._shape.columns, self.paths - block * self._shape.columns)

    def fill(self, block: int, numbers: Floats) -> None:
        from quantmesh.quant.monte_carlo import _pseudo_random_kernels as kernels

        shape = self._shape
        kernels.fill(numbers, shape.random_rows, shape.normals, self._seed, block, self.pairs)


class Sobol:
    """16 to 32 independently scrambled replications of a power of two points: at most a sixteenth more than asked."""

    def __init__(self, shape: Shape, paths: int, seed: int, antithetic: bool) -> None:
        images = 2 if antithetic else 1
        bits = max((paths // (images * LEAST_REPLICATIONS)).bit_length() - 1, 0)
        points = 1 << bits
        columns = max(shape.columns // images, 1)
        self.pairs = antithetic
        self.replications = max(-(-paths // (images * points)), LEAST_REPLICATIONS)
        self.paths = images * self.replications * points
        self._points = min(points, columns)
        self._parts = points // self._points
        self._together = max(columns // points, 1)
        self.blocks = self._parts * -(-self.replications // self._together)
        self._shape, self._seed, self._images = shape, np.uint64(seed), images
        self._directions = _sobol.direction_numbers(shape.steps * shape.random_rows.size, bits)
        self._bridge = _sobol.bridge(shape.steps)

    def groups(self, block: int) -> tuple[int, int]:
        replications = min(self._together, self.replications - block // self._parts * self._together)
        return replications, self._images * self._points

    def fill(self, block: int, numbers: Floats) -> None:
        from quantmesh.quant.monte_carlo import _sobol_kernels as kernels

        replication, part = divmod(block, self._parts)
        kernels.fill(
            numbers,
            self._shape.random_rows,
            self._shape.normals,
            self._seed,
            self.pairs,
            self._directions,
            replication * self._together,
            part * self._points,
            self._points,
            *self._bridge,
        )
