"""The program behind minimum variance and mean-variance: aversion w'Cw / 2 - m'w + costs, least within limits."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from quantmesh.quant._samples import Floats
from quantmesh.quant.errors import SolverError
from quantmesh.quant.optimize import _box_program, _clarabel, _outer_approximation
from quantmesh.quant.optimize._box_program import BoxProgram
from quantmesh.quant.optimize._constraints import Limits, settle
from quantmesh.quant.optimize._holdings import first_choice, on_chosen
from quantmesh.quant.optimize._infeasibility import require_feasible
from quantmesh.quant.optimize._linear_form import LinearObjective, bounded_rows, fill
from quantmesh.quant.optimize._matrix_kernels import product, variance_of
from quantmesh.quant.optimize._optimum import Certificate


@dataclass(frozen=True, slots=True, eq=False)
class Utility:
    """What is minimised, in units of a return; `mean` is zero for minimum variance."""

    covariance: Floats
    mean: Floats
    aversion: float
    limits: Limits

    def value(self, weights: Floats) -> float:
        variance = variance_of(self.covariance, weights)
        return 0.5 * self.aversion * variance - float(self.mean @ weights) + self.limits.cost_of(weights)

    def bound(self, weights: Floats, linear: LinearObjective) -> float:
        """No feasible weights have less: the tangent at `weights` has not (Frank and Wolfe, 1956)."""
        marginal = self.aversion * product(self.covariance, weights)
        least = linear.least(marginal - self.mean)[1]
        return least - 0.5 * float(marginal @ weights)


def least_utility(utility: Utility) -> tuple[Floats, Certificate]:
    """Raises InfeasibleError where nothing satisfies the limits."""
    limits = utility.limits
    linear = require_feasible(limits)
    if limits.is_discrete:
        return _by_choice(utility)
    weights, solver, iterations = _by_exchange(utility) if limits.is_box else _by_clarabel(utility)
    return weights, Certificate(solver, iterations, utility.bound(weights, linear))


def _by_exchange(utility: Utility) -> tuple[Floats, str, int]:
    limits, aversion = utility.limits, utility.aversion
    program = BoxProgram(utility.covariance, utility.mean, limits)
    alone = 0.5 * aversion * np.diagonal(utility.covariance) - utility.mean
    try:
        weights = program.solve(1.0 / aversion, fill(limits, np.argsort(alone)))
    except SolverError:
        return _by_clarabel(utility)
    return settle(weights, limits), _box_program.SOLVER, program.iterations


def _by_clarabel(utility: Utility) -> tuple[Floats, str, int]:
    limits = utility.limits
    rows, row_lower, row_upper, linear = bounded_rows(limits)
    linear[: limits.count] -= utility.mean
    quadratic = utility.aversion * utility.covariance
    found = _clarabel.solve(quadratic, linear, rows, row_lower, row_upper)
    return settle(found.values[: limits.count], limits), _clarabel.SOLVER, found.iterations


def _by_choice(utility: Utility) -> tuple[Floats, Certificate]:
    limits = utility.limits

    def solve(chosen: NDArray[np.bool_]) -> Floats:
        return least_utility(replace(utility, limits=on_chosen(limits, chosen)))[0]

    program = _outer_approximation.Program(
        covariance=utility.covariance,
        quadratic=0.5 * utility.aversion,
        linear=-utility.mean,
        excess=None,
        limits=limits,
        value=utility.value,
        solve=solve,
    )
    answer = _outer_approximation.search(program, solve(first_choice(limits, -utility.mean)))
    return answer.weights, Certificate(_outer_approximation.SOLVER, answer.iterations, answer.bound)
