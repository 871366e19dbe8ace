"""Which constraints conflict, and the least relaxation with which they do not (NEW-6).

Conflicts: by Farkas' lemma multipliers prove infeasibility, and the support of a vertex of their polyhedron is all but
an irreducible infeasible subset (Gleeson and Ryan, ORSA Journal on Computing 2, 1990), which a deletion filter makes of
it. Relaxation: each limit but the budget, and minima of zero, may give way (an elastic program: Chinneck, Feasibility
and Infeasibility in Optimization, 2008, chapter 6); the total is least, and spread as evenly as that allows.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from scipy import sparse

from quantmesh.quant._samples import Floats
from quantmesh.quant.errors import Change, InfeasibleError
from quantmesh.quant.optimize._constraints import Constraints, Limits
from quantmesh.quant.optimize._highs import INFINITY, Model, certain
from quantmesh.quant.optimize._holdings import require_feasible_holdings
from quantmesh.quant.optimize._linear_form import LinearObjective

# Multipliers and relaxations below these are rounding; they are relative to sums of weights of about one.
_SUPPORT = 1e-7
_NEGLIGIBLE = 1e-9
# What is relaxed goes beyond the least by this, or its own rounding would leave it infeasible.
_ROUNDING = 1e-12


class SoftLimit(NamedTuple):
    """sign * row' x <= sign * value over columns [weights, purchases, sales]; a maximum has sign 1."""

    constraint: str
    name: str
    position: int  # of the asset or group
    columns: tuple[int, ...]
    sign: float
    value: float


def require_feasible(limits: Limits) -> LinearObjective:
    """Objectives within the limits. Raises InfeasibleError where no weights satisfy them."""
    linear = LinearObjective(limits)
    if not linear.is_feasible():
        soft = _soft_limits(limits)
        relaxations = _least_relaxations(limits, soft)
        changes = [
            (limit, limit.value + limit.sign * (float(amount) + _ROUNDING))
            for limit, amount in zip(soft, relaxations, strict=True)
            if amount > _NEGLIGIBLE
        ]
        raise InfeasibleError(
            conflicts=_conflicts(limits, soft),
            shortfall=float(relaxations.sum()),
            changes=[Change(limit.constraint, limit.name, limit.value, value) for limit, value in changes],
            relaxed=_relaxed(limits, changes),
        )
    if limits.is_discrete:
        require_feasible_holdings(limits)
    return linear


def _soft_limits(limits: Limits) -> list[SoftLimit]:
    count, given = limits.count, limits.given
    found = []
    for index, name in enumerate(limits.names):
        # Who may not sell short is not told to: a minimum of zero does not give way.
        if limits.lower[index] != 0.0:
            found.append(SoftLimit("minimum", name, index, (index,), -1.0, float(limits.lower[index])))
        found.append(SoftLimit("maximum", name, index, (index,), 1.0, float(limits.upper[index])))
    for index, group in enumerate(given.groups):
        if group.minimum is not None:
            found.append(SoftLimit("group minimum", group.name, index, group.members, -1.0, group.minimum))
        if group.maximum is not None:
            found.append(SoftLimit("group maximum", group.name, index, group.members, 1.0, group.maximum))
    if given.maximum_turnover is not None:
        trades = tuple(range(count, 3 * count))
        found.append(SoftLimit("maximum_turnover", "", 0, trades, 1.0, given.maximum_turnover))
    return found


def _soft_rows(soft: list[SoftLimit], columns: int) -> tuple[sparse.csr_matrix, Floats]:
    """The limits as rows @ x <= values."""
    indices = [column for limit in soft for column in limit.columns]
    data = [limit.sign for limit in soft for _ in limit.columns]
    starts = np.concatenate([[0], np.cumsum([len(limit.columns) for limit in soft])])
    rows = sparse.csr_matrix((data, indices, starts), shape=(len(soft), columns))
    return rows, np.array([limit.sign * limit.value for limit in soft])


def _hard_rows(limits: Limits) -> tuple[sparse.csr_matrix, Floats]:
    """rows @ x = values: the budget, and weights = current weights + purchases - sales."""
    count = limits.count
    if limits.current is None:
        return sparse.csr_matrix(np.ones((1, count))), np.array([limits.budget])
    one = sparse.identity(count)
    budget = sparse.csr_matrix(np.concatenate([np.ones(count), np.zeros(2 * count)])[None, :])
    rows = sparse.vstack([budget, sparse.hstack([one, -one, one])])
    return sparse.csr_matrix(rows), np.concatenate([[limits.budget], limits.current])


def _least_of_columns(limits: Limits, columns: int) -> Floats:
    """Zero for trades and for weights with that minimum, none for the others, whose minima are soft."""
    weights = np.where(limits.lower == 0.0, 0.0, -INFINITY)
    return np.concatenate([weights, np.zeros(columns - limits.count)])


def _least_relaxations(limits: Limits, soft: list[SoftLimit]) -> Floats:
    """How far each limit gives way."""
    hard, hard_values = _hard_rows(limits)
    columns, size = hard.shape[1], len(soft)
    rows, values = _soft_rows(soft, columns)
    model = Model()
    model.add_columns(np.zeros(columns), _least_of_columns(limits, columns), np.full(columns, INFINITY))
    elastic = model.add_columns(np.ones(size), np.zeros(size), np.full(size, INFINITY))
    model.add_rows(
        sparse.csr_matrix(sparse.hstack([hard, sparse.csr_matrix((hard_values.size, size))])), hard_values, hard_values
    )
    model.add_rows(sparse.csr_matrix(sparse.hstack([rows, -sparse.identity(size)])), np.full(size, -INFINITY), values)
    total = certain(model.solve()).objective
    # The same total, with the largest relaxation as small as possible.
    model.set_cost(elastic, np.zeros(size))
    largest = model.add_columns(np.ones(1), np.zeros(1), np.full(1, INFINITY))
    at_most = sparse.hstack(
        [sparse.csr_matrix((size, columns)), sparse.identity(size), sparse.csr_matrix(-np.ones((size, 1)))]
    )
    model.add_rows(sparse.csr_matrix(at_most), np.full(size, -INFINITY), np.zeros(size))
    sum_of_all = np.zeros((1, largest.stop))
    sum_of_all[0, elastic] = 1.0
    model.add_rows(sparse.csr_matrix(sum_of_all), np.array([-INFINITY]), np.array([total]))
    return certain(model.solve()).values[elastic]


def _conflicts(limits: Limits, soft: list[SoftLimit]) -> list[str]:
    """From multipliers y >= 0 of the limits and of the budget's two sides, u of the other equalities and v >= 0 of the
    fixed minima of zero: y' rows + u' hard - v = 0, y' values + u' hard values = -1."""
    hard, hard_values = _hard_rows(limits)
    columns, size = hard.shape[1], len(soft)
    rows, values = _soft_rows(soft, columns)
    sides = sparse.vstack([rows, hard[0], -hard[0]])
    model = Model()
    model.add_columns(np.ones(size + 2), np.zeros(size + 2), np.full(size + 2, INFINITY))
    free = np.full(hard_values.size - 1, INFINITY)
    model.add_columns(np.zeros(free.size), -free, free)
    model.add_rows(
        sparse.csr_matrix(sparse.hstack([sides.T, hard[1:].T])),
        np.zeros(columns),
        np.where(_least_of_columns(limits, columns) == 0.0, INFINITY, 0.0),
    )
    right = np.concatenate([values, [limits.budget, -limits.budget], hard_values[1:]])
    model.add_rows(sparse.csr_matrix(right[None, :]), np.array([-1.0]), np.array([-1.0]))
    multipliers = certain(model.solve()).values[: size + 2]
    counts = multipliers > _SUPPORT * float(multipliers.max())
    return _irreducible(limits, [limit for limit, is_part in zip(soft, counts, strict=False) if is_part])


def _irreducible(limits: Limits, infeasible: list[SoftLimit]) -> list[str]:
    """What of an infeasible set, and of the budget, is needed to make it so (deletion filter, Chinneck, section 6.2).

    The support of a vertex is irreducible only together with the fixed minima and trades that it leans on.
    """
    hard, hard_values = _hard_rows(limits)
    rows, values = _soft_rows(infeasible, hard.shape[1])
    free = np.full(values.size, -INFINITY)
    model = Model()
    model.solve_as_it_grows()
    columns = hard.shape[1]
    model.add_columns(np.zeros(columns), _least_of_columns(limits, columns), np.full(columns, INFINITY))
    model.add_rows(rows, free, values)
    model.add_rows(hard, hard_values, hard_values)
    labels = []
    for row, limit in enumerate(infeasible):
        model.set_row(row, -INFINITY, INFINITY)
        if model.solve() is not None:
            model.set_row(row, -INFINITY, values[row])
            labels.append(Change(limit.constraint, limit.name, limit.value, limit.value).label)
    model.set_row(len(infeasible), -INFINITY, INFINITY)
    return labels if model.solve() is None else [*labels, "budget"]


def _relaxed(limits: Limits, changes: list[tuple[SoftLimit, float]]) -> Constraints:
    """The constraints with the new values; what none of them touches stays as it was given."""
    relaxed = limits.given
    lower, upper = limits.lower.copy(), limits.upper.copy()
    groups = list(relaxed.groups)
    for limit, value in changes:
        match limit.constraint:
            case "minimum":
                lower[limit.position] = value
                relaxed = replace(relaxed, minimum=lower)
            case "maximum":
                upper[limit.position] = value
                relaxed = replace(relaxed, maximum=upper)
            case "group minimum":
                groups[limit.position] = replace(groups[limit.position], minimum=value)
            case "group maximum":
                groups[limit.position] = replace(groups[limit.position], maximum=value)
            case "maximum_turnover":
                relaxed = replace(relaxed, maximum_turnover=value)
    return replace(relaxed, groups=tuple(groups))
