"""Risk parity and hierarchical risk parity against closed forms, hand calculation, and the paper's steps by SciPy."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import pdist, squareform

from quantmesh.quant import optimize
from quantmesh.quant.errors import DomainError
from quantmesh.quant.optimize import (
    Constraints,
    Group,
    _exchange_kernels,
    _hierarchical_risk_parity_kernels,
    _matrix_kernels,
)
from quantmesh.quant.optimize import _risk_parity_kernels as risk_parity_kernels
from quantmesh.quant.optimize._hierarchical_risk_parity import Distance

Floats = NDArray[np.float64]


def covariance(count: int, seed: int) -> Floats:
    rng = np.random.default_rng(seed)
    factors = rng.normal(size=(count, 3)) * 0.01
    matrix: Floats = factors @ factors.T + np.diag(rng.uniform(5e-5, 5e-4, count))
    return matrix


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 40), st.integers(0, 10_000))
def test_risk_parity_gives_each_asset_its_share_of_the_variance(count: int, seed: int) -> None:
    matrix = covariance(count, seed)
    budgets = np.random.default_rng(seed).uniform(0.1, 1.0, count)
    for wanted in (None, budgets):
        answer = optimize.risk_parity(matrix, budgets=wanted)
        shares = answer.weights * (matrix @ answer.weights)
        expected = np.full(count, 1.0) if wanted is None else wanted
        np.testing.assert_allclose(shares / shares.sum(), expected / expected.sum(), rtol=1e-10)
        assert answer.weights.min() > 0
        assert answer.weights.sum() == pytest.approx(1.0, abs=1e-14)
        assert answer.optimal.objective < 1e-10


def test_uncorrelated_risk_parity_is_inverse_volatility() -> None:
    volatility = np.array([0.1, 0.2, 0.4])
    weights = optimize.risk_parity(np.diag(volatility**2)).weights
    np.testing.assert_allclose(weights, (1 / volatility) / (1 / volatility).sum(), rtol=1e-12)


def test_two_assets_have_risk_parity_by_inverse_volatility_whatever_their_correlation() -> None:
    for correlation in (-0.99, -0.5, 0.0, 0.7, 1.0):
        matrix = np.array([[0.04, 0.06 * correlation], [0.06 * correlation, 0.09]])
        np.testing.assert_allclose(optimize.risk_parity(matrix).weights, [0.6, 0.4], rtol=1e-9)


def test_nearly_opposite_assets_still_balance() -> None:
    matrix = np.array([[1.0, -0.999999, 0.0], [-0.999999, 1.0, 0.0], [0.0, 0.0, 1.0]])
    weights = optimize.risk_parity(matrix).weights
    shares = weights * (matrix @ weights)
    np.testing.assert_allclose(shares / shares.sum(), 1 / 3, rtol=1e-9)


def test_risk_parity_and_the_tree_scale_with_the_budget_and_compare_with_current_weights() -> None:
    matrix = covariance(4, 3)
    constraints = Constraints(budget=0.5, current=[0.5, 0.0, 0.0, 0.0])
    for run in (optimize.risk_parity, optimize.hierarchical_risk_parity):
        whole, half = run(matrix), run(matrix, constraints)
        np.testing.assert_allclose(half.weights, 0.5 * whole.weights, rtol=1e-12)
        assert half.no_change is not None
        assert half.no_change.objective > half.optimal.objective
        assert half.equal_weight.objective > half.optimal.objective


@pytest.mark.parametrize(
    ("constraints", "argument"),
    [
        (Constraints(maximum=0.5), "maximum"),
        (Constraints(minimum=0.1), "minimum"),
        (Constraints(groups=(Group("all", (0, 1), 0.1),)), "groups"),
        (Constraints(current=[1.0, 0.0], costs=0.1), "costs"),
        (Constraints(current=[1.0, 0.0], maximum_turnover=0.1), "maximum_turnover"),
        (Constraints(maximum_holdings=1), "maximum_holdings"),
        (Constraints(budget=0.0), "budget"),
    ],
)
def test_constraints_that_would_break_the_shares_are_refused(constraints: Constraints, argument: str) -> None:
    for run in (optimize.risk_parity, optimize.hierarchical_risk_parity):
        with pytest.raises(DomainError) as caught:
            run(np.eye(2), constraints)
        assert caught.value.argument == argument


def test_risk_budgets_are_positive() -> None:
    with pytest.raises(DomainError, match=r"budgets\[1\]"):
        optimize.risk_parity(np.eye(3), budgets=[1.0, 0.0, 1.0])


def test_the_tree_of_four_assets_by_hand() -> None:
    """Two pairs with correlation 1/2 and variances 1, 4 and 1, 9; nothing between the pairs."""
    matrix = np.array([[1.0, 1.0, 0.0, 0.0], [1.0, 4.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.5], [0.0, 0.0, 1.5, 9.0]])
    # Inverse variance in the first pair: 4/5, 1/5, with variance (16 + 8 + 4) / 25; in the second 9/10, 1/10, with
    # (81 + 27 + 9) / 100. The first pair gets 1.17 / (1.12 + 1.17); within a pair the split is by inverse variance.
    first = 1.17 / (1.12 + 1.17)
    expected = [0.8 * first, 0.2 * first, 0.9 * (1 - first), 0.1 * (1 - first)]
    np.testing.assert_allclose(optimize.hierarchical_risk_parity(matrix).weights, expected, rtol=1e-14)
    # Where the pairs are mixed up the tree finds them again.
    order = [2, 0, 3, 1]
    mixed = optimize.hierarchical_risk_parity(matrix[np.ix_(order, order)]).weights
    np.testing.assert_allclose(mixed, np.array(expected)[order], rtol=1e-14)


def steps_of_the_paper(matrix: Floats, distance: Distance) -> Floats:
    """Lopez de Prado's three stages, the tree by SciPy."""
    deviations = np.sqrt(np.diagonal(matrix))
    near = np.sqrt((0.5 - 0.5 * matrix / np.outer(deviations, deviations)).clip(0.0))
    np.fill_diagonal(near, 0.0)
    tree = linkage(pdist(near) if distance == "columns" else squareform(near, checks=False), "single")
    weights = np.ones(deviations.size)
    clusters = [leaves_list(tree)]
    while clusters:
        halves = [(items[: len(items) // 2], items[len(items) // 2 :]) for items in clusters if len(items) > 1]
        for left, right in halves:
            variances = []
            for items in (left, right):
                inverse = 1.0 / np.diagonal(matrix)[items]
                portfolio = inverse / inverse.sum()
                variances.append(portfolio @ matrix[np.ix_(items, items)] @ portfolio)
            share = 1.0 - variances[0] / sum(variances)
            weights[left] *= share
            weights[right] *= 1.0 - share
        clusters = [half for pair in halves for half in pair]
    return weights


@pytest.mark.parametrize("distance", ["columns", "correlation"])
@pytest.mark.parametrize("count", [1, 2, 3, 5, 17, 60])
def test_the_tree_is_that_of_the_paper(count: int, distance: Distance) -> None:
    for seed in range(3):
        matrix = covariance(count, seed)
        found = optimize.hierarchical_risk_parity(matrix, distance=distance)
        expected = steps_of_the_paper(matrix, distance) if count > 1 else np.ones(1)
        np.testing.assert_allclose(found.weights, expected, rtol=1e-12)
        assert found.gap is None


def test_an_unknown_distance_is_refused() -> None:
    with pytest.raises(DomainError, match="distance"):
        optimize.hierarchical_risk_parity(np.eye(2), distance="rank")  # type: ignore[arg-type]


def test_a_factor_of_the_covariance_tells_its_definiteness_with_and_without_the_compiler() -> None:
    for count in (1, 3, 4, 5, 30):
        matrix = covariance(count, count)
        for run in (_matrix_kernels.is_positive, _matrix_kernels._is_positive):
            factor = matrix.copy()
            assert run(factor)
            np.testing.assert_allclose(np.triu(factor), np.linalg.cholesky(matrix).T, rtol=1e-9, atol=1e-14)
            assert not run(matrix - 1.01 * np.linalg.eigvalsh(matrix)[0] * np.eye(count))
            assert not run(np.full((count, count), np.nan))


def test_products_are_those_of_blas_with_and_without_the_compiler() -> None:
    for count in (1, 2, 5, 67):
        matrix = covariance(count, count)
        vector = np.where(np.arange(count) % 3 == 1, 0.0, np.arange(count) - 1.5)
        square = np.random.default_rng(count).normal(size=(count, count))
        for multiply, column_products in (
            (_matrix_kernels.multiply, _matrix_kernels.column_products),
            (_matrix_kernels._multiply, _matrix_kernels._column_products),
        ):
            product, products = np.empty(count), np.empty((count, count))
            multiply(matrix, vector, product)
            column_products(square, products)
            np.testing.assert_allclose(product, matrix @ vector, atol=1e-16)
            np.testing.assert_allclose(products, square.T @ square, rtol=1e-12, atol=1e-14)


def test_kernels_agree_with_their_python_twins() -> None:
    matrix = covariance(12, 8)
    optimize.load_kernels()
    twins: tuple[tuple[Any, Any], ...] = (
        (_exchange_kernels.exchange, _exchange_kernels._exchange),
        (risk_parity_kernels.descend, risk_parity_kernels._descend),
        (_hierarchical_risk_parity_kernels.spanning_tree, _hierarchical_risk_parity_kernels._spanning_tree),
        (_hierarchical_risk_parity_kernels.leaf_order, _hierarchical_risk_parity_kernels._leaf_order),
        (_hierarchical_risk_parity_kernels.bisect, _hierarchical_risk_parity_kernels._bisect),
    )
    results = []
    for exchange, descend, spanning_tree, leaf_order, bisect in zip(*twins, strict=True):
        weights = np.full(12, 1 / 12)
        gradient = matrix @ weights
        exchange(matrix, gradient, weights, np.zeros(12), np.full(12, 0.3), 50, 1e-9)
        point = np.ones(12)
        product = matrix @ point
        sweeps = descend(matrix, np.full(12, 1 / 12), point, product, 30, 1e-12)
        sources, targets, lengths = np.zeros(11, np.int64), np.zeros(11, np.int64), np.zeros(11)
        spanning_tree(1.0 / matrix**2, sources, targets, lengths)
        order = np.zeros(12, np.int64)
        leaf_order(sources, targets, order)
        split = np.zeros(12)
        bisect(matrix, split)
        results.append(np.concatenate([weights, gradient, point, product, [sweeps], sources, targets, order, split]))
    np.testing.assert_allclose(results[0], results[1], rtol=1e-12)
