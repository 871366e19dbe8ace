import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from quantmesh.quant._samples import Floats
from quantmesh.quant.errors import DomainError, SolverError
from quantmesh.quant.optimize import _clarabel, _outer_approximation
from quantmesh.quant.optimize._box_program import SOLVER, BoxProgram, Line
from quantmesh.quant.optimize._constraints import LONG_ONLY, Constraints, Limits, settle
from quantmesh.quant.optimize._holdings import first_choice, on_chosen
from quantmesh.quant.optimize._infeasibility import require_feasible
from quantmesh.quant.optimize._linear_form import LinearObjective, bounded_rows, fill
from quantmesh.quant.optimize._matrix_kernels import product, variance_of
from quantmesh.quant.optimize._optimum import Certificate, Moments, Optimum, optimum_of
from quantmesh.quant.optimize._tilt import Verdict, search

_BOUND_STEPS = 50
_NEGLIGIBLE = 1e-12
_RISKLESS = 1e-13


def maximum_sharpe(
    expected_return: ArrayLike,
    covariance: ArrayLike,
    constraints: Constraints = LONG_ONLY,
    *,
    risk_free_rate: float = 0.0,
) -> Optimum:
    """The weights of the highest ratio of excess return, net of costs, to volatility (Sharpe, 1966).

    `expected_return`, `covariance`, costs and `risk_free_rate` share one period. Raises as minimum_variance does, and
    DomainError where no weights earn more than `risk_free_rate` or the budget is not positive.
    """
    moments = Moments.of(covariance, expected_return, risk_free_rate)
    moments.require_convex()
    limits = constraints.limits(moments.count)
    if limits.budget <= 0.0:
        raise DomainError("budget", limits.budget, "positive")
    linear = require_feasible(limits)
    excess = moments.mean - risk_free_rate
    if limits.is_discrete:
        linear = LinearObjective(on_chosen(limits, first_choice(limits, -excess)))
    richest, loss = linear.least(-excess)
    if loss >= 0.0:
        most = risk_free_rate - loss / float(richest.sum())
        raise DomainError("risk_free_rate", risk_free_rate, f"below {most:.6g}, the most that weights can earn")
    ratio = _Ratio(moments.covariance, excess, limits)
    weights, certificate = _highest(ratio, richest)
    return optimum_of(weights, limits, moments, ratio.value, certificate)


@dataclass(frozen=True, slots=True, eq=False)
class _Ratio:
    covariance: Floats
    excess: Floats
    limits: Limits

    def variance(self, weights: Floats) -> float:
        return variance_of(self.covariance, weights)

    def value(self, weights: Floats) -> float:
        net = float(self.excess @ weights) - self.limits.cost_of(weights)
        return net / math.sqrt(max(self.variance(weights), np.finfo(np.float64).tiny))


def _highest(ratio: _Ratio, richest: Floats) -> tuple[Floats, Certificate]:
    """From feasible weights that earn something."""
    if ratio.limits.is_discrete:
        return _by_choice(ratio, richest)
    weights, solver, iterations = _tangent(ratio, richest)
    return weights, Certificate(solver, iterations, _bound(ratio, weights))


def _tangent(ratio: _Ratio, richest: Floats) -> tuple[Floats, str, int]:
    """Without limits on holdings, and without a bound, which candidates of a search do not need."""
    weights, solver, iterations = _by_exchange(ratio, richest) if ratio.limits.is_box else _by_clarabel(ratio)
    typical = float(np.diagonal(ratio.covariance).mean()) * float(weights @ weights)
    if ratio.variance(weights) <= _RISKLESS * typical:
        raise DomainError("covariance", "a singular matrix", "of full rank: weights that earn have no variance in it")
    return weights, solver, iterations


def _by_choice(ratio: _Ratio, richest: Floats) -> tuple[Floats, Certificate]:
    def solve(chosen: NDArray[np.bool_]) -> Floats:
        among = on_chosen(ratio.limits, chosen)
        return _tangent(replace(ratio, limits=among), LinearObjective(among).least(-ratio.excess)[0])[0]

    program = _outer_approximation.Program(
        covariance=ratio.covariance,
        quadratic=1.0,
        linear=np.zeros_like(ratio.excess),
        excess=ratio.excess,
        limits=ratio.limits,
        value=lambda weights: ratio.value(weights) ** -2,
        solve=solve,
    )
    answer = _outer_approximation.search(program, solve(richest != 0.0))
    bound = answer.bound**-0.5 if answer.bound > 0.0 else None
    return answer.weights, Certificate(_outer_approximation.SOLVER, answer.iterations, bound)


def _by_exchange(ratio: _Ratio, richest: Floats) -> tuple[Floats, str, int]:
    """Where the tangent touches, variance = tilt * excess return; on a line that is at start' C start / m' start."""
    matrix, excess, limits = ratio.covariance, ratio.excess, ratio.limits
    program = BoxProgram(matrix, excess, limits)

    def judge(tilt: float, weights: Floats, line: Line | None) -> Verdict:
        earned, variance = float(excess @ weights), ratio.variance(weights)
        is_higher = variance > tilt * earned
        point = weights if line is None else line.start
        base = float(excess @ point)
        return Verdict(ratio.variance(point) / base if base > 0.0 else None, is_higher)

    start = fill(limits, np.argsort(-excess / np.sqrt(np.diagonal(matrix))))
    start = start if float(excess @ start) > 0.0 else richest
    tilt = ratio.variance(start) / float(excess @ start)
    try:
        _, weights = search(program, tilt, start, judge)
    except SolverError:
        return _by_clarabel(ratio)
    return settle(weights, limits), SOLVER, program.iterations


def _by_clarabel(ratio: _Ratio) -> tuple[Floats, str, int]:
    """With x = scale * weights the excess return can be fixed at one, which leaves a quadratic program.

    (Cornuejols and Tutuncu, Optimization Methods in Finance, 2007, section 8.2.)
    """
    matrix, excess, limits = ratio.covariance, ratio.excess, ratio.limits
    rows, row_lower, row_upper, cost = bounded_rows(limits)
    size = float(np.abs(excess).max())
    earned = -cost / size
    earned[: limits.count] += excess / size
    above, below = np.isfinite(row_upper), np.isfinite(row_lower)
    matrices = [
        sparse.hstack([sparse.csr_matrix(earned[None, :]), sparse.csr_matrix((1, 1))]),
        sparse.hstack([rows[above], sparse.csr_matrix(-row_upper[above][:, None])]),
        sparse.hstack([-rows[below], sparse.csr_matrix(row_lower[below][:, None])]),
        sparse.csr_matrix(([-1.0], ([0], [cost.size])), shape=(1, cost.size + 1)),
    ]
    homogeneous = sparse.csr_matrix(sparse.vstack(matrices))
    upper = np.zeros(homogeneous.shape[0])
    lower = np.full(homogeneous.shape[0], -np.inf)
    lower[0] = upper[0] = 1.0
    found = _clarabel.solve(matrix, np.zeros(cost.size + 1), homogeneous, lower, upper)
    weights = found.values[: limits.count] / found.values[-1]
    return settle(weights, limits), _clarabel.SOLVER, found.iterations


def _bound(ratio: _Ratio, weights: Floats) -> float | None:
    """No feasible v has a higher ratio T: volatility is at least (Cv)'w / sd(w) (Cauchy and Schwarz), so that

    excess' v - costs - T (Cv)'w / sd(w) <= 0 for all v suffices; T rises to where it holds (Dinkelbach, 1967).
    """
    linear, bound = LinearObjective(ratio.limits), ratio.value(weights)
    marginal = product(ratio.covariance, weights)
    marginal = marginal / math.sqrt(float(weights @ marginal))
    own = float(marginal @ weights)
    for _ in range(_BOUND_STEPS):
        best, value = linear.least(bound * marginal - ratio.excess)
        if -value <= _NEGLIGIBLE * abs(bound) * own:
            return bound - value / own
        volatility = float(marginal @ best)
        if volatility <= 0.0:
            return None
        bound -= value / volatility
    return None
