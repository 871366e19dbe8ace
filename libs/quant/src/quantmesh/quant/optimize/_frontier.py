from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse

from quantmesh.quant._samples import Floats
from quantmesh.quant.errors import DomainError, SolverError
from quantmesh.quant.optimize import _clarabel
from quantmesh.quant.optimize._box_program import BoxProgram, Line
from quantmesh.quant.optimize._constraints import LONG_ONLY, Constraints, Limits, settle
from quantmesh.quant.optimize._infeasibility import require_feasible
from quantmesh.quant.optimize._linear_form import LinearObjective, bounded_rows
from quantmesh.quant.optimize._matrix_kernels import product, variance_of
from quantmesh.quant.optimize._optimum import Allocation, Moments, allocator, relative_gap
from quantmesh.quant.optimize._tilt import Verdict, search
from quantmesh.quant.optimize._utility import Utility, least_utility

_NO_RANGE = 1e-12
_LEAST_TILT = 1e-9


class Frontier(NamedTuple):
    """`points` from the least variance to the highest expected return, evenly spaced in return; their objective is the
    variance. `gap` is the largest distance of a point's variance from its proven bound, relatively."""

    points: tuple[Allocation, ...]
    equal_weight: Allocation
    no_change: Allocation | None
    gap: float


def frontier(
    expected_return: ArrayLike,
    covariance: ArrayLike,
    constraints: Constraints = LONG_ONLY,
    *,
    points: int = 50,
    risk_free_rate: float = 0.0,
) -> Frontier:
    """The least variance for each expected return, net of costs, that the constraints allow (Markowitz, 1952).

    Raises as minimum_variance does; limits on holdings, which make the frontier break off, raise DomainError.
    """
    moments = Moments.of(covariance, expected_return, risk_free_rate)
    moments.require_convex()
    limits = constraints.limits(moments.count)
    if points < 2:
        raise DomainError("points", points, "at least 2")
    for name in ("maximum_holdings", "minimum_position"):
        if getattr(constraints, name) is not None:
            raise DomainError(name, getattr(constraints, name), "left out: the frontier would break off")
    walk = _Walk(moments.covariance, moments.mean, limits, require_feasible(limits))
    allocations, gap = walk.through(points)
    build = allocator(limits, moments, moments.variance)
    return Frontier(
        points=tuple(build(weights) for weights in allocations),
        equal_weight=build(limits.equal_weights),
        no_change=None if limits.current is None else build(limits.current),
        gap=gap,
    )


class _Walk:
    """From the least variance up: each point starts from the one before, whose assets are mostly its own."""

    def __init__(self, matrix: Floats, mean: Floats, limits: Limits, linear: LinearObjective) -> None:
        self._matrix = matrix
        self._mean = mean
        self._limits = limits
        self._linear = linear
        self._gap = 0.0

    def through(self, points: int) -> tuple[list[Floats], float]:
        free_of_cost = replace(self._limits.given, costs=0.0).limits(self._limits.count)
        lowest, certificate = least_utility(Utility(self._matrix, np.zeros_like(self._mean), 2.0, free_of_cost))
        self._note(variance_of(self._matrix, lowest), certificate.bound)
        highest = -self._linear.least(-self._mean)[1]
        base = self._net(lowest)
        if highest - base <= _NO_RANGE * (float(np.abs(self._mean).max()) + abs(base)):
            return [lowest] * points, self._gap
        weights, found = lowest, [lowest]
        tilt = variance_of(self._matrix, lowest) / (highest - base)
        for target in np.linspace(base, highest, points)[1:-1]:
            tilt, weights = self._step(float(target), tilt, weights)
            found.append(weights)
        return [*found, self._end(highest)], self._gap

    def _step(self, target: float, tilt: float, weights: Floats) -> tuple[float, Floats]:
        tilt, weights = self._by_exchange(target, tilt, weights) or self._by_clarabel(target)
        self._note(variance_of(self._matrix, weights), self._bound(weights, tilt, target))
        return tilt, weights

    def _by_exchange(self, target: float, tilt: float, weights: Floats) -> tuple[float, Floats] | None:
        if not self._limits.is_box:
            return None

        def judge(_: float, optimal: Floats, line: Line | None) -> Verdict:
            is_higher = float(self._mean @ optimal) < target
            gain = 0.0 if line is None else float(self._mean @ line.slope)
            if line is None or gain <= 0.0:
                return Verdict(None, is_higher)
            return Verdict((target - float(self._mean @ line.start)) / gain, is_higher)

        try:
            tilt, weights = search(BoxProgram(self._matrix, self._mean, self._limits), tilt, weights, judge)
        except SolverError:
            return None
        return tilt, settle(weights, self._limits)

    def _by_clarabel(self, target: float) -> tuple[float, Floats]:
        rows, lower, upper, cost = bounded_rows(self._limits)
        earned = -cost
        earned[: self._limits.count] += self._mean
        # In units of the largest, so that the row weighs as much as the others.
        size = float(np.abs(earned).max())
        matrix = sparse.csr_matrix(sparse.vstack([sparse.csr_matrix(earned[None, :] / size), rows]))
        lower, upper = np.concatenate([[target / size], lower]), np.concatenate([[np.inf], upper])
        solution = _clarabel.solve(self._matrix, np.zeros(cost.size), matrix, lower, upper)
        return -float(solution.multipliers[0]) / size, settle(solution.values[: self._limits.count], self._limits)

    def _end(self, highest: float) -> Floats:
        """The least variance of what earns the most: where several assets earn the last return alike, they share."""
        if not self._limits.is_box:
            return self._step(highest, 0.0, np.zeros_like(self._mean))[1]
        top = self._linear.least(-self._mean)[0]
        last = float(self._mean[top > self._limits.lower].min(initial=np.inf))
        alike = self._mean == last
        face = replace(
            self._limits,
            lower=np.where(alike, self._limits.lower, top),
            upper=np.where(alike, self._limits.upper, top),
        )
        weights, certificate = least_utility(Utility(self._matrix, np.zeros_like(self._mean), 2.0, face))
        self._note(variance_of(self._matrix, weights), certificate.bound)
        return weights

    def _bound(self, weights: Floats, tilt: float, target: float) -> float:
        """Of the variance among all that earn `target`, by Lagrange's relaxation of the return and the tangent."""
        marginal = product(self._matrix, weights)
        # Any positive tilt gives a bound; where the return does not bind, almost none gives the best.
        tilt = max(tilt, _LEAST_TILT)
        least = tilt * (self._linear.least(marginal / tilt - self._mean)[1] + target)
        return 2.0 * least - float(marginal @ weights)

    def _note(self, variance: float, bound: float | None) -> None:
        if bound is not None:
            self._gap = max(self._gap, relative_gap(variance, bound, float(np.diagonal(self._matrix).mean())))

    def _net(self, weights: Floats) -> float:
        return float(self._mean @ weights) - self._limits.cost_of(weights)
