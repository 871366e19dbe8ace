"""Minimum variance, mean-variance and maximum Sharpe against closed forms, cvxpy, and the conditions of optimality."""

from dataclasses import replace
from importlib import import_module
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from quantmesh.quant import optimize
from quantmesh.quant.errors import DomainError
from quantmesh.quant.optimize import Constraints, Group, Optimum

Floats = NDArray[np.float64]
# It exports by stars, which the type checker does not follow.
cvxpy: Any = import_module("cvxpy")


def problem(count: int, seed: int, observations: int | None = None) -> tuple[Floats, Floats]:
    """An expected return and a covariance of daily size; of low rank where there are few observations."""
    rng = np.random.default_rng(seed)
    factors = rng.normal(size=(count, 3)) * 0.01
    matrix = factors @ factors.T + np.diag(rng.uniform(5e-5, 5e-4, count))
    if observations is not None:
        matrix = np.cov(rng.normal(size=(observations, count)) @ np.linalg.cholesky(matrix).T, rowvar=False)
    return np.append(rng.normal(4e-4, 4e-4, count - 1), 1e-3), matrix


def oracle(matrix: Floats, mean: Floats, aversion: float, constraints: Constraints) -> float:
    """The least aversion w'Cw / 2 - m'w + costs by cvxpy."""
    weights = cvxpy.Variable(mean.size)
    sizes, vectors = np.linalg.eigh(matrix)
    root = np.sqrt(sizes.clip(0.0))[:, None] * vectors.T * 100.0
    objective = aversion / 2e4 * cvxpy.sum_squares(root @ weights) - mean @ weights
    rows = [cvxpy.sum(weights) == constraints.budget, weights >= constraints.minimum, weights <= constraints.maximum]
    for group in constraints.groups:
        total = cvxpy.sum(weights[list(group.members)])
        rows += [] if group.minimum is None else [total >= group.minimum]
        rows += [] if group.maximum is None else [total <= group.maximum]
    if constraints.current is not None:
        trades = cvxpy.abs(weights - constraints.current)
        objective = objective + np.broadcast_to(constraints.costs, mean.size) @ trades
        if constraints.maximum_turnover is not None:
            rows.append(cvxpy.sum(trades) <= constraints.maximum_turnover)
    program = cvxpy.Problem(cvxpy.Minimize(objective * 1e4), rows)
    program.solve(solver=cvxpy.CLARABEL, tol_gap_abs=1e-11, tol_gap_rel=1e-11, tol_feas=1e-11)
    return float(program.value) / 1e4


CURRENT = np.array([0.3, 0.0, 0.2, 0.1, 0.0, 0.4, 0.0, 0.0])
VARIOUS = {
    "long only": Constraints(),
    "bounds": Constraints(minimum=-0.1, maximum=[0.2, 0.3, 0.2, 0.1, 0.5, 0.4, 0.2, 0.2]),
    "another budget": Constraints(minimum=-0.5, maximum=0.5, budget=0.3),
    "groups": Constraints(groups=(Group("first", (0, 1, 2), 0.2, 0.3), Group("last", (5, 6, 7), minimum=0.5))),
    "turnover": Constraints(current=CURRENT, maximum_turnover=0.4),
    "costs": Constraints(current=CURRENT, costs=np.linspace(1e-5, 1e-3, 8)),
    "all": Constraints(
        maximum=0.4, groups=(Group("first", (0, 1, 2), 0.3),), current=CURRENT, maximum_turnover=0.9, costs=1e-4
    ),
}


def test_minimum_variance_without_binding_bounds_has_the_closed_form() -> None:
    _, matrix = problem(6, 1)
    inverse = np.linalg.solve(matrix, np.ones(6))
    answer = optimize.minimum_variance(matrix, Constraints(minimum=-10.0, maximum=10.0))
    np.testing.assert_allclose(answer.weights, inverse / inverse.sum(), atol=1e-12)


def test_maximum_sharpe_without_binding_bounds_is_the_tangency_portfolio() -> None:
    mean, matrix = problem(5, 3)
    tangency = np.linalg.solve(matrix, mean - 1e-5)
    assert tangency.sum() > 0
    answer = optimize.maximum_sharpe(mean, matrix, Constraints(minimum=-50.0, maximum=50.0), risk_free_rate=1e-5)
    np.testing.assert_allclose(answer.weights, tangency / tangency.sum(), atol=1e-10)


def test_mean_variance_without_binding_bounds_has_the_closed_form() -> None:
    mean, matrix = problem(5, 4)
    answer = optimize.mean_variance(mean, matrix, Constraints(minimum=-99.0, maximum=99.0), risk_aversion=3.0)
    inverse, tilted = np.linalg.solve(matrix, np.ones(5)), np.linalg.solve(matrix, mean) / 3.0
    expected = tilted + (1.0 - tilted.sum()) * inverse / inverse.sum()
    np.testing.assert_allclose(answer.weights, expected, rtol=1e-9)


@pytest.mark.parametrize("name", VARIOUS)
@pytest.mark.parametrize("observations", [None, 60, 5])
def test_least_utility_is_that_of_another_solver_under_all_kinds_of_constraints(
    name: str, observations: int | None
) -> None:
    mean, matrix = problem(8, 7, observations)
    constraints = VARIOUS[name]
    for answer, expected in (
        (optimize.minimum_variance(matrix, constraints), oracle(matrix, 0.0 * mean, 2.0, constraints)),
        (
            optimize.mean_variance(mean, matrix, constraints, risk_aversion=4.0),
            oracle(matrix, mean, 4.0, constraints),
        ),
    ):
        assert answer.optimal.objective == pytest.approx(expected, rel=1e-6, abs=1e-10)
        assert answer.optimal.is_feasible
        assert answer.bound is not None
        # Five observations leave the variance at zero, where nothing is relative to it.
        rounding = 1e-9 * float(np.diagonal(matrix).mean())
        assert -rounding <= answer.optimal.objective - answer.bound <= 1e-7 * abs(answer.bound) + rounding


@pytest.mark.parametrize("name", VARIOUS)
def test_no_mean_variance_portfolio_beats_the_maximum_sharpe_ratio(name: str) -> None:
    """The highest ratio is that of some mean-variance optimum; a search over risk aversions by cvxpy finds it."""
    mean, matrix = problem(8, 7)
    constraints = VARIOUS[name]
    answer = optimize.maximum_sharpe(mean, matrix, constraints, risk_free_rate=1e-5)
    net = float((mean - 1e-5) @ answer.weights) - answer.optimal.cost
    variance = float(answer.weights @ matrix @ answer.weights)
    assert answer.optimal.objective == pytest.approx(net / variance**0.5, rel=1e-12)
    # At the optimum m / variance is the risk aversion that leads to it (first-order condition).
    aversion = net / variance
    least = oracle(matrix, mean - 1e-5, aversion, constraints)
    assert 0.5 * aversion * variance - net == pytest.approx(least, rel=1e-7)
    assert answer.gap is not None
    assert answer.gap < 1e-8


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 40), st.integers(0, 10_000), st.floats(0.0, 1.0), st.sampled_from([None, 60]))
def test_long_only_answers_meet_the_conditions_of_optimality(
    count: int, seed: int, tightness: float, observations: int | None
) -> None:
    mean, matrix = problem(count, seed, observations)
    cap = 1.0 - tightness * (1.0 - 1.0 / count) * 0.9
    constraints = Constraints(maximum=cap)
    best = optimize.maximum_sharpe(mean, matrix, constraints)
    ratio = float(best.weights @ matrix @ best.weights) / float(mean @ best.weights)
    cases = (
        (optimize.minimum_variance(matrix, constraints).weights, 0.0 * mean),
        (optimize.mean_variance(mean, matrix, constraints, risk_aversion=5.0).weights, mean / 5.0),
        (best.weights, mean * ratio),
    )
    for weights, pull in cases:
        assert weights.sum() == pytest.approx(1.0, abs=1e-14)
        assert weights.min() >= 0.0
        assert weights.max() <= cap
        # No two assets can be exchanged to the better: who may still give has the lower marginal objective.
        marginal = matrix @ weights - pull
        can_give, can_take = marginal[weights > 0.0], marginal[weights < cap]
        if can_give.size and can_take.size:
            scale = float(np.abs(matrix @ weights).max() + np.abs(pull).max())
            assert can_give.max() <= can_take.min() + 1e-8 * scale


def answers(mean: Floats, matrix: Floats, constraints: Constraints) -> tuple[Optimum, ...]:
    return (
        optimize.minimum_variance(matrix, constraints),
        optimize.mean_variance(mean, matrix, constraints, risk_aversion=4.0),
        optimize.maximum_sharpe(mean, matrix, constraints),
    )


@pytest.mark.parametrize("name", ["long only", "bounds", "all"])
def test_the_order_of_the_assets_does_not_matter(name: str) -> None:
    mean, matrix = problem(8, 11)
    order = np.random.default_rng(1).permutation(8)
    place = np.argsort(order)
    given_ = VARIOUS[name]
    shuffled = replace(
        given_,
        maximum=np.broadcast_to(given_.maximum, 8)[order],
        current=None if given_.current is None else CURRENT[order],
        groups=tuple(replace(group, members=tuple(int(place[i]) for i in group.members)) for group in given_.groups),
    )
    pairs = zip(
        answers(mean, matrix, given_), answers(mean[order], matrix[np.ix_(order, order)], shuffled), strict=True
    )
    for straight, mixed in pairs:
        np.testing.assert_allclose(mixed.weights, straight.weights[order], atol=1e-6)


def test_the_period_of_the_inputs_does_not_matter_to_weights_without_a_given_aversion() -> None:
    mean, matrix = problem(30, 12)
    daily, yearly = answers(mean, matrix, Constraints()), answers(252 * mean, 252 * matrix, Constraints())
    for one, other in ((daily[0], yearly[0]), (daily[2], yearly[2])):
        np.testing.assert_allclose(one.weights, other.weights, atol=1e-12)
    assert daily[2].optimal.sharpe is not None
    assert yearly[2].optimal.sharpe == pytest.approx(daily[2].optimal.sharpe * 252**0.5, rel=1e-12)


def test_each_answer_stands_beside_equal_weights_and_no_change_on_its_own_objective() -> None:
    mean, matrix = problem(8, 13)
    constraints = Constraints(current=CURRENT)
    least, utility, sharpe = answers(mean, matrix, constraints)
    equal = np.full(8, 0.125)
    for answer, sign in ((least, 1.0), (utility, 1.0), (sharpe, -1.0)):
        assert answer.no_change is not None
        np.testing.assert_array_equal(answer.equal_weight.weights, equal)
        np.testing.assert_array_equal(answer.no_change.weights, CURRENT)
        for companion in (answer.equal_weight, answer.no_change):
            assert companion.is_feasible
            assert sign * answer.optimal.objective < sign * companion.objective
    assert least.equal_weight.objective == pytest.approx(equal @ matrix @ equal)
    assert sharpe.equal_weight.expected_return == pytest.approx(equal @ mean)
    assert sharpe.equal_weight.volatility == pytest.approx((equal @ matrix @ equal) ** 0.5)
    assert sharpe.equal_weight.objective == pytest.approx(sharpe.equal_weight.sharpe)
    assert least.optimal.expected_return is None
    assert least.optimal.sharpe is None


def test_costs_hold_back_trades_until_nothing_changes() -> None:
    mean, matrix = problem(8, 14)
    traded = [
        float(np.abs(answer.weights - CURRENT).sum())
        for cost in (0.0, 1e-4, 1e-3, 1.0)
        for answer in [
            optimize.mean_variance(mean, matrix, Constraints(current=CURRENT, costs=cost), risk_aversion=4.0)
        ]
    ]
    assert traded == sorted(traded, reverse=True)
    assert traded[0] > 0.1
    assert traded[-1] == pytest.approx(0.0, abs=1e-8)


def test_five_hundred_assets_are_certain_to_ten_digits() -> None:
    mean, matrix = problem(500, 15)
    for constraints in (Constraints(), Constraints(maximum=0.01)):
        for answer in answers(mean, matrix, constraints):
            assert answer.solver == "exchange"
            assert answer.gap is not None
            assert answer.gap < 1e-10


def test_the_layout_of_the_inputs_in_memory_does_not_matter() -> None:
    mean, matrix = problem(8, 16)
    wide = np.repeat(matrix, 2, axis=1)[:, ::2]
    strided = {name: np.repeat(value, 2)[::2] for name, value in (("current", CURRENT), ("upper", np.full(8, 0.4)))}
    for layout in (np.asfortranarray(matrix), wide, matrix.tolist()):
        found = answers(
            np.repeat(mean, 2)[::2], layout, Constraints(maximum=strided["upper"], current=strided["current"])
        )
        for one, other in zip(found, answers(mean, matrix, Constraints(maximum=0.4)), strict=True):
            np.testing.assert_allclose(one.weights, other.weights, atol=1e-14)
    for run in (optimize.risk_parity, optimize.hierarchical_risk_parity):
        np.testing.assert_allclose(run(wide).weights, run(matrix).weights, atol=1e-14)


def test_nothing_earns_more_than_too_high_a_rate() -> None:
    mean, matrix = problem(4, 0)
    with pytest.raises(DomainError, match=r"risk_free_rate must be below 0\.001"):
        optimize.maximum_sharpe(mean, matrix, risk_free_rate=float(mean.max()) + 1e-9)


def test_a_sharpe_ratio_without_variance_is_refused() -> None:
    factors = np.array([[1.0, 0.5], [0.2, 1.0], [0.3, -1.0]])
    with pytest.raises(DomainError, match="full rank"):
        optimize.maximum_sharpe([0.1, 0.2, 0.3], factors @ factors.T, Constraints(minimum=-9.0, maximum=9.0))
