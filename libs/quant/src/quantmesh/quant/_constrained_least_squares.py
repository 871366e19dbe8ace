"""Least squares under many smooth inequalities, by sequential quadratic programs of Gauss and Newton in a trust region.

Each step minimises the linearised problem exactly (Clarabel's interior point), with one slack on all inequalities whose
price is far above their multipliers (Fletcher, "Practical Methods of Optimization", on exact penalties). Of the
inequalities only those enter a program that its step would break without them.
"""

from typing import NamedTuple, Protocol

import numpy as np

from quantmesh.quant._arguments import Floats

_SLACK_PRICE = 1e6
# Of the trust region, in units of the parameters' scale.
_FIRST_REGION = 0.25
_SMALLEST_REGION = 1e-9
_NEGLIGIBLE_VIOLATION = 1e-5
_NEGLIGIBLE_EXCESS = 1e-7
_MOST_IDLE = 3


class Problem(Protocol):
    """Minimise the sum of squares where every inequality is at least 0.

    `scale` is what a parameter is of the order of, `low` and `high` are its bounds.
    """

    @property
    def scale(self) -> Floats: ...

    @property
    def low(self) -> Floats: ...

    @property
    def high(self) -> Floats: ...

    def residuals(self, x: Floats) -> Floats: ...

    def residual_jacobian(self, x: Floats) -> Floats: ...

    def inequalities(self, x: Floats) -> Floats: ...

    def inequality_jacobian(self, x: Floats) -> Floats: ...


class Minimum(NamedTuple):
    x: Floats
    violation: float
    iterations: int


def minimize(problem: Problem, start: Floats, *, most_iterations: int = 60, tolerance: float = 3e-5) -> Minimum:
    """Ends where steps promise or gain less than `tolerance` of the sum of squares."""
    here = _Point.at(problem, np.clip(start, problem.low, problem.high))
    region, price, idle, iterations = _FIRST_REGION, 0.0, 0, 0
    while iterations < most_iterations and idle < _MOST_IDLE and region > _SMALLEST_REGION:
        iterations += 1
        linear = _Linear.of(problem, here)
        step, multipliers = linear.step(problem, here, here.inequalities, region)
        # Violations count for more than the multipliers say, lest they pay, but for little more, lest the path along
        # a curved edge becomes a crawl; and one that matters is never too small a gain to go on for.
        price = max(price, 2.0 * multipliers, tolerance * here.value / _NEGLIGIBLE_VIOLATION)
        promised = here.merit(price) - linear.after(here, step).merit(price)
        if promised <= tolerance * here.value:
            break
        there = _Point.at(problem, here.x + step)
        if here.merit(price) - there.merit(price) < 0.25 * promised and there.violation > 0.0:
            # A second-order correction: what bends is put right by its values at the step's end.
            bent = there.inequalities - linear.inequality_rows @ step
            corrected, _ = linear.step(problem, here, bent, region)
            elsewhere = _Point.at(problem, here.x + corrected)
            if elsewhere.merit(price) < there.merit(price):
                step, there = corrected, elsewhere
        gained = here.merit(price) - there.merit(price)
        idle = idle + 1 if gained < tolerance * here.value else 0
        if gained < 0.25 * promised:
            region = 0.3 * min(region, float(np.abs(step / problem.scale).max()))
        elif gained > 0.75 * promised:
            region = 2.0 * region
        if gained > 0.0:
            here = there
    return Minimum(here.x, here.violation, iterations)


class _Point(NamedTuple):
    x: Floats
    residuals: Floats
    inequalities: Floats

    @classmethod
    def at(cls, problem: Problem, x: Floats) -> "_Point":
        x = np.clip(x, problem.low, problem.high)
        return cls(x, problem.residuals(x), problem.inequalities(x))

    @property
    def value(self) -> float:
        return float(self.residuals @ self.residuals)

    @property
    def violation(self) -> float:
        return max(0.0, -float(self.inequalities.min(initial=0.0)))

    def merit(self, price: float) -> float:
        return self.value + price * self.violation


class _Linear(NamedTuple):
    """The problem's derivatives at a point."""

    residual_rows: Floats
    inequality_rows: Floats

    @classmethod
    def of(cls, problem: Problem, here: _Point) -> "_Linear":
        return cls(problem.residual_jacobian(here.x), problem.inequality_jacobian(here.x))

    def after(self, here: _Point, step: Floats) -> _Point:
        return _Point(
            here.x + step, here.residuals + self.residual_rows @ step, here.inequalities + self.inequality_rows @ step
        )

    def step(self, problem: Problem, here: _Point, values: Floats, region: float) -> tuple[Floats, float]:
        """The best within the region where inequalities of these values are linear, and the sum of their multipliers.

        Zero where the solver fails.
        """
        count = here.x.size
        jacobian = self.residual_rows * problem.scale
        rows = self.inequality_rows * problem.scale
        near = values - region * np.abs(rows).sum(1) < 0.0
        rows, values = rows[near], values[near]
        hessian = np.zeros((count + 1, count + 1))
        hessian[:count, :count] = jacobian.T @ jacobian
        # What no quote determines stays where it is.
        hessian[np.diag_indices(count)] += 1e-9 * max(float(np.trace(hessian)) / count, 1e-300)
        gradient = np.append(jacobian.T @ here.residuals, 0.5 * _SLACK_PRICE)
        low = np.maximum((problem.low - here.x) / problem.scale, -region)
        high = np.minimum((problem.high - here.x) / problem.scale, region)
        # Few inequalities hold a step back: those that it would break are let in until it breaks none.
        chosen = np.zeros(len(rows), np.bool_)
        while True:
            step, slack, multipliers = _solve_program(hessian, gradient, rows[chosen], values[chosen], low, high)
            broken = (values + rows @ step + slack < -_NEGLIGIBLE_EXCESS) & ~chosen
            if not broken.any():
                return step * problem.scale, multipliers
            chosen |= broken


def _solve_program(
    hessian: Floats, gradient: Floats, rows: Floats, values: Floats, low: Floats, high: Floats
) -> tuple[Floats, float, float]:
    """The step, the slack on all inequalities, and the sum of their multipliers, for the whole sum of squares."""
    # Both take a while to import: on first use.
    import clarabel
    from scipy import sparse

    count = low.size
    identity = np.eye(count + 1)
    matrix = np.vstack([-np.column_stack([rows, np.ones(len(rows))]), identity[:count], -identity])
    bounds = np.concatenate([values, high, -low, [0.0]])
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    settings.max_threads = 1
    solver = clarabel.DefaultSolver(
        sparse.csc_matrix(np.triu(hessian)),
        gradient,
        sparse.csc_matrix(matrix),
        bounds,
        [clarabel.NonnegativeConeT(len(bounds))],
        settings,
    )
    solution = solver.solve()
    if solution.status not in {clarabel.SolverStatus.Solved, clarabel.SolverStatus.AlmostSolved}:
        return np.zeros(count), np.inf, 0.0
    step, slack = np.array(solution.x[:count]), max(0.0, float(solution.x[count]))
    # The program minimises half of the squares.
    return np.clip(step, low, high), slack, 2.0 * float(np.sum(solution.z[: len(rows)]))
