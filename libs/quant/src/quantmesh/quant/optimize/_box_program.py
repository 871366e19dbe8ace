"""min w'Cw / 2 - tilt m'w over a budget and bounds: exchanges find the held assets, Newton's step their weights.

With the set of assets strictly between their bounds known, the weights solve a linear system, and are a line in `tilt`:
a piece of the frontier, as in the critical line method (Markowitz, 1956).
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from quantmesh.quant._samples import Floats
from quantmesh.quant.errors import SolverError
from quantmesh.quant.optimize._constraints import Limits
from quantmesh.quant.optimize._exchange_kernels import exchange
from quantmesh.quant.optimize._matrix_kernels import product

SOLVER = "exchange"
# Relative to the largest marginal objective. The exact Newton steps take it to a few units of rounding.
_OPTIMAL = 1e-11
_FIRST_TOLERANCE = 1e-5
_ROUNDS = 20
_NEWTON_STEPS = 20


class Line(NamedTuple):
    """Optimal weights `start + tilt * slope` while the same assets stay free."""

    start: Floats
    slope: Floats


@dataclass(slots=True, eq=False)
class BoxProgram:
    covariance: Floats
    mean: Floats
    limits: Limits
    iterations: int = field(default=0, init=False)

    def solve(self, tilt: float, weights: Floats) -> Floats:
        """The optimum, from feasible weights; raises SolverError where rounding keeps it from being certain."""
        matrix, lower, upper = self.covariance, self.limits.lower, self.limits.upper
        weights = weights.copy()
        for round_ in range(_ROUNDS):
            weights = self._newton(tilt, weights)
            marginal = product(matrix, weights)
            gradient = marginal - tilt * self.mean
            scale = float(np.abs(marginal).max()) + tilt * float(np.abs(self.mean).max())
            if self._violation(gradient, weights) <= _OPTIMAL * scale:
                return weights
            tolerance = max(_FIRST_TOLERANCE * 0.1**round_, 0.1 * _OPTIMAL)
            self.iterations += exchange(matrix, gradient, weights, lower, upper, 2 * weights.size, tolerance * scale)
        raise SolverError(SOLVER, "no certain optimum; the covariance is close to singular")

    def line(self, weights: Floats) -> Line | None:
        """The line through optimal weights; None where no asset is free or the free ones are linearly dependent."""
        free = self._free(weights)
        if not free.size:
            return None
        factor, status = lapack.dpotrf(self.covariance[np.ix_(free, free)], lower=1, overwrite_a=1, clean=0)
        if status != 0:
            return None
        fixed = weights.copy()
        fixed[free] = 0.0
        right = np.empty((free.size, 3), order="F")
        right[:, 0] = 1.0
        right[:, 1] = self.mean[free]
        right[:, 2] = -product(self.covariance, fixed)[free]
        solved, _ = lapack.dpotrs(factor, right, lower=1, overwrite_b=1)
        even, tilted, pulled = solved.T
        missing = self.limits.budget - float(fixed.sum()) - float(pulled.sum())
        start, slope = fixed, np.zeros_like(weights)
        start[free] = pulled + missing / even.sum() * even
        slope[free] = tilted - tilted.sum() / even.sum() * even
        return Line(start, slope)

    def _newton(self, tilt: float, weights: Floats) -> Floats:
        """Towards the optimum of the free assets until it is reached; who meets a bound on the way stays there."""
        for _ in range(_NEWTON_STEPS):
            line = self.line(weights)
            if line is None:
                return weights
            self.iterations += 1
            target = line.start + tilt * line.slope
            free = self._free(weights)
            step = (target - weights)[free]
            room = np.where(
                step > 0.0, self.limits.upper[free] - weights[free], self.limits.lower[free] - weights[free]
            )
            with np.errstate(divide="ignore", invalid="ignore"):
                reach = np.where(step == 0.0, np.inf, room / step)
            nearest = int(reach.argmin())
            if reach[nearest] >= 1.0:
                return target
            weights = weights.copy()
            weights[free] += float(reach[nearest]) * step
            weights[free[nearest]] = (self.limits.upper if step[nearest] > 0.0 else self.limits.lower)[free[nearest]]
        return weights

    def _free(self, weights: Floats) -> NDArray[np.intp]:
        return np.flatnonzero((weights > self.limits.lower) & (weights < self.limits.upper))

    def _violation(self, gradient: Floats, weights: Floats) -> float:
        """What a unit moved from the worst to the best asset would still gain."""
        givers, takers = gradient[weights > self.limits.lower], gradient[weights < self.limits.upper]
        if not (givers.size and takers.size):
            return 0.0
        return max(float(givers.max() - takers.min()), 0.0)
