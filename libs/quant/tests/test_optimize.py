"""Weights against closed forms, another solver, and the conditions of optimality."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import LinearConstraint, minimize

from quantmesh.quant import optimize
from quantmesh.quant.errors import DomainError, InfeasibleError

Floats = NDArray[np.float64]


def problem(count: int, seed: int) -> tuple[Floats, Floats]:
    """An expected return and a covariance of daily size."""
    rng = np.random.default_rng(seed)
    factors = rng.normal(size=(count, 3)) * 0.01
    matrix = factors @ factors.T + np.diag(rng.uniform(5e-5, 5e-4, count))
    return rng.normal(4e-4, 4e-4, count), matrix


def test_minimum_variance_without_binding_bounds_has_the_closed_form() -> None:
    _, matrix = problem(6, 1)
    inverse = np.linalg.solve(matrix, np.ones(6))
    answer = optimize.minimum_variance(matrix, minimum=-10.0, maximum=10.0)
    np.testing.assert_allclose(answer.weights, inverse / inverse.sum(), atol=1e-8)


def test_maximum_sharpe_without_binding_bounds_is_the_tangency_portfolio() -> None:
    mean, matrix = problem(5, 3)
    tangency = np.linalg.solve(matrix, mean - 1e-5)
    assert tangency.sum() > 0
    answer = optimize.maximum_sharpe(mean, matrix, risk_free_rate=1e-5, minimum=-50.0, maximum=50.0)
    np.testing.assert_allclose(answer.weights, tangency / tangency.sum(), atol=1e-6)


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 25), st.integers(0, 10_000), st.floats(0.0, 1.0))
def test_minimum_variance_meets_the_conditions_of_optimality(count: int, seed: int, tightness: float) -> None:
    _, matrix = problem(count, seed)
    cap = 1.0 - tightness * (1.0 - 1.0 / count) * 0.9
    weights = optimize.minimum_variance(matrix, maximum=cap).weights
    assert weights.sum() == pytest.approx(1.0, abs=1e-12)
    assert weights.min() >= 0.0
    assert weights.max() <= cap
    # No two assets can be exchanged to the better: who may still give has the lower marginal variance.
    marginal = matrix @ weights
    scale = marginal.max()
    can_give, can_take = marginal[weights > 1e-6], marginal[weights < cap - 1e-6]
    if can_give.size and can_take.size:
        assert can_give.max() <= can_take.min() + 1e-5 * scale


@settings(max_examples=15, deadline=None)
@given(st.integers(2, 8), st.integers(0, 10_000))
def test_maximum_sharpe_is_not_beaten_by_another_solver(count: int, seed: int) -> None:
    mean, matrix = problem(count, seed)
    mean = mean + max(0.0, 1e-4 - float(mean.max()))

    def negative_sharpe(weights: Floats) -> float:
        return -float(mean @ weights) / float(np.sqrt(weights @ matrix @ weights))

    ours = negative_sharpe(optimize.maximum_sharpe(mean, matrix).weights)
    other = minimize(
        negative_sharpe,
        np.full(count, 1.0 / count),
        bounds=[(0, 1)] * count,
        constraints=LinearConstraint(np.ones(count), 1.0, 1.0),
    )
    assert ours <= other.fun + 1e-7


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 40), st.integers(0, 10_000))
def test_risk_parity_gives_each_asset_its_share_of_the_variance(count: int, seed: int) -> None:
    _, matrix = problem(count, seed)
    budgets = np.random.default_rng(seed).uniform(0.1, 1.0, count)
    for given_budgets in (None, budgets):
        weights = optimize.risk_parity(matrix, budgets=given_budgets).weights
        shares = weights * (matrix @ weights)
        expected = np.full(count, 1.0) if given_budgets is None else given_budgets
        np.testing.assert_allclose(shares / shares.sum(), expected / expected.sum(), rtol=1e-7)
        assert weights.min() > 0


def test_uncorrelated_risk_parity_is_inverse_volatility() -> None:
    volatility = np.array([0.1, 0.2, 0.4])
    weights = optimize.risk_parity(np.diag(volatility**2)).weights
    np.testing.assert_allclose(weights, (1 / volatility) / (1 / volatility).sum(), rtol=1e-12)


def test_bounds_that_cannot_be_met_name_the_binding_ones_and_the_least_relaxation() -> None:
    _, matrix = problem(3, 0)
    with pytest.raises(InfeasibleError) as caught:
        optimize.minimum_variance(matrix, maximum=[0.2, 0.2, 0.3], names=["AAPL", "JPM", "XOM"])
    assert caught.value.shortfall == pytest.approx(0.3)
    relaxed = [caught.value.relaxation[f"maximum of {name}"] for name in ("AAPL", "JPM", "XOM")]
    assert sum(relaxed) == pytest.approx(1.0)
    optimize.minimum_variance(matrix, maximum=np.array(relaxed) + 1e-12)
    with pytest.raises(InfeasibleError, match="more than one"):
        optimize.minimum_variance(matrix, minimum=0.5)
    with pytest.raises(InfeasibleError, match="above its maximum"):
        optimize.minimum_variance(matrix, minimum=[0.5, 0, 0], maximum=[0.4, 1, 1])


def test_nothing_earns_more_than_too_high_a_rate() -> None:
    mean, matrix = problem(4, 0)
    with pytest.raises(DomainError, match="risk_free_rate"):
        optimize.maximum_sharpe(mean, matrix, risk_free_rate=float(mean.max()) + 1e-9)


@pytest.mark.parametrize(
    "matrix", [np.ones((2, 3)), np.array([[1.0, 2.0], [0.0, 1.0]]), np.zeros((2, 2)), np.eye(2) * np.nan]
)
def test_what_is_no_covariance_is_refused(matrix: Floats) -> None:
    with pytest.raises(DomainError, match="covariance"):
        optimize.minimum_variance(matrix)
