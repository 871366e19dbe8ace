"""Weights of a fully invested portfolio (RSK-7): minimum variance, maximum Sharpe ratio, risk parity.

Every answer holds `weights` that sum to one, in the order of the assets. `minimum` and `maximum` are bounds on the
weights, a scalar or one per asset. Quadratic programs are solved by Clarabel, an interior-point method (Goulart and
Chen, 2024).
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from quantmesh.quant._samples import Floats, covariance_of, vector_of
from quantmesh.quant.errors import DomainError, InfeasibleError, SolverError

if TYPE_CHECKING:
    from scipy.sparse import csc_matrix

_RISK_PARITY_ITERATIONS = 100
_NEWTON_TOLERANCE = 1e-13


class Weights(NamedTuple):
    weights: Floats
    solver: str


def equal_weight(count: int) -> Floats:
    return np.full(count, 1.0 / count)


def minimum_variance(
    covariance: ArrayLike, *, minimum: ArrayLike = 0.0, maximum: ArrayLike = 1.0, names: Sequence[str] | None = None
) -> Weights:
    """The weights of least variance within bounds (Markowitz, 1952).

    Raises InfeasibleError where no weights meet the bounds, naming assets by `names`.
    """
    matrix = covariance_of(covariance)
    lower, upper = _bounds(matrix.shape[0], minimum, maximum, names)
    count = lower.size
    solution = _solve_quadratic(matrix, equalities=np.ones((1, count)), values=np.ones(1), lower=lower, upper=upper)
    return Weights(_settled(solution, lower, upper), "clarabel")


def maximum_sharpe(
    expected_return: ArrayLike,
    covariance: ArrayLike,
    *,
    risk_free_rate: float = 0.0,
    minimum: ArrayLike = 0.0,
    maximum: ArrayLike = 1.0,
    names: Sequence[str] | None = None,
) -> Weights:
    """The weights of the highest ratio of excess return to volatility within bounds.

    With y = kappa * weights the ratio's numerator can be fixed at one, which leaves a quadratic program (Cornuejols
    and Tutuncu, Optimization Methods in Finance, 8.2). `expected_return`, `covariance` and `risk_free_rate` share one
    period.
    Raises InfeasibleError as minimum_variance does, and DomainError where no weights earn more than `risk_free_rate`.
    """
    matrix = covariance_of(covariance)
    excess = vector_of("expected_return", expected_return, matrix.shape[0]) - risk_free_rate
    lower, upper = _bounds(excess.size, minimum, maximum, names)
    best = _highest(excess, lower, upper)
    if best <= 0.0:
        reachable = best + risk_free_rate
        raise DomainError("risk_free_rate", risk_free_rate, f"below {reachable:.6g}, the most that the bounds can earn")
    scale = float(np.abs(excess).max())
    solution = _solve_fractional(matrix, excess / scale, lower, upper)
    return Weights(_settled(solution, lower, upper), "clarabel")


def risk_parity(covariance: ArrayLike, *, budgets: ArrayLike | None = None) -> Weights:
    """Positive weights whose shares in the variance equal `budgets` (equal where absent).

    They are the scaled minimum of x' C x / 2 - budgets' log(x), found by damped Newton steps in scaled coordinates
    (Spinu, An algorithm for computing risk parity weights, 2013, section 3).
    """
    matrix = covariance_of(covariance)
    count = matrix.shape[0]
    shares = equal_weight(count) if budgets is None else vector_of("budgets", budgets, count)
    if shares.min() <= 0.0:
        raise DomainError("budgets", float(shares.min()), "positive", int(shares.argmin()))
    shares = shares / shares.sum()
    deviations = np.sqrt(np.diagonal(matrix))
    correlation = matrix / np.outer(deviations, deviations)
    point = np.sqrt(shares / np.maximum(correlation.sum(axis=1), 1e-3)).clip(1e-6)
    for _ in range(_RISK_PARITY_ITERATIONS):
        gradient = correlation @ point - shares / point
        hessian = correlation + np.diag(shares / point**2)
        step = np.linalg.solve(hessian, gradient)
        decrement = float(np.sqrt(max(gradient @ step, 0.0)))
        if decrement < _NEWTON_TOLERANCE:
            break
        # Within the domain of self-concordance a full step converges quadratically; outside it is damped.
        relative = float(np.max(np.abs(step / point)))
        point = point - step / (1.0 + relative if relative > 0.5 else 1.0)
    else:
        if decrement > 1e-9:
            raise SolverError("newton", f"decrement {decrement:.3g} after {_RISK_PARITY_ITERATIONS} steps")
    weights = point / deviations
    return Weights(weights / weights.sum(), "newton")


def _bounds(count: int, minimum: ArrayLike, maximum: ArrayLike, names: Sequence[str] | None) -> tuple[Floats, Floats]:
    """Bounds per asset that some weights of sum one meet."""
    lower, upper = (
        vector_of(name, np.broadcast_to(np.asarray(bound, dtype=np.float64), (count,)), count)
        for name, bound in (("minimum", minimum), ("maximum", maximum))
    )
    labels = list(names) if names is not None else [f"asset {index}" for index in range(count)]
    crossed = np.flatnonzero(lower > upper)
    if crossed.size:
        conflicts = [f"minimum of {labels[index]}" for index in crossed]
        relaxation = {f"minimum of {labels[index]}": float(upper[index]) for index in crossed}
        shortfall = float((lower - upper)[crossed].sum())
        raise InfeasibleError("A minimum lies above its maximum.", conflicts, shortfall, relaxation)
    if lower.sum() > 1.0 + 1e-12:
        raise _infeasible("minimum", "add up to more than one", lower, labels, (lower.sum() - 1.0))
    if upper.sum() < 1.0 - 1e-12:
        raise _infeasible("maximum", "add up to less than one", upper, labels, (upper.sum() - 1.0))
    return lower, upper


def _infeasible(kind: str, why: str, bounds: Floats, labels: list[str], excess: float) -> InfeasibleError:
    """The least total change spreads over the bounds; which of them takes how much is free, so each takes its share."""
    binding = np.flatnonzero(bounds > 0.0) if excess > 0.0 else np.arange(bounds.size)
    weight = np.abs(bounds[binding])
    part = weight / weight.sum() if weight.sum() > 0.0 else np.full(binding.size, 1.0 / binding.size)
    moved = bounds[binding] - excess * part
    relaxation = {f"{kind} of {labels[index]}": float(value) for index, value in zip(binding, moved, strict=True)}
    detail = f"The {kind} weights {why}: {float(bounds.sum()):.6g}."
    return InfeasibleError(detail, list(relaxation), abs(float(excess)), relaxation)


def _highest(excess: Floats, lower: Floats, upper: Floats) -> float:
    """The largest excess return within bounds: the best assets are filled first."""
    weights = lower.copy()
    left = 1.0 - weights.sum()
    for index in np.argsort(-excess):
        added = min(upper[index] - lower[index], left)
        weights[index] += added
        left -= added
    return float(excess @ weights)


def _solve_quadratic(matrix: Floats, *, equalities: Floats, values: Floats, lower: Floats, upper: Floats) -> Floats:
    """Minimise x' matrix x / 2 with `equalities @ x = values` and bounds."""
    from scipy import sparse

    count = matrix.shape[0]
    identity = sparse.identity(count, format="csc")
    rows = sparse.vstack([sparse.csc_matrix(equalities), identity, -identity], format="csc")
    right = np.concatenate([values, upper, -lower])
    return _clarabel(matrix, rows, right, equality_count=values.size)


def _solve_fractional(matrix: Floats, excess: Floats, lower: Floats, upper: Floats) -> Floats:
    """Minimise y' matrix y with `excess @ y = 1` and bounds on y / sum(y); gives y / sum(y)."""
    from scipy import sparse

    count = excess.size
    ones = np.ones(count)
    # lower * sum(y) <= y <= upper * sum(y), and sum(y) >= 0
    above = sparse.csc_matrix(np.eye(count) - np.outer(upper, ones))
    below = sparse.csc_matrix(np.outer(lower, ones) - np.eye(count))
    rows = sparse.vstack(
        [sparse.csc_matrix(excess[None, :]), above, below, sparse.csc_matrix(-ones[None, :])], format="csc"
    )
    right = np.concatenate([[1.0], np.zeros(2 * count + 1)])
    solution = _clarabel(matrix, rows, right, equality_count=1)
    weights: Floats = solution / solution.sum()
    return weights


def _clarabel(matrix: Floats, rows: "csc_matrix", right: Floats, *, equality_count: int) -> Floats:
    import clarabel
    from scipy import sparse

    # Scaled to unit size: daily variances of 1e-4 would otherwise meet the solver's absolute tolerances at once.
    scale = float(np.trace(matrix)) / matrix.shape[0]
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    settings.max_threads = 1
    settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = 1e-11
    cones = [clarabel.ZeroConeT(equality_count), clarabel.NonnegativeConeT(right.size - equality_count)]
    objective = sparse.triu(sparse.csc_matrix(matrix / scale), format="csc")
    solver = clarabel.DefaultSolver(objective, np.zeros(matrix.shape[0]), rows, right, cones, settings)
    solution = solver.solve()
    if solution.status not in (clarabel.SolverStatus.Solved, clarabel.SolverStatus.AlmostSolved):
        raise SolverError("clarabel", str(solution.status))
    return np.asarray(solution.x, dtype=np.float64)


def _settled(weights: Floats, lower: Floats, upper: Floats) -> Floats:
    """Within bounds and with a sum of one to the last bits: the solver leaves some 1e-11 on either."""
    inside = np.clip(weights, lower, upper)
    for _ in range(3):
        missing = 1.0 - inside.sum()
        room = (upper - inside) if missing > 0.0 else (inside - lower)
        if room.sum() <= 0.0 or missing == 0.0:
            break
        inside = np.clip(inside + missing * room / room.sum(), lower, upper)
    return inside
