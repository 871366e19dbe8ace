"""Covariances against the definitions of their papers element by element, limits, and definiteness."""

import math
from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from quantmesh.quant import _garch_kernels as kernels
from quantmesh.quant import covariance, garch
from quantmesh.quant._dynamic_correlation import next_quasi_correlation
from quantmesh.quant.errors import DomainError

Floats = NDArray[np.float64]
RNG = np.random.default_rng(17)
LOADINGS = RNG.normal(1.0, 0.3, 6)
RETURNS = 0.01 * (RNG.standard_normal((120, 1)) * LOADINGS + RNG.standard_normal((120, 6)))
WIDE = 0.01 * RNG.standard_normal((30, 50))

ESTIMATORS: dict[str, Callable[[Floats], Floats]] = {
    "sample": covariance.sample,
    "ewma": covariance.ewma,
    "constant_correlation": covariance.ledoit_wolf,
    "identity": lambda returns: covariance.ledoit_wolf(returns, target="identity"),
    "nonlinear": lambda returns: covariance.ledoit_wolf(returns, target="nonlinear"),
    "factor": lambda returns: covariance.factor(returns, 2),
    "garch_dcc": covariance.garch_dcc,
}


@pytest.mark.parametrize("name", ESTIMATORS)
def test_every_estimate_is_symmetric_and_positive_semidefinite(name: str) -> None:
    for returns in (RETURNS, WIDE):
        matrix = ESTIMATORS[name](returns)
        assert matrix.shape == (returns.shape[1],) * 2
        np.testing.assert_array_equal(matrix, matrix.T)
        assert np.linalg.eigvalsh(matrix)[0] >= -1e-12 * np.trace(matrix)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_the_unit_of_returns_and_the_order_of_assets_pass_through(name: str) -> None:
    order = [3, 1, 5, 0, 2, 4]
    matrix = ESTIMATORS[name](RETURNS)
    tolerance = 1e-4 if name == "garch_dcc" else 1e-9
    largest = float(np.abs(matrix).max())
    np.testing.assert_allclose(ESTIMATORS[name](100.0 * RETURNS) / 1e4, matrix, atol=tolerance * largest)
    np.testing.assert_allclose(
        ESTIMATORS[name](RETURNS[:, order]), matrix[np.ix_(order, order)], atol=tolerance * largest
    )


def test_exponential_weights_by_recursion() -> None:
    matrix, total = np.zeros((6, 6)), 0.0
    for row in RETURNS:
        matrix, total = 0.97 * matrix + np.outer(row, row), 0.97 * total + 1.0
    np.testing.assert_allclose(covariance.ewma(RETURNS, decay=0.97), matrix / total, rtol=1e-12)


def test_constant_correlation_shrinks_by_the_intensity_of_the_paper() -> None:
    """Ledoit and Wolf (2004), appendix B, sum by sum."""
    count, size = RETURNS.shape
    y = RETURNS - RETURNS.mean(axis=0)
    s = y.T @ y / count
    r = [[s[i, j] / math.sqrt(s[i, i] * s[j, j]) for j in range(size)] for i in range(size)]
    mean = 2.0 / ((size - 1) * size) * sum(r[i][j] for i in range(size - 1) for j in range(i + 1, size))
    target = np.array(
        [[s[i, i] if i == j else mean * math.sqrt(s[i, i] * s[j, j]) for j in range(size)] for i in range(size)]
    )
    pi = rho = 0.0
    for i, j in product(range(size), repeat=2):
        of_pair = float(np.mean((y[:, i] * y[:, j] - s[i, j]) ** 2))
        pi += of_pair
        if i == j:
            rho += of_pair
            continue
        first = float(np.mean((y[:, i] ** 2 - s[i, i]) * (y[:, i] * y[:, j] - s[i, j])))
        second = float(np.mean((y[:, j] ** 2 - s[j, j]) * (y[:, i] * y[:, j] - s[i, j])))
        rho += mean / 2.0 * (math.sqrt(s[j, j] / s[i, i]) * first + math.sqrt(s[i, i] / s[j, j]) * second)
    intensity = max(0.0, min((pi - rho) / float(((target - s) ** 2).sum()) / count, 1.0))
    assert 0.0 < intensity < 1.0
    np.testing.assert_allclose(covariance.ledoit_wolf(RETURNS), intensity * target + (1.0 - intensity) * s, rtol=1e-10)


def test_identity_shrinks_by_the_intensity_of_the_paper() -> None:
    """Ledoit and Wolf (2004), lemmas 3.2 to 3.4, outer product by outer product."""
    count, size = RETURNS.shape
    y = RETURNS - RETURNS.mean(axis=0)
    s = y.T @ y / count
    m = np.trace(s) / size
    d2 = float(((s - m * np.eye(size)) ** 2).sum()) / size
    b2 = sum(float(((np.outer(row, row) - s) ** 2).sum()) / size for row in y) / count**2
    intensity = min(b2, d2) / d2
    np.testing.assert_allclose(
        covariance.ledoit_wolf(RETURNS, target="identity"),
        intensity * m * np.eye(size) + (1.0 - intensity) * s,
        rtol=1e-10,
    )


@pytest.mark.parametrize(("count", "size"), [(200, 60), (60, 100)])
def test_nonlinear_shrinkage_comes_close_to_the_best_eigenvalues(count: int, size: int) -> None:
    """The best, known only where the truth is, keep the sample's eigenvectors: u' C u (same paper, eq. 3.2)."""
    truth = np.diag(np.where(np.arange(size) < size // 2, 1.0, 8.0))
    losses = []
    for seed in range(5):
        returns = np.random.default_rng(seed).standard_normal((count, size)) @ np.sqrt(truth)
        plain = covariance.sample(returns)
        _, vectors = np.linalg.eigh(plain)
        best = (vectors * np.diagonal(vectors.T @ truth @ vectors)) @ vectors.T
        shrunk = covariance.ledoit_wolf(returns, target="nonlinear")
        losses.append([float(((matrix - truth) ** 2).sum()) for matrix in (plain, shrunk, best)])
    ours, optimum = (np.mean(losses, axis=0)[[1, 2]] / np.mean(losses, axis=0)[0]).tolist()
    assert ours < optimum + 0.1 * (1.0 - optimum)


@pytest.mark.parametrize("target", ["constant_correlation", "identity", "nonlinear"])
def test_a_long_sample_is_hardly_shrunk(target: Any) -> None:
    returns = np.random.default_rng(2).standard_normal((50_000, 3)) @ np.array([[1, 0.5, 0], [0, 1, 0.2], [0, 0, 2]])
    shrunk = covariance.ledoit_wolf(returns, target=target)
    np.testing.assert_allclose(shrunk, covariance.sample(returns), atol=0.02)


def test_factors_keep_the_variances_of_the_sample() -> None:
    plain = covariance.sample(RETURNS)
    market = RETURNS.mean(axis=1, keepdims=True)
    for factors in (1, 3, market):
        np.testing.assert_allclose(np.diagonal(covariance.factor(RETURNS, factors)), np.diagonal(plain), rtol=1e-12)
    np.testing.assert_allclose(covariance.factor(RETURNS, 6), plain, atol=1e-15)
    np.testing.assert_allclose(covariance.factor(RETURNS, RETURNS), plain, atol=1e-15)


def test_one_given_factor_is_a_regression_on_it() -> None:
    market = RETURNS.mean(axis=1) + 0.002 * RNG.standard_normal(120)
    matrix = covariance.factor(RETURNS, market[:, None])
    betas = [float(np.polyfit(market, RETURNS[:, asset], 1)[0]) for asset in range(6)]
    assert matrix[1, 4] == pytest.approx(betas[1] * betas[4] * market.var(ddof=1), rel=1e-10)


def test_principal_components_are_the_largest_eigenvalues() -> None:
    plain = covariance.sample(RETURNS)
    values, vectors = np.linalg.eigh(plain)
    low_rank = (vectors[:, -2:] * values[-2:]) @ vectors[:, -2:].T
    matrix = covariance.factor(RETURNS, 2)
    off = ~np.eye(6, dtype=bool)
    np.testing.assert_allclose(matrix[off], low_rank[off], rtol=1e-9, atol=1e-12)


def simulate_dcc(count: int, a: float, b: float, seed: int, size: int = 2) -> Floats:
    generator = np.random.default_rng(seed)
    target = np.full((size, size), 0.5) + 0.5 * np.eye(size)
    quasi, rows = target.copy(), np.empty((count, size))
    for day in range(count):
        scale = np.sqrt(np.diagonal(quasi))
        rows[day] = np.linalg.cholesky(quasi / np.outer(scale, scale)) @ generator.standard_normal(size)
        quasi = (1.0 - a - b) * target + a * np.outer(rows[day], rows[day]) + b * quasi
    return rows


def test_dynamic_correlation_finds_the_parameters_of_a_simulation() -> None:
    found = garch.dynamic_correlation(0.01 * simulate_dcc(3_000, 0.08, 0.85, 3))
    assert found.a == pytest.approx(0.08, abs=0.02)
    assert found.b == pytest.approx(0.85, abs=0.05)
    np.testing.assert_allclose(np.diagonal(found.correlation), 1.0)


def test_the_correlation_kernel_is_the_likelihood_of_engle() -> None:
    rows = simulate_dcc(40, 0.1, 0.8, 4)
    target = rows.T @ rows / 40
    quasi, expected = target.copy(), 0.0
    for row in rows:
        scale = np.sqrt(np.diagonal(quasi))
        correlation = quasi / np.outer(scale, scale)
        expected += np.linalg.slogdet(correlation)[1] + row @ np.linalg.solve(correlation, row)
        quasi = 0.1 * target + 0.1 * np.outer(row, row) + 0.8 * quasi
    for likelihood in (kernels.correlation, kernels._correlation):
        assert likelihood(rows, target, 0.1, 0.8) == pytest.approx(expected, rel=1e-12)
    for likelihood in (kernels.pairwise_correlation, kernels._pairwise_correlation):
        assert likelihood(np.ascontiguousarray(rows.T), target, 0.1, 0.8) == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(next_quasi_correlation(rows, target, 0.1, 0.8), quasi, rtol=1e-12)


def test_many_assets_are_fitted_in_pairs() -> None:
    found = garch.dynamic_correlation(0.01 * simulate_dcc(600, 0.06, 0.88, 6, size=22))
    assert found.a == pytest.approx(0.06, abs=0.02)
    assert found.b == pytest.approx(0.88, abs=0.05)


def test_constant_correlation_stays_that_of_the_sample() -> None:
    returns = np.random.default_rng(8).multivariate_normal([0, 0], [[1e-4, 6e-5], [6e-5, 1e-4]], 2_000)
    found = garch.dynamic_correlation(returns)
    assert found.correlation[0, 1] == pytest.approx(0.6, abs=0.05)


@pytest.mark.parametrize(
    ("argument", "call"),
    [
        ("returns", lambda: covariance.ewma([[math.nan, 1.0], [1.0, 2.0]])),
        ("decay", lambda: covariance.ewma(RETURNS, decay=1.5)),
        ("target", lambda: covariance.ledoit_wolf(RETURNS, target="zero")),  # type: ignore[arg-type]
        ("returns", lambda: covariance.ledoit_wolf(RETURNS[:5], target="nonlinear")),
        ("factors", lambda: covariance.factor(RETURNS, 7)),
        ("factors", lambda: covariance.factor(RETURNS, RETURNS[:-1])),
        ("returns", lambda: covariance.garch_dcc(RETURNS[:, [0, 0]])),
    ],
)
def test_what_is_out_of_domain_is_named(argument: str, call: Callable[[], object]) -> None:
    with pytest.raises(DomainError) as caught:
        call()
    assert caught.value.argument == argument
