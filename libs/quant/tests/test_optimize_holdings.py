"""Limits on the number and the least size of holdings against every choice of assets there is."""

import math
from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from quantmesh.quant import optimize
from quantmesh.quant.errors import DomainError, InfeasibleError
from quantmesh.quant.optimize import Constraints, Group, Optimum

Floats = NDArray[np.float64]
COUNT = 5
RNG = np.random.default_rng(5)
FACTORS = RNG.normal(size=(COUNT, 2)) * 0.01
MATRIX = FACTORS @ FACTORS.T + np.diag(RNG.uniform(5e-5, 5e-4, COUNT))
MEAN = RNG.normal(6e-4, 4e-4, COUNT)
SAMPLE = RNG.multivariate_normal(MEAN, MATRIX, 40)
CURRENT = np.array([0.5, 0.0, 0.0, 0.5, 0.0])

OBJECTIVES: dict[str, tuple[Callable[[Constraints], Optimum], float]] = {
    "minimum variance": (lambda constraints: optimize.minimum_variance(MATRIX, constraints), 1.0),
    "mean-variance": (lambda constraints: optimize.mean_variance(MEAN, MATRIX, constraints, risk_aversion=4.0), 1.0),
    "maximum Sharpe": (lambda constraints: optimize.maximum_sharpe(MEAN, MATRIX, constraints), -1.0),
    "minimum CVaR": (lambda constraints: optimize.minimum_cvar(SAMPLE, constraints, confidence=0.9), 1.0),
}
LIMITS: dict[str, dict[str, Any]] = {
    "three holdings": {"maximum_holdings": 2},
    "large positions": {"minimum_position": 0.2},
    "both": {"maximum_holdings": 2, "minimum_position": 0.25, "maximum": 0.65},
    "with groups": {"maximum_holdings": 2, "groups": (Group("some", (3, 4), 0.3), Group("more", (0, 1), 0.1))},
    "with trades": {"maximum_holdings": 2, "current": CURRENT, "maximum_turnover": 1.2, "costs": 1e-5},
    "with short sales": {"maximum_holdings": 2, "minimum": -0.3},
}


def best_of_all_choices(run: Callable[[Constraints], Optimum], sign: float, fields: dict[str, Any]) -> float:
    holdings, position = fields.get("maximum_holdings", COUNT), fields.get("minimum_position", 0.0)
    others = {name: value for name, value in fields.items() if name not in {"maximum_holdings", "minimum_position"}}
    found = []
    for size in range(1, holdings + 1):
        for chosen in combinations(range(COUNT), size):
            lower, upper = np.zeros(COUNT), np.zeros(COUNT)
            lower[list(chosen)] = others.get("minimum", position)
            upper[list(chosen)] = others.get("maximum", 1.0)
            try:
                answer = run(Constraints(**{**others, "minimum": lower, "maximum": upper}))
            except (InfeasibleError, DomainError):
                continue
            found.append(sign * answer.optimal.objective)
    return sign * min(found)


@pytest.mark.parametrize("limits", LIMITS)
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_the_best_choice_is_found_and_proven(objective: str, limits: str) -> None:
    run, sign = OBJECTIVES[objective]
    fields = LIMITS[limits]
    answer = run(Constraints(**fields))
    assert answer.optimal.is_feasible
    assert answer.optimal.objective == pytest.approx(best_of_all_choices(run, sign, fields), rel=1e-7)
    assert answer.gap is not None
    assert answer.gap < 1e-6


def test_unlimited_holdings_are_no_limit() -> None:
    for run, _ in OBJECTIVES.values():
        limited = run(Constraints(maximum_holdings=COUNT))
        assert limited.optimal.objective == pytest.approx(run(Constraints()).optimal.objective, rel=1e-7)


def test_the_highest_sharpe_ratio_with_limits_needs_full_rank() -> None:
    loadings = np.array([[1.0, 0.5], [0.2, 1.0], [0.3, -1.0]])
    with pytest.raises(DomainError, match="full rank"):
        optimize.maximum_sharpe([0.1, 0.2, 0.3], loadings @ loadings.T, Constraints(maximum_holdings=2))


def test_nothing_earns_more_than_too_high_a_rate_under_limits_on_holdings_either() -> None:
    with pytest.raises(DomainError, match="risk_free_rate"):
        optimize.maximum_sharpe(MEAN, MATRIX, Constraints(maximum_holdings=2), risk_free_rate=1.0)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_search_that_is_cut_short_answers_the_best_so_far_with_what_is_proven(objective: str) -> None:
    run, sign = OBJECTIVES[objective]
    answer = run(Constraints(maximum_holdings=2, search_seconds=1e-6))
    assert answer.optimal.is_feasible
    best = sign * best_of_all_choices(run, sign, LIMITS["three holdings"])
    proven = -math.inf if answer.bound is None else sign * answer.bound
    assert proven <= best + 1e-12 <= sign * answer.optimal.objective + 2e-12


def test_a_search_takes_a_positive_time() -> None:
    with pytest.raises(DomainError, match="search_seconds must be a positive number of seconds, got 0"):
        optimize.minimum_variance(MATRIX, Constraints(maximum_holdings=2, search_seconds=0.0))


@pytest.mark.parametrize("limits", [{}, {"groups": (Group("some", (1,), 0.0),)}, {"minimum": -1.0}])
@pytest.mark.parametrize("holdings", [3, 1_000])
def test_the_best_choice_is_found_where_it_has_no_variance_at_all(holdings: int, limits: dict[str, Any]) -> None:
    """Fewer observations than assets: some weights cancel all that was seen."""
    for seed in range(8):
        returns = np.random.default_rng(seed).normal(size=(2, 5)) * 0.01
        matrix = np.cov(returns, rowvar=False)
        answer = optimize.minimum_variance(matrix, Constraints(maximum_holdings=holdings, **limits))
        assert answer.optimal.is_feasible
        assert np.count_nonzero(answer.weights) <= holdings
        least = optimize.minimum_variance(matrix, Constraints(**limits)).optimal.objective
        assert answer.optimal.objective == pytest.approx(least, abs=1e-9 * float(np.diagonal(matrix).max()))
