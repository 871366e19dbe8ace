"""Minimum conditional value at risk against the whole linear program by HiGHS, and known cases."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import linprog

from quantmesh.quant import optimize
from quantmesh.quant.errors import DomainError
from quantmesh.quant.optimize import Constraints, Group

Floats = NDArray[np.float64]


def sample(observations: int, assets: int, seed: int) -> Floats:
    """Returns of daily size with one factor and fat tails."""
    rng = np.random.default_rng(seed)
    factor = rng.standard_t(4, size=(observations, 1)) * 0.01
    return factor * rng.uniform(0.3, 1.5, assets) + rng.standard_t(4, size=(observations, assets)) * 0.01 + 3e-4


def whole_program(returns: Floats, confidence: float, lower: float, upper: float) -> float:
    """Rockafellar and Uryasev's program with a row for each observation."""
    observations, assets = returns.shape
    rows = np.hstack([-returns, -np.ones((observations, 1)), -np.eye(observations)])
    cost = np.r_[np.zeros(assets), 1.0, np.full(observations, 1.0 / ((1.0 - confidence) * observations))]
    budget = np.r_[np.ones(assets), np.zeros(observations + 1)][None, :]
    bounds = [(lower, upper)] * assets + [(None, None)] + [(0, None)] * observations
    found = linprog(cost * 100.0, A_ub=rows, b_ub=np.zeros(observations), A_eq=budget, b_eq=[1.0], bounds=bounds)
    assert found.fun is not None
    return float(found.fun) / 100.0


@pytest.mark.parametrize(("lower", "upper"), [(0.0, 1.0), (0.0, 0.1), (-0.1, 0.3)])
@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.975, 0.999])
def test_the_least_tail_loss_is_that_of_the_whole_program(confidence: float, lower: float, upper: float) -> None:
    returns = sample(200, 30, 1)
    answer = optimize.minimum_cvar(returns, Constraints(minimum=lower, maximum=upper), confidence=confidence)
    assert answer.optimal.objective == pytest.approx(whole_program(returns, confidence, lower, upper), abs=1e-10)
    assert answer.gap is not None
    assert answer.gap < 1e-10
    assert answer.optimal.is_feasible


def test_more_assets_than_observations_are_no_obstacle() -> None:
    returns = sample(60, 150, 2)
    answer = optimize.minimum_cvar(returns, confidence=0.9)
    assert answer.optimal.objective == pytest.approx(whole_program(returns, 0.9, 0.0, 1.0), abs=1e-10)


def test_the_objective_is_the_mean_of_the_worst_losses_with_a_fraction_of_the_last() -> None:
    returns = np.column_stack([np.arange(-5.0, 5.0), np.arange(-5.0, 5.0)]) / 100.0
    # A tail of 2.5 observations out of ten: (5 + 4 + 0.5 * 3) / 2.5 per cent.
    answer = optimize.minimum_cvar(returns, confidence=0.75)
    assert answer.optimal.objective == pytest.approx(0.042, abs=1e-15)
    # In a tail of less than one observation there is the worst alone.
    assert optimize.minimum_cvar(returns, confidence=0.99).optimal.objective == pytest.approx(0.05, abs=1e-15)


def test_a_riskless_gain_is_held_alone() -> None:
    returns = sample(100, 5, 3)
    returns[:, 2] = 0.05
    answer = optimize.minimum_cvar(returns)
    np.testing.assert_allclose(answer.weights, [0, 0, 1, 0, 0], atol=1e-12)
    assert answer.optimal.objective == pytest.approx(-0.05, abs=1e-14)
    assert answer.optimal.volatility == pytest.approx(0.0, abs=1e-9)


def test_scale_and_order_of_the_inputs_do_not_matter() -> None:
    returns = sample(150, 12, 4)
    order = np.random.default_rng(1).permutation(12)
    straight = optimize.minimum_cvar(returns)
    np.testing.assert_allclose(optimize.minimum_cvar(returns[:, order]).weights, straight.weights[order], atol=1e-9)
    np.testing.assert_allclose(optimize.minimum_cvar(returns[::-1] * 1e3).weights, straight.weights, atol=1e-9)


def test_constraints_and_costs_count_and_the_companions_stand_on_the_same_objective() -> None:
    returns = sample(150, 6, 5)
    current = np.array([0.5, 0.5, 0.0, 0.0, 0.0, 0.0])
    free = optimize.minimum_cvar(returns, Constraints(current=current))
    limits = Constraints(
        current=current, costs=1e-3, maximum_turnover=0.8, groups=(Group("last", (4, 5), maximum=0.2, minimum=0.1),)
    )
    answer = optimize.minimum_cvar(returns, limits)
    assert answer.optimal.is_feasible
    assert answer.gap is not None
    assert answer.gap < 1e-10
    assert np.abs(answer.weights - current).sum() <= 0.8 + 1e-9
    losses = np.sort(-(returns @ answer.weights))[::-1]
    # Seven and a half observations of 150 are in the tail.
    tail = (losses[:7].sum() + 0.5 * losses[7]) / 7.5
    assert answer.optimal.objective == pytest.approx(tail + 1e-3 * np.abs(answer.weights - current).sum(), abs=1e-12)
    assert free.no_change is not None
    assert free.optimal.objective < min(free.equal_weight.objective, free.no_change.objective)
    assert free.optimal.objective < answer.optimal.objective
    assert free.equal_weight.expected_return == pytest.approx(returns.mean())
    assert free.equal_weight.volatility == pytest.approx(float(returns.mean(axis=1).std(ddof=1)))


@pytest.mark.parametrize("confidence", [0.0, 1.0, np.nan])
def test_confidence_lies_between_zero_and_one(confidence: float) -> None:
    with pytest.raises(DomainError, match="confidence"):
        optimize.minimum_cvar(sample(10, 2, 1), confidence=confidence)


def test_cash_without_any_return_is_an_asset_too() -> None:
    returns = sample(100, 5, 6) - 2e-3
    returns[:, [1, 3]] = 0.0
    answer = optimize.minimum_cvar(returns)
    assert answer.optimal.objective == pytest.approx(whole_program(returns, 0.95, 0.0, 1.0), abs=1e-12)
    assert answer.weights[[1, 3]].sum() == pytest.approx(1.0)
