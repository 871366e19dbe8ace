"""The distribution of quadratic profits against Imhof's table, closed forms, simulation and finite differences."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from quantmesh.quant import value_at_risk
from quantmesh.quant._delta_gamma import Contour, Quadratic
from quantmesh.quant.errors import DomainError

Floats = NDArray[np.float64]
RNG = np.random.default_rng(5)
SIZE = 5
ROOT = RNG.normal(size=(SIZE, SIZE)) * 0.02
COVARIANCE = ROOT @ ROOT.T
CURVES = RNG.normal(size=(SIZE, SIZE))
GAMMAS = 40.0 * (CURVES + CURVES.T)
DELTAS = RNG.normal(size=SIZE) * 10.0
THETAS = RNG.normal(size=SIZE) * 0.01


@pytest.mark.parametrize(
    ("weights", "x", "published"),
    [
        ((0.6, 0.3, 0.1), 0.1, 0.9458),
        ((0.6, 0.3, 0.1), 0.7, 0.5064),
        ((0.6, 0.3, 0.1), 2.0, 0.1240),
    ],
)
def test_sums_of_squares_have_imhofs_probabilities(weights: tuple[float, ...], x: float, published: float) -> None:
    """Imhof, Computing the distribution of quadratic forms in normal variables (1961), table 1, Q1."""
    loss = Quadratic(np.zeros(3), np.array(weights), np.eye(3))
    contour = Contour.through(loss, x)
    assert contour.integral(1.0 / contour.nodes) == pytest.approx(published, abs=5e-5)


@pytest.mark.parametrize("delta", [1.0, 0.0, -1.0, 0.01])
@pytest.mark.parametrize("gamma", [0.5, -0.5, 2.0, -2.0])
@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.99, 0.9999])
def test_one_asset_has_the_quantile_of_its_parabola(delta: float, gamma: float, confidence: float) -> None:
    deviation = 0.2
    figure = value_at_risk.parametric([[deviation**2]], [delta], gammas=[gamma], confidence=confidence)
    # The profit delta r + gamma r^2 / 2 lies below -value between, or outside of, two returns.
    root = math.sqrt(delta * delta - 2.0 * gamma * figure.value)
    low, high = sorted(((-delta - root) / gamma / deviation, (-delta + root) / gamma / deviation))
    between = stats.norm.cdf(high) - stats.norm.cdf(low)
    exceeded = between if gamma > 0.0 else stats.norm.cdf(low) + stats.norm.sf(high)
    assert exceeded == pytest.approx(1.0 - confidence, rel=1e-9)


def test_shortfall_of_one_short_gamma_is_that_of_a_chi_square() -> None:
    figure = value_at_risk.parametric([[0.04]], [0.0], gammas=[-2.0], confidence=0.99)
    square = stats.chi2(1)
    quantile = square.ppf(0.99)
    assert figure.value == pytest.approx(0.04 * quantile, rel=1e-11)
    mean_beyond = stats.chi2(3).sf(quantile) / 0.01  # x f_1(x) = f_3(x)
    assert figure.expected_shortfall == pytest.approx(0.04 * mean_beyond, rel=1e-11)


def test_without_curvature_it_is_delta_normal() -> None:
    flat = value_at_risk.parametric(COVARIANCE, DELTAS, gammas=np.zeros(SIZE), confidence=0.975, horizon_days=10)
    plain = value_at_risk.parametric(COVARIANCE, DELTAS, confidence=0.975, horizon_days=10)
    for name in ("value", "expected_shortfall", "contributions", "shortfall_contributions", "marginal", "incremental"):
        np.testing.assert_allclose(getattr(flat, name), getattr(plain, name), rtol=1e-9)


def test_thetas_shift_the_loss() -> None:
    still = value_at_risk.parametric(COVARIANCE, DELTAS, gammas=GAMMAS)
    decaying = value_at_risk.parametric(COVARIANCE, DELTAS, gammas=GAMMAS, thetas=THETAS)
    assert decaying.value == pytest.approx(still.value - THETAS.sum(), rel=1e-11)
    certain = value_at_risk.parametric(COVARIANCE, np.zeros(SIZE), thetas=THETAS, horizon_days=3)
    assert certain.value == pytest.approx(-3.0 * THETAS.sum(), rel=1e-13)
    np.testing.assert_allclose(certain.contributions, -3.0 * THETAS)


def test_a_simulation_agrees() -> None:
    draws = np.random.default_rng(1).multivariate_normal(np.zeros(SIZE), COVARIANCE, 400_000)
    losses = -(THETAS.sum() + draws @ DELTAS + 0.5 * np.einsum("si,ij,sj->s", draws, GAMMAS, draws))
    figure = value_at_risk.parametric(COVARIANCE, DELTAS, gammas=GAMMAS, thetas=THETAS, confidence=0.99)
    quantile = np.quantile(losses, 0.99)
    assert figure.value == pytest.approx(quantile, rel=0.01)
    assert figure.expected_shortfall == pytest.approx(losses[losses >= quantile].mean(), rel=0.01)


def test_contributions_are_derivatives_and_add_up() -> None:
    def figure(sizes: Floats) -> value_at_risk.ValueAtRisk:
        return value_at_risk.parametric(
            COVARIANCE,
            DELTAS * sizes,
            gammas=0.5 * GAMMAS * (sizes[:, None] + sizes),
            thetas=THETAS * sizes,
        )

    whole = figure(np.ones(SIZE))
    assert whole.contributions.sum() == pytest.approx(whole.value, rel=1e-12)
    assert whole.shortfall_contributions.sum() == pytest.approx(whole.expected_shortfall, rel=1e-12)
    for index in range(SIZE):
        bump = 1e-5 * (np.arange(SIZE) == index)
        up, down = figure(1.0 + bump), figure(1.0 - bump)
        assert whole.contributions[index] == pytest.approx((up.value - down.value) / 2e-5, abs=1e-8)
        slope = (up.expected_shortfall - down.expected_shortfall) / 2e-5
        assert whole.shortfall_contributions[index] == pytest.approx(slope, abs=1e-8)


def test_marginal_is_by_the_exposure_and_incremental_leaves_the_asset_out() -> None:
    whole = value_at_risk.parametric(COVARIANCE, DELTAS, gammas=GAMMAS)
    step = 1e-4 * (np.arange(SIZE) == 1)
    ends = [value_at_risk.parametric(COVARIANCE, DELTAS + sign * step, gammas=GAMMAS).value for sign in (1, -1)]
    assert whole.marginal[1] == pytest.approx((ends[0] - ends[1]) / 2e-4, rel=1e-6)
    kept = [0, 2, 3, 4]
    rest = value_at_risk.parametric(COVARIANCE[np.ix_(kept, kept)], DELTAS[kept], gammas=GAMMAS[np.ix_(kept, kept)])
    assert whole.incremental[1] == pytest.approx(whole.value - rest.value, rel=1e-10)


@settings(max_examples=8, deadline=None)
@given(st.floats(0.1, 100.0), st.floats(0.55, 0.999))
def test_the_figure_is_homogeneous(scale: float, confidence: float) -> None:
    one = value_at_risk.parametric(COVARIANCE, DELTAS, gammas=GAMMAS, confidence=confidence)
    many = value_at_risk.parametric(COVARIANCE, DELTAS * scale, gammas=GAMMAS * scale, confidence=confidence)
    assert many.value == pytest.approx(one.value * scale, rel=1e-10)
    assert many.expected_shortfall == pytest.approx(one.expected_shortfall * scale, rel=1e-10)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.5, 0.75, 0.95, 0.99, 0.999]))
def test_any_quadratic_book_has_a_figure_whose_parts_add_up(seed: int, confidence: float) -> None:
    """Of any scale and rank: bounded losses, flat directions, deltas or gammas that hardly matter."""
    generator = np.random.default_rng(seed)
    size = int(generator.integers(1, 7))
    factors = generator.normal(size=(size, int(generator.integers(1, size + 1)))) * 10 ** generator.uniform(-4, 0)
    matrix = factors @ factors.T + 1e-18 * np.eye(size)
    curves = generator.normal(size=(size, size)) * 10 ** generator.uniform(-6, 4)
    gammas = [curves + curves.T, curves @ curves.T, -curves @ curves.T, np.diag(np.diag(curves))][seed % 4]
    deltas = generator.normal(size=size) * 10 ** generator.uniform(-6, 3)
    figure = value_at_risk.parametric(matrix, deltas, gammas=gammas, confidence=confidence)
    scale = math.sqrt(deltas @ matrix @ deltas) + float(np.abs(gammas * matrix).sum())
    assert figure.contributions.sum() == pytest.approx(figure.value, abs=1e-9 * scale)
    assert figure.shortfall_contributions.sum() == pytest.approx(figure.expected_shortfall, abs=1e-9 * scale)
    assert figure.expected_shortfall >= figure.value - 1e-9 * scale
    draws = generator.standard_normal((4_000, factors.shape[1])) @ factors.T
    losses = -(draws @ deltas + 0.5 * np.einsum("si,ij,sj->s", draws, gammas, draws))
    exceeded = float((losses > figure.value).mean())
    assert abs(exceeded - (1.0 - confidence)) < 6.0 * math.sqrt(confidence * (1.0 - confidence) / 4_000) + 0.001


@pytest.mark.parametrize("gammas", [np.zeros(3), np.triu(np.ones((SIZE, SIZE))), np.full(SIZE, math.nan)])
def test_gammas_of_the_wrong_kind_are_refused(gammas: Floats) -> None:
    with pytest.raises(DomainError, match="gammas"):
        value_at_risk.parametric(COVARIANCE, DELTAS, gammas=gammas)


@pytest.mark.parametrize("beyond", [1e-3, 1e-5, 1e-7, 1e-9, 1e-12, 2.0**-53])
@pytest.mark.parametrize(("delta", "gamma"), [(1e4, 1e6), (0.0, 1e6), (1.0, 1e7), (1e4, 5e7)])
def test_a_quantile_reaches_the_largest_loss_and_no_further(delta: float, gamma: float, beyond: float) -> None:
    """Against the noncentral chi-squared distance of one normal number from where the loss is largest."""
    deviation, confidence = 0.012, 1.0 - beyond
    centre, end = delta / (gamma * deviation), 0.5 * delta**2 / gamma
    square = stats.ncx2.ppf(1.0 - confidence, 1, centre**2)
    figure = value_at_risk.parametric([[deviation**2]], [delta], gammas=[gamma], confidence=confidence)
    scale = math.hypot(delta * deviation, gamma * deviation**2)
    assert figure.value == pytest.approx(end - 0.5 * gamma * deviation**2 * square, abs=1e-11 * scale)
    assert figure.value - 1e-12 * scale <= figure.expected_shortfall <= end + 1e-12 * scale
    assert figure.contributions.sum() == pytest.approx(figure.value, abs=1e-11 * scale)
