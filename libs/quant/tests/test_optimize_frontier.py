"""The frontier against single optimisations, its two ends, and its shape."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import LinearConstraint, minimize

from quantmesh.quant import optimize
from quantmesh.quant.errors import DomainError
from quantmesh.quant.optimize import Constraints, Group

Floats = NDArray[np.float64]
CURRENT = np.full(8, 0.125)
VARIOUS = {
    "long only": Constraints(),
    "bounds": Constraints(minimum=-0.1, maximum=0.3),
    "groups and trades": Constraints(
        groups=(Group("some", (0, 1, 2), 0.1, 0.4),), current=CURRENT, maximum_turnover=0.9, costs=1e-4
    ),
}


def problem(count: int, seed: int) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(seed)
    factors = rng.normal(size=(count, 3)) * 0.01
    return rng.normal(4e-4, 4e-4, count), factors @ factors.T + np.diag(rng.uniform(5e-5, 5e-4, count))


@pytest.mark.parametrize("name", VARIOUS)
def test_points_rise_evenly_in_return_and_convexly_in_variance_between_the_two_ends(name: str) -> None:
    mean, matrix = problem(8, 1)
    constraints = VARIOUS[name]
    found = optimize.frontier(mean, matrix, constraints, points=9)
    net = np.array([point.expected_return - point.cost for point in found.points if point.expected_return is not None])
    variance = np.array([point.objective for point in found.points])
    np.testing.assert_allclose(net, np.linspace(net[0], net[-1], 9), atol=1e-11)
    assert np.diff(variance).min() > 0
    assert np.diff(variance, 2).min() > -1e-12
    assert all(point.is_feasible for point in found.points)
    assert found.gap < 1e-7
    if constraints.current is None:
        least = optimize.minimum_variance(matrix, constraints)
        np.testing.assert_allclose(found.points[0].weights, least.weights, atol=1e-12)
        assert found.no_change is None
    else:
        assert found.no_change is not None
        assert found.no_change.objective >= found.points[0].objective


def test_a_point_has_the_least_variance_of_its_return_by_another_solver() -> None:
    mean, matrix = problem(6, 2)

    def variance(weights: Floats) -> float:
        return 1e4 * float(weights @ matrix @ weights)

    for point in optimize.frontier(mean, matrix, points=5).points[1:4]:
        assert point.expected_return is not None
        earned = LinearConstraint(1e3 * mean, 1e3 * point.expected_return, np.inf)
        other = minimize(
            variance,
            np.full(6, 1 / 6),
            bounds=[(0, 1)] * 6,
            constraints=[LinearConstraint(np.ones(6), 1, 1), earned],
            options={"ftol": 1e-14, "maxiter": 500},
        )
        assert point.objective == pytest.approx(float(other.fun) / 1e4, rel=1e-6)


def test_the_tangency_portfolio_touches_the_frontier() -> None:
    mean, matrix = problem(20, 3)
    sharpe = optimize.maximum_sharpe(mean, matrix).optimal.objective
    ratios = [point.sharpe for point in optimize.frontier(mean, matrix, points=200).points if point.sharpe is not None]
    assert sharpe * (1 - 1e-3) < max(ratios) <= sharpe * (1 + 1e-12)


def test_assets_that_earn_the_most_alike_share_the_upper_end() -> None:
    found = optimize.frontier([0.1, 0.2, 0.2, 0.15], np.diag([1.0, 2.0, 6.0, 1.0]), points=3)
    np.testing.assert_allclose(found.points[-1].weights, [0.0, 0.75, 0.25, 0.0], atol=1e-12)


def test_equal_returns_leave_one_point() -> None:
    found = optimize.frontier(np.full(3, 0.1), np.diag([1.0, 2.0, 3.0]), points=4)
    for point in found.points:
        np.testing.assert_allclose(point.weights, np.array([6.0, 3.0, 2.0]) / 11, atol=1e-12)


def test_a_covariance_of_low_rank_has_its_frontier_too() -> None:
    rng = np.random.default_rng(4)
    matrix = np.cov(rng.normal(size=(12, 30)) * 0.01, rowvar=False)
    found = optimize.frontier(rng.normal(4e-4, 4e-4, 30), matrix, Constraints(maximum=0.2), points=6)
    assert all(point.is_feasible for point in found.points)
    variance = [point.objective for point in found.points]
    # Some of the first are zero but for rounding.
    assert np.all(np.diff(variance) >= -np.finfo(float).eps * matrix.max())


def test_limits_on_holdings_and_single_points_are_refused() -> None:
    with pytest.raises(DomainError, match="points"):
        optimize.frontier([0.1, 0.2], np.eye(2), points=1)
    with pytest.raises(DomainError, match="maximum_holdings"):
        optimize.frontier([0.1, 0.2], np.eye(2), Constraints(maximum_holdings=1))
