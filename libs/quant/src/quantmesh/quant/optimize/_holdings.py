"""Limits on the number and the least size of holdings: a weight is zero, or its asset is chosen and it is large enough.

Both take a column of zeros and ones per asset, and a search over them by HiGHS.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from quantmesh.quant._samples import Floats
from quantmesh.quant.errors import Change, InfeasibleError
from quantmesh.quant.optimize._constraints import Constraints, Limits
from quantmesh.quant.optimize._highs import INFINITY, Model, Solution, certain
from quantmesh.quant.optimize._linear_form import linear_form

# A least position that is relaxed to its limit gives way by this much more, relatively, or rounding would break it.
_ROUNDING = 1e-9


class Scale(NamedTuple):
    """A column by which all weights are multiplied, and its largest value."""

    column: int
    largest: float


def add_holdings(
    model: Model, limits: Limits, weights: NDArray[np.intp], reach: Floats, scale: Scale | None = None
) -> slice:
    """Columns that are one where an asset is chosen, once they are required to be integers.

    The `weights` columns are at most `reach` in size, and multiplied by `scale` where there is one.
    """
    count, given = limits.count, limits.given
    chosen = model.add_columns(np.zeros(count), np.zeros(count), np.ones(count))
    choices = np.arange(chosen.start, chosen.stop)
    model.add_rows(_pairs(weights, choices, -reach), np.full(count, -INFINITY), np.zeros(count))
    short = np.flatnonzero(limits.lower < 0.0)
    if short.size:
        model.add_rows(_pairs(weights[short], choices[short], reach[short]), np.zeros(short.size), _free(short.size))
    if given.minimum_position is not None:
        least = np.full(count, given.minimum_position)
        if scale is None:
            model.add_rows(_pairs(weights, choices, -least), np.zeros(count), _free(count))
        else:
            # weight >= least * scale where chosen; where not, the row asks for nothing.
            rows = sparse.lil_matrix(_pairs(weights, choices, -least * scale.largest))
            rows[:, scale.column] = -least[:, None]
            model.add_rows(sparse.csr_matrix(rows), -least * scale.largest, _free(count))
    if given.maximum_holdings is not None:
        total = sparse.csr_matrix((np.ones(count), choices, [0, count]), shape=(1, chosen.stop))
        model.add_rows(total, np.array([-INFINITY]), np.array([float(given.maximum_holdings)]))
    return chosen


def on_chosen(limits: Limits, chosen: NDArray[np.bool_]) -> Limits:
    """The limits once the choice is made: what is not chosen stays at zero."""
    given = limits.given
    least = np.maximum(limits.lower, given.minimum_position or -np.inf)
    return replace(
        limits,
        given=replace(given, maximum_holdings=None, minimum_position=None),
        lower=np.where(chosen, least, 0.0),
        upper=np.where(chosen, limits.upper, 0.0),
    )


def first_choice(limits: Limits, direction: Floats) -> NDArray[np.bool_]:
    """The assets that the least `direction' w` plus costs needs; the limits must be feasible."""
    model, chosen = _model_of(limits)
    costs = linear_form(limits).cost
    costs[: limits.count] += direction
    model.set_cost(slice(0, costs.size), costs / (float(np.abs(costs).max()) or 1.0))
    return certain(model.solve()).values[chosen] > 0.5


def reach_of(limits: Limits) -> Floats:
    """The largest size of each weight: within its bounds, and within what the others must leave of the budget."""
    others = limits.lower.sum() - limits.lower
    reach: Floats = np.maximum(np.minimum(limits.upper, limits.budget - others), -limits.lower).clip(0.0)
    return reach


def require_feasible_holdings(limits: Limits) -> None:
    """For limits that are feasible but for their holdings; raises InfeasibleError."""
    if _search(limits) is not None:
        return
    position, holdings = limits.given.minimum_position, limits.given.maximum_holdings
    relaxed = replace(limits.given, maximum_holdings=None)
    if position is not None and _search(relaxed.limits(limits.count)) is None:
        position = _largest_position(relaxed.limits(limits.count)) * (1.0 - _ROUNDING)
        relaxed = replace(relaxed, minimum_position=position if position > 0.0 else None)
    if holdings is not None:
        holdings = max(holdings, _fewest_holdings(relaxed.limits(limits.count)))
    relaxed = replace(relaxed, maximum_holdings=holdings)
    changes = [
        Change(name, "", float(given), float(new or 0.0))
        for name, given, new in (
            ("maximum_holdings", limits.given.maximum_holdings, holdings),
            ("minimum_position", limits.given.minimum_position, position),
        )
        if given is not None and given != new
    ]
    shortfall = sum(abs(change.relaxed - change.given) for change in changes)
    raise InfeasibleError(_conflicts(limits), shortfall, changes, relaxed)


def _search(limits: Limits, *, has_budget: bool = True) -> Solution | None:
    return _model_of(limits, has_budget=has_budget)[0].solve()


def _model_of(limits: Limits, *, has_budget: bool = True) -> tuple[Model, slice]:
    form = linear_form(limits)
    model = Model()
    model.add_columns(np.zeros(form.cost.size), form.lower, form.upper)
    first = 0 if has_budget else 1
    model.add_rows(form.rows[first:], form.row_lower[first:], form.row_upper[first:])
    chosen = add_holdings(model, limits, np.arange(limits.count), reach_of(limits))
    model.require_integers(chosen)
    return model, chosen


def _fewest_holdings(limits: Limits) -> int:
    model, chosen = _model_of(replace(limits, given=replace(limits.given, maximum_holdings=limits.count)))
    model.set_cost(chosen, np.ones(limits.count))
    return round(certain(model.solve()).objective)


def _largest_position(limits: Limits) -> float:
    """The largest least position with which the limits can be met, whatever the number of holdings."""
    count, most = limits.count, limits.given.minimum_position or 0.0
    model, chosen = _model_of(replace(limits, given=replace(limits.given, minimum_position=None)))
    least = model.add_columns(np.array([-1.0]), np.zeros(1), np.array([most]))
    # weight >= least position where chosen; where not, the row asks for nothing.
    pairs = _pairs(np.arange(count), np.arange(chosen.start, chosen.stop), np.full(count, -most))
    rows = sparse.hstack([pairs, sparse.csr_matrix(np.full((count, 1), -1.0))])
    model.add_rows(sparse.csr_matrix(rows), np.full(count, -most), _free(count))
    return float(certain(model.solve()).values[least.start])


def _conflicts(limits: Limits) -> list[str]:
    """Deletion filter (Chinneck, 2008, section 6.2): what can be left out without making the rest feasible goes."""
    current, has_budget = limits, True
    kept = []
    for label, without in _parts(limits):
        trial = without(current)
        if _search(trial, has_budget=has_budget) is None:
            current = trial
        else:
            kept.append(label)
    if _search(current, has_budget=False) is not None:
        kept.append("budget")
    return kept


def _parts(limits: Limits) -> Iterator[tuple[str, Callable[[Limits], Limits]]]:
    """Each part of the limits, with what takes it away; bounds count together."""

    def without(change: Callable[[Constraints], Constraints]) -> Callable[[Limits], Limits]:
        return lambda now: replace(now, given=change(now.given))

    given = limits.given
    for index, group in enumerate(given.groups):
        for side in ("minimum", "maximum"):
            if getattr(group, side) is not None:
                yield f"group {side} of {group.name}", without(_without_side(index, side))
    if given.maximum_turnover is not None:
        yield "maximum_turnover", without(lambda now: replace(now, maximum_turnover=None))
    if (limits.lower > 0.0).any():
        yield "minimum", lambda now: replace(now, lower=np.minimum(now.lower, 0.0))
    wide = np.full(limits.count, max(1.0, limits.budget - float(np.minimum(limits.lower, 0.0).sum())))
    yield "maximum", lambda now: replace(now, upper=np.maximum(now.upper, wide))
    if given.minimum_position is not None:
        yield "minimum_position", without(lambda now: replace(now, minimum_position=None))
    if given.maximum_holdings is not None:
        yield "maximum_holdings", without(lambda now: replace(now, maximum_holdings=None))


def _without_side(index: int, side: str) -> Callable[[Constraints], Constraints]:
    def change(now: Constraints) -> Constraints:
        groups = list(now.groups)
        one = groups[index]
        groups[index] = replace(one, minimum=None) if side == "minimum" else replace(one, maximum=None)
        return replace(now, groups=tuple(groups))

    return change


def _pairs(first: NDArray[np.intp], second: NDArray[np.intp], factor: Floats) -> sparse.csr_matrix:
    """Rows x[first] + factor x[second]."""
    size = first.size
    indices = np.column_stack([first, second]).ravel()
    data = np.column_stack([np.ones(size), factor]).ravel()
    shape = (size, int(max(first.max(), second.max())) + 1)
    return sparse.csr_matrix((data, indices, np.arange(size + 1) * 2), shape=shape)


def _free(size: int) -> Floats:
    return np.full(size, INFINITY)
