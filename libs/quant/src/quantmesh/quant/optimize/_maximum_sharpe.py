import math

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse

from quantmesh.quant._samples import Floats, covariance_of, vector_of
from quantmesh.quant.errors import DomainError, SolverError
from quantmesh.quant.optimize import _clarabel
from quantmesh.quant.optimize._box_program import SOLVER, BoxProgram, Line
from quantmesh.quant.optimize._constraints import LONG_ONLY, Constraints, Limits, settle
from quantmesh.quant.optimize._infeasibility import require_feasible
from quantmesh.quant.optimize._linear_form import LinearObjective, bounded_rows, fill
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
    DomainError where no weights earn more than `risk_free_rate`.
    """
    matrix = covariance_of(covariance)
    mean = vector_of("expected_return", expected_return, matrix.shape[0])
    moments = Moments(matrix, mean, risk_free_rate)
    limits = constraints.limits(matrix.shape[0])
    require_feasible(limits)
    excess = mean - risk_free_rate
    richest, loss = LinearObjective(limits).least(-excess)
    if loss >= 0.0:
        reachable = risk_free_rate - loss / float(richest.sum())
        raise DomainError("risk_free_rate", risk_free_rate, f"below {reachable:.6g}, the most that weights can earn")

    def ratio(weights: Floats) -> float:
        return (float(excess @ weights) - limits.cost_of(weights)) / math.sqrt(moments.variance(weights))

    weights, solver, iterations = _by_exchange(matrix, excess, limits, richest)
    if moments.variance(weights) <= _RISKLESS * float(np.diagonal(matrix).mean()) * float(weights @ weights):
        raise DomainError("covariance", "a singular matrix", "of full rank: weights that earn have no variance in it")
    bound = _bound(matrix, excess, weights, ratio(weights), limits)
    return optimum_of(weights, limits, moments, ratio, Certificate(solver, iterations, bound))


def _by_exchange(matrix: Floats, excess: Floats, limits: Limits, richest: Floats) -> tuple[Floats, str, int]:
    """Where the tangent touches, variance = tilt * excess return; on a line that is at start' C start / m' start."""
    if not limits.is_box:
        return _by_clarabel(matrix, excess, limits)
    program = BoxProgram(matrix, excess, limits)

    def judge(tilt: float, weights: Floats, line: Line | None) -> Verdict:
        earned, variance = float(excess @ weights), float(weights @ matrix @ weights)
        is_higher = variance > tilt * earned
        point = weights if line is None else line.start
        base = float(excess @ point)
        return Verdict(float(point @ matrix @ point) / base if base > 0.0 else None, is_higher)

    start = fill(limits, np.argsort(-excess / np.sqrt(np.diagonal(matrix))))
    start = start if float(excess @ start) > 0.0 else richest
    tilt = float(start @ matrix @ start) / float(excess @ start)
    try:
        _, weights = search(program, tilt, start, judge)
    except SolverError:
        return _by_clarabel(matrix, excess, limits)
    return settle(weights, limits), SOLVER, program.iterations


def _by_clarabel(matrix: Floats, excess: Floats, limits: Limits) -> tuple[Floats, str, int]:
    """With x = scale * weights the excess return can be fixed at one, which leaves a quadratic program.

    (Cornuejols and Tutuncu, Optimization Methods in Finance, 2007, section 8.2.)
    """
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


def _bound(matrix: Floats, excess: Floats, weights: Floats, ratio: float, limits: Limits) -> float | None:
    """No feasible v has a higher ratio T: volatility is at least (Cv)'w / sd(w) (Cauchy and Schwarz), so that

    excess' v - costs - T (Cv)'w / sd(w) <= 0 for all v suffices; T rises to where it holds (Dinkelbach, 1967).
    """
    linear = LinearObjective(limits)
    marginal = matrix @ weights
    marginal = marginal / math.sqrt(float(weights @ marginal))
    negligible = _NEGLIGIBLE * abs(ratio * float(marginal @ weights))
    for _ in range(_BOUND_STEPS):
        best, value = linear.least(ratio * marginal - excess)
        volatility = float(marginal @ best)
        if -value <= negligible:
            return ratio - value / float(marginal @ weights)
        if volatility <= 0.0:
            return None
        ratio -= value / volatility
    return None
