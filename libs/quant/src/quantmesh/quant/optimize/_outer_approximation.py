"""Quadratic programs with limits on holdings: tangents below the quadratic, and HiGHS over the choice of assets.

C = G'G + D with D diagonal and as large as the rest stays a covariance. Each square (G w)_k^2 lies above its tangents,
which are of one variable and few suffice; each D_i w_i^2 lies, wherever w_i = 0 or z_i = 1, above the tangents of its
perspective D_i w_i^2 / z_i, which bound the choice z far better than those of the square (Frangioni and Gentile,
Mathematical Programming 106, 2006). The optimum over the tangents is a bound; the exact program on its chosen assets
is a candidate; new tangents where both lie close the gap (Duran and Grossmann, Mathematical Programming 36, 1986).

For the Sharpe ratio all columns are weights times a scale, with the excess return fixed at one; else the scale is one.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from quantmesh.quant._samples import Floats
from quantmesh.quant.errors import DomainError, SolverError
from quantmesh.quant.optimize._constraints import Limits
from quantmesh.quant.optimize._highs import INFINITY, Model, Solution
from quantmesh.quant.optimize._holdings import Scale, add_holdings, reach_of
from quantmesh.quant.optimize._linear_form import linear_form

SOLVER = "outer approximation by highs"
# Where the search ends, relative to what it minimises.
_GAP = 1e-7
_ROOT_ROUNDS = 40
_ROOT_PROGRESS = 1e-3
# A tangent is new where it rises above those there are by this much, in units of the objective.
_NEW = 1e-10
_SINGULAR = 1e-12
# Of the largest variance of an asset: what has less, down to none at all, is not what the others are measured by.
_LEAST_VARIANCE = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """Least quadratic w'Cw + linear' w + costs; with `excess`, least w'Cw / (excess' w - costs)^2.

    `value` is that objective and `solve` gives its optimum among chosen assets.
    """

    covariance: Floats
    quadratic: float
    linear: Floats
    excess: Floats | None
    limits: Limits
    value: Callable[[Floats], float]
    solve: Callable[[NDArray[np.bool_]], Floats]


class Answer(NamedTuple):
    weights: Floats
    bound: float
    iterations: int


def search(program: Program, start: Floats) -> Answer:
    """The best choice of assets, at least as good as `start`, which is feasible."""
    model = _TangentModel(program, start)
    deadline = time.monotonic() + program.limits.given.search_seconds
    best, value, bound = start, program.value(start), -math.inf
    model.add_tangents(*model.point_of(start))
    iterations = model.tighten()
    model.require_integers()
    tried: set[bytes] = set()
    while value - bound > _GAP * max(abs(value), model.unit) and time.monotonic() < deadline:
        solution = model.solve(deadline, best)
        if solution is None:
            break
        iterations += solution.iterations
        bound = max(bound, solution.bound * model.unit)
        chosen = model.choice(solution)
        is_closer = model.add_tangents(*model.point(solution), above=solution)
        if chosen.tobytes() not in tried:
            tried.add(chosen.tobytes())
            candidate = program.solve(chosen)
            is_closer |= model.add_tangents(*model.point_of(candidate))
            if program.value(candidate) < value:
                best, value = candidate, program.value(candidate)
        if not is_closer:
            break
    return Answer(best, min(bound, value), iterations)


class _TangentModel:
    """Columns: of the linear form, the scale, the choices, exposures G w, and what stands for each square."""

    def __init__(self, program: Program, start: Floats) -> None:
        self._program = program
        count, form = start.size, linear_form(program.limits)
        is_ratio = program.excess is not None
        least_variance = _LEAST_VARIANCE * float(np.diagonal(program.covariance).max())
        variance = max(float(start @ program.covariance @ start), least_variance)
        self.unit = program.value(start) if is_ratio else program.quadratic * variance
        self._factors, self._diagonal = _split(program.covariance * (program.quadratic / self.unit))
        self._model = Model(relative_gap=0.1 * _GAP)
        size = form.cost.size
        cost = np.zeros(size) if is_ratio else form.cost / self.unit
        cost[:count] += program.linear / self.unit
        self._model.add_columns(cost, np.where(form.lower >= 0.0, 0.0, -INFINITY), np.full(size, INFINITY))
        largest, reach = _largest_scaled(program, self.unit) if is_ratio else (1.0, reach_of(program.limits))
        column = self._model.add_columns(np.zeros(1), np.zeros(1) if is_ratio else np.ones(1), np.array([largest]))
        self._add_scaled(form.rows, form.row_lower, form.row_upper)
        self._add_scaled(sparse.csr_matrix(sparse.identity(size)), form.lower, form.upper)
        if program.excess is not None:
            earned = -form.cost
            earned[:count] += program.excess
            self._model.add_rows(sparse.csr_matrix(earned[None, :]), np.ones(1), np.ones(1))
        scale = Scale(column.start, largest)
        self._chosen = add_holdings(self._model, program.limits, np.arange(count), reach, scale)
        free = np.full(count, INFINITY)
        self._exposures = self._model.add_columns(np.zeros(count), -free, free)
        gap = sparse.csr_matrix((count, self._exposures.start - count))
        links = sparse.hstack([sparse.csr_matrix(self._factors), gap, -sparse.identity(count)])
        self._model.add_rows(sparse.csr_matrix(links), np.zeros(count), np.zeros(count))
        self._squares = self._model.add_columns(np.ones(count), np.zeros(count), free)
        self._perspectives = self._model.add_columns(np.ones(count), np.zeros(count), free)

    def require_integers(self) -> None:
        self._model.require_integers(self._chosen)

    def solve(self, deadline: float, best: Floats) -> Solution | None:
        self._model.start_from(self._columns_at(best))
        self._model.stop_after(max(deadline - time.monotonic(), 0.1))
        return self._model.solve()

    def tighten(self) -> int:
        """Tangents where the choice may still be in parts, while they raise the bound; answers simplex iterations."""
        iterations, bound = 0, -math.inf
        for _ in range(_ROOT_ROUNDS):
            solution = self._model.solve()
            if solution is None:
                raise SolverError(SOLVER, "no choice of assets, although one was found feasible")
            iterations += solution.iterations
            if solution.bound - bound <= _ROOT_PROGRESS * abs(solution.bound):
                break
            bound = solution.bound
            self.add_tangents(*self.point(solution), above=solution)
        return iterations

    def choice(self, solution: Solution) -> NDArray[np.bool_]:
        return solution.values[self._chosen] > 0.5

    def point(self, solution: Solution) -> tuple[Floats, Floats]:
        """Scaled weights and choices."""
        return solution.values[: self._diagonal.size], np.clip(solution.values[self._chosen], 0.0, 1.0)

    def point_of(self, weights: Floats) -> tuple[Floats, Floats]:
        program, scaled = self._program, weights
        if program.excess is not None:
            scaled = weights / (float(program.excess @ weights) - program.limits.cost_of(weights))
        return scaled, (weights != 0.0).astype(np.float64)

    def _columns_at(self, weights: Floats) -> Floats:
        limits = self._program.limits
        scaled, choices = self.point_of(weights)
        scale = float(scaled.sum() / weights.sum()) if self._program.excess is not None else 1.0
        trades = np.zeros(0)
        if limits.counts_trades and limits.current is not None:
            change = scaled - scale * limits.current
            trades = np.concatenate([np.maximum(change, 0.0), np.maximum(-change, 0.0)])
        exposures, held = self._factors @ scaled, self._diagonal * scaled**2
        return np.concatenate([scaled, trades, [scale], choices, exposures, exposures**2, held])

    def add_tangents(self, scaled: Floats, choices: Floats, above: Solution | None = None) -> bool:
        """Tangents at a point, those alone that rise `above` a solution there; False where there are none."""
        exposure = self._factors @ scaled
        # A choice below this has no ratio worth a tangent.
        ratio = np.where(choices > 1e-6, scaled / np.maximum(choices, 1e-6), 0.0)
        squares, perspectives = exposure**2, self._diagonal * ratio * scaled
        if above is not None:
            squares = squares - above.values[self._squares]
            perspectives = perspectives - above.values[self._perspectives]
        steep = np.flatnonzero(squares > _NEW)
        held = np.flatnonzero(perspectives > _NEW)
        if not (steep.size or held.size):
            return False
        # square - 2 e x >= -e^2, and perspective - 2 D r w + D r^2 z >= 0
        self._add_entries(
            (self._squares.start + steep, np.ones(steep.size)),
            (self._exposures.start + steep, -2.0 * exposure[steep]),
            lower=-(exposure[steep] ** 2),
        )
        slope = self._diagonal[held] * ratio[held]
        self._add_entries(
            (self._perspectives.start + held, np.ones(held.size)),
            (held, -2.0 * slope),
            (self._chosen.start + held, slope * ratio[held]),
            lower=np.zeros(held.size),
        )
        return True

    def _add_entries(self, *entries: tuple[NDArray[np.intp], Floats], lower: Floats) -> None:
        indices = np.column_stack([columns for columns, _ in entries]).ravel()
        data = np.column_stack([values for _, values in entries]).ravel()
        starts = np.arange(lower.size + 1) * len(entries)
        rows = sparse.csr_matrix((data, indices, starts), shape=(lower.size, self._perspectives.stop))
        self._model.add_rows(rows, lower, np.full(lower.size, INFINITY))

    def _add_scaled(self, rows: sparse.csr_matrix, lower: Floats, upper: Floats) -> None:
        """lower * scale <= rows @ x <= upper * scale."""
        for bound, is_upper in ((upper, True), (lower, False)):
            some = np.isfinite(bound)
            scaled = sparse.csr_matrix(sparse.hstack([rows[some], sparse.csr_matrix(-bound[some][:, None])]))
            zero, free = np.zeros(int(some.sum())), np.full(int(some.sum()), INFINITY)
            self._model.add_rows(scaled, -free if is_upper else zero, zero if is_upper else free)


def _split(covariance: Floats) -> tuple[Floats, Floats]:
    """G and the diagonal of D, a multiple of what each asset's variance has that the others do not explain."""
    own = np.diagonal(covariance) if _is_singular(covariance) else 1.0 / np.diagonal(np.linalg.inv(covariance))
    deviations = np.sqrt(own)
    sizes, vectors = np.linalg.eigh(covariance / (deviations[:, None] * deviations))
    # A little less than the smallest eigenvalue, so that none is left below zero.
    least = max(float(sizes[0]) * (1.0 - 1e-9) - 1e-15 * float(sizes[-1]), 0.0)
    factors: Floats = (np.sqrt(np.maximum(sizes - least, 0.0)) * vectors).T * deviations
    return factors, least * own


def _largest_scaled(program: Program, value: float) -> tuple[float, Floats]:
    """The largest scale and scaled weights among those with x'Cx no more than a known value (an ellipsoid)."""
    if _is_singular(program.covariance):
        requirement = "of full rank, for the highest Sharpe ratio with limits on holdings"
        raise DomainError("covariance", "a singular matrix", requirement)
    inverse = np.linalg.inv(np.linalg.cholesky(program.covariance))
    slack = 1.0 + 1e-6
    scale = slack * math.sqrt(value) * float(np.linalg.norm(inverse.sum(axis=1))) / abs(program.limits.budget)
    reach = slack * math.sqrt(value) * np.linalg.norm(inverse, axis=0)
    return scale, np.minimum(reach, reach_of(program.limits) * scale)


def _is_singular(covariance: Floats) -> bool:
    deviations = np.sqrt(np.diagonal(covariance))
    sizes = np.linalg.eigvalsh(covariance / (deviations[:, None] * deviations))
    return bool(sizes[0] <= _SINGULAR)
