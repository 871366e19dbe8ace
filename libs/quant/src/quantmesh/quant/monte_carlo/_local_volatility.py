"""A volatility that depends on time and spot, on a grid."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from quantmesh.quant._arguments import VOLATILITY, Floats, check_scalar
from quantmesh.quant.errors import DomainError
from quantmesh.quant.monte_carlo._curves import Schedule
from quantmesh.quant.monte_carlo._process import Evolve, OneAsset


@dataclass(frozen=True, eq=False)
class LocalVolatility(OneAsset):
    """`volatilities[i][j]` at `times[i]` and `spots[j]`, linear in time and in the logarithm of the spot, flat beyond.

    Paths follow Euler's scheme for the logarithm with the volatility of every step's middle: forwards are exact, other
    prices to first order in the step. Vega is by a parallel shift; spots move under a grid that stays.
    """

    times: Sequence[float] | Floats
    spots: Sequence[float] | Floats
    volatilities: Sequence[Sequence[float]] | Floats

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, nodes in (("times", self.times), ("spots", self.spots)):
            for index, (before, after) in enumerate(pairwise((-1.0 if name == "times" else 0.0, *nodes))):
                if not before < after < math.inf:
                    raise DomainError(name, after, "finite, increasing and not negative", index)
        grid = np.asarray(self.volatilities, dtype=np.float64)
        if grid.shape != (len(self.times), len(self.spots)) or grid.size == 0:
            wanted = f"a grid of {len(self.times)} times by {len(self.spots)} spots"
            raise DomainError("volatilities", f"shape {grid.shape}", wanted)
        for row, column in np.ndindex(*grid.shape):
            check_scalar(float(grid[row, column]), VOLATILITY._replace(name=f"volatilities[{row}][{column}]"))

    @property
    def factors(self) -> int:
        return 1

    def evolve(self, schedule: Schedule, with_variance: bool) -> Evolve:
        from quantmesh.quant.monte_carlo import _path_kernels as kernels

        start, lengths = math.log(self.spot), schedule.lengths
        drifts = np.diff(self.carries(schedule)[:, 0], prepend=0.0)
        nodes = np.log(np.asarray(self.spots, dtype=np.float64))
        middles = 0.5 * (schedule.times[1:] + schedule.times[:-1])
        grid = np.asarray(self.volatilities, dtype=np.float64)
        rows = np.stack([np.interp(middles, np.asarray(self.times), column) for column in grid.T], axis=1)

        def evolve(block: Floats) -> None:
            kernels.local_volatility(block, start, nodes, rows, lengths, drifts, with_variance)

        return evolve

    def volatility_ranges(self) -> tuple[tuple[float, float], ...]:
        grid = np.asarray(self.volatilities)
        return ((float(grid.min()), float(grid.max())),)

    def with_volatility_shifts(self, shifts: tuple[float, ...]) -> "LocalVolatility":
        return replace(self, volatilities=np.asarray(self.volatilities, dtype=np.float64) + shifts[0])
