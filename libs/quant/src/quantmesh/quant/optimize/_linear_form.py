"""Constraints as rows over columns [weights, purchases, sales], and linear objectives over them."""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from scipy import sparse

from quantmesh.quant._samples import Floats
from quantmesh.quant.optimize._constraints import FEASIBILITY_TOLERANCE, Limits
from quantmesh.quant.optimize._highs import INFINITY, Model, Solution, certain


class LinearForm(NamedTuple):
    """`row_lower <= rows @ x <= row_upper` and `lower <= x <= upper`; `cost` is that of a unit of each column."""

    rows: sparse.csr_matrix
    row_lower: Floats
    row_upper: Floats
    lower: Floats
    upper: Floats
    cost: Floats


def linear_form(limits: Limits) -> LinearForm:
    """Purchases and sales have columns only where something counts them. Limits on holdings are not linear."""
    count, given = limits.count, limits.given
    rows = [np.ones(count)]
    row_lower, row_upper = [limits.budget], [limits.budget]
    for group in given.groups:
        row = np.zeros(count)
        row[list(group.members)] = 1.0
        rows.append(row)
        row_lower.append(-INFINITY if group.minimum is None else group.minimum)
        row_upper.append(INFINITY if group.maximum is None else group.maximum)
    weights = sparse.csr_matrix(np.vstack(rows))
    if not limits.counts_trades:
        empty = np.zeros(count)
        return LinearForm(weights, np.array(row_lower), np.array(row_upper), limits.lower, limits.upper, empty)
    current = np.zeros(count) if limits.current is None else limits.current
    one = sparse.identity(count, format="csr")
    trades = sparse.csr_matrix(np.concatenate([np.zeros(count), np.ones(2 * count)])[None, :])
    matrix = sparse.vstack(
        [
            sparse.hstack([weights, sparse.csr_matrix((weights.shape[0], 2 * count))]),
            sparse.hstack([one, -one, one]),
            trades,
        ],
        format="csr",
    )
    turnover = INFINITY if given.maximum_turnover is None else given.maximum_turnover
    return LinearForm(
        rows=sparse.csr_matrix(matrix),
        row_lower=np.concatenate([row_lower, current, [-INFINITY]]),
        row_upper=np.concatenate([row_upper, current, [turnover]]),
        lower=np.concatenate([limits.lower, np.zeros(2 * count)]),
        upper=np.concatenate([limits.upper, np.full(2 * count, INFINITY)]),
        cost=np.concatenate([np.zeros(count), limits.costs, limits.costs]),
    )


def bounded_rows(limits: Limits) -> tuple[sparse.csr_matrix, Floats, Floats, Floats]:
    """The limits with the bounds on columns as rows too, and the costs of the columns."""
    form = linear_form(limits)
    identity = sparse.identity(form.lower.size, format="csr")
    rows = sparse.csr_matrix(sparse.vstack([form.rows, identity]))
    lower, upper = np.concatenate([form.row_lower, form.lower]), np.concatenate([form.row_upper, form.upper])
    return rows, lower, upper, form.cost.copy()


@dataclass(eq=False)
class LinearObjective:
    """The least of `direction' w` plus costs within limits, for one direction after the other.

    Limits on holdings are left out: what is found is a bound for them too.
    """

    limits: Limits

    def least(self, direction: Floats) -> tuple[Floats, float]:
        """The weights of the least objective, and that objective; the limits must be feasible."""
        if self.limits.is_box:
            weights = fill(self.limits, np.argsort(direction, kind="stable"))
            return weights, float(direction @ weights)
        solution = certain(self._solve(direction))
        return solution.values[: self.limits.count], solution.objective

    def is_feasible(self) -> bool:
        limits = self.limits
        if limits.is_box:
            size = FEASIBILITY_TOLERANCE * max(1.0, abs(limits.budget))
            reachable = limits.lower.sum() - size <= limits.budget <= limits.upper.sum() + size
            return bool(reachable and np.all(limits.lower <= limits.upper))
        return self._solve(np.zeros(limits.count)) is not None

    def _solve(self, direction: Floats) -> Solution | None:
        model, form = self._model
        cost = form.cost.copy()
        cost[: direction.size] += direction
        # In units of its own size, which the solver's absolute tolerances are made for.
        scale = float(np.abs(cost).max()) or 1.0
        model.set_cost(slice(0, cost.size), cost / scale)
        solution = model.solve()
        return None if solution is None else solution._replace(objective=solution.objective * scale)

    @cached_property
    def _model(self) -> tuple[Model, LinearForm]:
        form = linear_form(self.limits)
        model = Model()
        model.add_columns(form.cost, form.lower, form.upper)
        model.add_rows(form.rows, form.row_lower, form.row_upper)
        return model, form


def fill(limits: Limits, order: np.ndarray[tuple[int], np.dtype[np.intp]]) -> Floats:
    """Every weight at its minimum, and the rest of the budget given to the assets in `order` up to their maxima."""
    room = (limits.upper - limits.lower)[order]
    before = np.concatenate([[0.0], np.cumsum(room)[:-1]])
    weights = limits.lower.copy()
    left = limits.budget - float(limits.lower.sum())
    added = np.clip(left - before, 0.0, room)
    # What fills an asset takes it to its maximum to the last bit, so that it counts as reached.
    weights[order] = np.where(added >= room, limits.upper[order], limits.lower[order] + added)
    return weights
