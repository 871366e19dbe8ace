"""Infeasible constraints: the conflict is irreducible, and the relaxation is the least that passes (NEW-6)."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from quantmesh.quant import optimize
from quantmesh.quant.errors import InfeasibleError
from quantmesh.quant.optimize import Constraints, Group

Floats = NDArray[np.float64]
NAMES = ("AAPL", "JPM", "XOM", "MSFT", "BAC", "CVX")
TECHNOLOGY, BANKS, ENERGY = (0, 3), (1, 4), (2, 5)
MATRIX = np.diag([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])

CASES = {
    "maxima too small": (
        Constraints(maximum=0.1, names=NAMES),
        {*(f"maximum of {name}" for name in NAMES), "budget"},
        0.4,
    ),
    "minima too large": (
        Constraints(minimum=[0.5, 0.4, 0.3, 0.0, 0.0, 0.0], names=NAMES),
        {"minimum of AAPL", "minimum of JPM", "minimum of XOM", "budget"},
        0.2,
    ),
    "a minimum above its maximum": (
        Constraints(minimum=[0.3, 0, 0, 0, 0, 0], maximum=[0.2, 1, 1, 1, 1, 1], names=NAMES),
        {"minimum of AAPL", "maximum of AAPL"},
        0.1,
    ),
    "groups that ask for more than there is": (
        Constraints(
            groups=(Group("tech", TECHNOLOGY, 0.7), Group("banks", BANKS, maximum=0.3), Group("energy", ENERGY, 0.4))
        ),
        {"group minimum of tech", "group minimum of energy", "budget"},
        0.1,
    ),
    "a group whose assets may hold too little": (
        Constraints(maximum=0.3, groups=(Group("tech", TECHNOLOGY, 0.7),), names=NAMES),
        {"maximum of AAPL", "maximum of MSFT", "group minimum of tech"},
        0.1,
    ),
    "turnover too small for a group": (
        Constraints(current=np.full(6, 1 / 6), maximum_turnover=0.2, groups=(Group("tech", TECHNOLOGY, 0.7),)),
        # Even purchases alone would not get there. A unit of the minimum takes two of turnover, purchases with the
        # sales that pay for them, so that the minimum gives way.
        {"maximum_turnover", "group minimum of tech"},
        0.7 - 1 / 3 - 0.1,
    ),
}


def caught(constraints: Constraints) -> InfeasibleError:
    with pytest.raises(InfeasibleError) as info:
        optimize.minimum_variance(MATRIX, constraints)
    return info.value


@pytest.mark.parametrize("name", CASES)
def test_the_conflict_and_the_least_relaxation_are_told(name: str) -> None:
    constraints, conflicts, shortfall = CASES[name]
    error = caught(constraints)
    assert set(error.conflicts) == conflicts
    assert error.shortfall == pytest.approx(shortfall, abs=1e-9)
    assert sum(abs(change.relaxed - change.given) for change in error.changes) == pytest.approx(shortfall, abs=1e-9)
    assert all(conflict in str(error) for conflict in conflicts)


@pytest.mark.parametrize("name", CASES)
def test_the_relaxed_constraints_pass_as_they_are(name: str) -> None:
    error = caught(CASES[name][0])
    answer = optimize.minimum_variance(MATRIX, error.relaxed)
    assert answer.optimal.is_feasible
    for objective in (
        optimize.maximum_sharpe(np.arange(1.0, 7.0), MATRIX, error.relaxed),
        optimize.minimum_cvar(np.random.default_rng(1).normal(size=(30, 6)), error.relaxed),
    ):
        assert objective.optimal.is_feasible


@pytest.mark.parametrize("name", CASES)
def test_less_than_the_relaxation_is_not_enough(name: str) -> None:
    constraints, _, shortfall = CASES[name]
    relaxed = caught(constraints).relaxed
    part = 1.0 - 1e-6 / shortfall

    def between(old: object, new: object) -> Floats:
        start, end = np.broadcast_to(np.asarray(old, float), 6), np.broadcast_to(np.asarray(new, float), 6)
        between_them: Floats = start + part * (end - start)
        return between_them

    def of_group(old: Group, new: Group) -> Group:
        minimum, maximum = (
            None if first is None or second is None else first + part * (second - first)
            for first, second in ((old.minimum, new.minimum), (old.maximum, new.maximum))
        )
        return replace(old, minimum=minimum, maximum=maximum)

    almost = replace(
        constraints,
        minimum=between(constraints.minimum, relaxed.minimum),
        maximum=between(constraints.maximum, relaxed.maximum),
        groups=tuple(of_group(old, new) for old, new in zip(constraints.groups, relaxed.groups, strict=True)),
    )
    assert caught(almost).shortfall == pytest.approx(1e-6, rel=1e-3)


@pytest.mark.parametrize("name", CASES)
def test_without_any_one_of_the_conflict_the_others_can_be_satisfied(name: str) -> None:
    constraints, conflicts, _ = CASES[name]
    for left_out in conflicts:
        kept = only(constraints, conflicts - {left_out})
        budgets = [constraints.budget] if left_out != "budget" else np.linspace(0.0, 3.0, 61).tolist()
        assert any(is_feasible(replace(kept, budget=budget)) for budget in budgets), left_out


def only(constraints: Constraints, labels: set[str]) -> Constraints:
    """The constraints with nothing but these labels and zero for a minimum; all else is as wide as it can be."""
    lower, upper = np.zeros(6), np.full(6, 9.0)
    for index, name in enumerate(NAMES):
        if f"minimum of {name}" in labels:
            lower[index] = np.broadcast_to(np.asarray(constraints.minimum, float), 6)[index]
        if f"maximum of {name}" in labels:
            upper[index] = np.broadcast_to(np.asarray(constraints.maximum, float), 6)[index]
    groups = tuple(
        replace(
            group,
            minimum=group.minimum if f"group minimum of {group.name}" in labels else None,
            maximum=group.maximum if f"group maximum of {group.name}" in labels else None,
        )
        for group in constraints.groups
    )
    turnover = constraints.maximum_turnover if "maximum_turnover" in labels else None
    return replace(constraints, minimum=lower, maximum=upper, groups=groups, maximum_turnover=turnover)


def is_feasible(constraints: Constraints) -> bool:
    try:
        optimize.minimum_variance(MATRIX, constraints)
    except InfeasibleError:
        return False
    return True


def test_the_relaxation_is_spread_evenly() -> None:
    error = caught(Constraints(maximum=[0.1, 0.1, 0.1, 0.2, 0.2, 0.1], names=NAMES))
    assert error.relaxation == pytest.approx(
        {
            f"maximum of {name}": limit + 0.2 / 6
            for name, limit in zip(NAMES, [0.1, 0.1, 0.1, 0.2, 0.2, 0.1], strict=True)
        }
    )


def test_a_long_conflict_is_told_in_short_and_kept_whole() -> None:
    with pytest.raises(InfeasibleError, match="maximum of asset 7 and 493 more together") as info:
        optimize.minimum_variance(np.eye(500), Constraints(maximum=0.001))
    assert len(info.value.conflicts) == 501
    assert info.value.shortfall == pytest.approx(0.5)


HOLDINGS = {
    "too few holdings for their maximum": (
        Constraints(maximum=0.3, maximum_holdings=2),
        {"maximum", "maximum_holdings", "budget"},
        {"maximum_holdings": 4.0},
    ),
    "a position larger than shares of the budget can be": (
        Constraints(maximum=0.4, minimum_position=0.35),
        {"maximum", "minimum_position", "budget"},
        {"minimum_position": 1 / 3},
    ),
    "fewer holdings than groups": (
        Constraints(maximum_holdings=2, groups=tuple(Group(str(i), (i, i + 3), 0.2) for i in range(3))),
        {"group minimum of 0", "group minimum of 1", "group minimum of 2", "maximum_holdings"},
        {"maximum_holdings": 3.0},
    ),
    "fewer holdings than must be held": (
        Constraints(minimum=[0.1, 0.1, 0.1, 0.0, 0.0, 0.0], maximum_holdings=2),
        {"minimum", "maximum_holdings"},
        {"maximum_holdings": 3.0},
    ),
    "both": (
        Constraints(maximum=0.45, maximum_holdings=2, minimum_position=0.4),
        {"maximum", "maximum_holdings", "budget"},
        {"maximum_holdings": 3.0, "minimum_position": 1 / 3},
    ),
}


@pytest.mark.parametrize("name", HOLDINGS)
def test_conflicts_with_limits_on_holdings_are_told_and_relaxed(name: str) -> None:
    constraints, conflicts, relaxation = HOLDINGS[name]
    error = caught(constraints)
    assert set(error.conflicts) == conflicts
    assert error.relaxation == pytest.approx(relaxation, rel=1e-6)
    assert optimize.minimum_variance(MATRIX, error.relaxed).optimal.is_feasible
    if set(relaxation) == {"maximum_holdings"}:
        caught(replace(error.relaxed, maximum_holdings=int(relaxation["maximum_holdings"]) - 1))
    elif set(relaxation) == {"minimum_position"}:
        caught(replace(error.relaxed, minimum_position=relaxation["minimum_position"] * 1.001))
