"""Value at risk against closed forms, an independent quantile, and its own homogeneity."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from quantmesh.quant import covariance, value_at_risk
from quantmesh.quant.errors import DomainError

Floats = NDArray[np.float64]
RNG = np.random.default_rng(7)
RETURNS = RNG.multivariate_normal([0.0003, 0.0001, 0.0], [[4e-4, 1e-4, 0], [1e-4, 2e-4, 0], [0, 0, 9e-4]], 500)
EXPOSURES = np.array([10_000.0, -2_500.0, 4_000.0])


@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99, 0.975])
def test_historical_value_is_the_inverted_empirical_distribution(confidence: float) -> None:
    losses = -(RETURNS @ EXPOSURES)
    result = value_at_risk.historical(RETURNS, EXPOSURES, confidence=confidence)
    assert result.value == pytest.approx(np.quantile(losses, confidence, method="inverted_cdf"), rel=1e-14)


@pytest.mark.parametrize("confidence", [0.9, 0.99, 0.975, 0.993])
def test_historical_shortfall_is_the_mean_of_the_quantiles_beyond(confidence: float) -> None:
    losses = np.sort(-(RETURNS @ EXPOSURES))
    edges = np.concatenate([[0.0], np.arange(1, losses.size + 1) / losses.size])
    overlap = np.clip(edges[1:] - np.maximum(edges[:-1], confidence), 0.0, None)
    expected = float(overlap @ losses) / (1.0 - confidence)
    result = value_at_risk.historical(RETURNS, EXPOSURES, confidence=confidence)
    assert result.expected_shortfall == pytest.approx(expected, rel=1e-9)


def test_parametric_agrees_with_the_normal_distribution_of_the_loss() -> None:
    matrix = covariance.sample(RETURNS)
    loss = stats.norm(0.0, math.sqrt(EXPOSURES @ matrix @ EXPOSURES))
    result = value_at_risk.parametric(matrix, EXPOSURES, confidence=0.975)
    assert result.value == pytest.approx(loss.ppf(0.975), rel=1e-12)
    assert result.expected_shortfall == pytest.approx(loss.expect(lambda x: x, lb=loss.ppf(0.975)) / 0.025, rel=1e-6)


def test_both_methods_agree_on_a_large_normal_sample() -> None:
    matrix = np.array([[4e-4, 1e-4], [1e-4, 2e-4]])
    sample = np.random.default_rng(1).multivariate_normal([0, 0], matrix, 400_000)
    historical = value_at_risk.historical(sample, [1.0, 2.0], confidence=0.99)
    parametric = value_at_risk.parametric(matrix, [1.0, 2.0], confidence=0.99)
    assert historical.value == pytest.approx(parametric.value, rel=0.01)
    assert historical.expected_shortfall == pytest.approx(parametric.expected_shortfall, rel=0.01)


def test_contributions_add_up_and_are_derivatives() -> None:
    matrix = covariance.sample(RETURNS)
    figures: list[Callable[[Floats], value_at_risk.ValueAtRisk]] = [
        lambda exposures: value_at_risk.historical(RETURNS, exposures),
        lambda exposures: value_at_risk.parametric(matrix, exposures),
    ]
    for figure in figures:
        whole = figure(EXPOSURES)
        assert whole.contributions.sum() == pytest.approx(whole.value, rel=1e-12)
        assert whole.shortfall_contributions.sum() == pytest.approx(whole.expected_shortfall, rel=1e-12)
        for index in range(3):
            bump = np.zeros(3)
            bump[index] = 1e-3
            slope = (figure(EXPOSURES + bump).value - figure(EXPOSURES - bump).value) / 2e-3
            assert whole.contributions[index] == pytest.approx(slope * EXPOSURES[index], rel=1e-6, abs=1e-6)


def test_incremental_leaves_an_asset_out_and_marginal_is_per_unit_of_exposure() -> None:
    matrix = covariance.sample(RETURNS)
    figures: list[Callable[[Floats], value_at_risk.ValueAtRisk]] = [
        lambda exposures: value_at_risk.historical(RETURNS, exposures, horizon_days=10),
        lambda exposures: value_at_risk.parametric(matrix, exposures, horizon_days=10),
    ]
    for figure in figures:
        whole = figure(EXPOSURES)
        np.testing.assert_allclose(whole.marginal * EXPOSURES, whole.contributions, rtol=1e-12)
        for index in range(3):
            rest = figure(np.where(np.arange(3) == index, 0.0, EXPOSURES))
            assert whole.incremental[index] == pytest.approx(whole.value - rest.value, rel=1e-10)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 6),
    st.integers(12, 80),
    st.floats(0.5, 0.999),
    st.integers(1, 20),
)
def test_contributions_add_up_for_any_book(seed: int, assets: int, days: int, confidence: float, horizon: int) -> None:
    generator = np.random.default_rng(seed)
    returns = generator.standard_t(4, (days, assets)) * 0.01
    exposures = generator.normal(0.0, 1e4, assets)
    options: dict[str, Any] = {"confidence": confidence, "horizon_days": horizon}
    matrix = covariance.ledoit_wolf(returns)
    for figure in (
        value_at_risk.historical(returns, exposures, **options),
        value_at_risk.filtered_historical(returns, exposures, volatility="ewma", paths=100, **options),
        value_at_risk.parametric(matrix, exposures, **options),
    ):
        scale = float(np.abs(exposures).sum())
        assert figure.contributions.sum() == pytest.approx(figure.value, abs=1e-12 * scale)
        assert figure.shortfall_contributions.sum() == pytest.approx(figure.expected_shortfall, abs=1e-12 * scale)
        assert figure.expected_shortfall >= figure.value - 1e-12 * scale


@settings(deadline=None)
@given(st.floats(0.01, 1e3), st.integers(1, 250))
def test_figures_scale_with_the_book_and_the_root_of_time(scale: float, days: int) -> None:
    one = value_at_risk.historical(RETURNS, EXPOSURES)
    many = value_at_risk.historical(RETURNS, EXPOSURES * scale, horizon_days=days)
    assert many.value == pytest.approx(one.value * scale * math.sqrt(days), rel=1e-12)
    assert many.expected_shortfall >= many.value * (1 - 1e-12)


@pytest.mark.parametrize(
    ("argument", "returns", "exposures", "options"),
    [
        ("confidence", RETURNS, EXPOSURES, {"confidence": 1.0}),
        ("confidence", RETURNS, EXPOSURES, {"confidence": math.nan}),
        ("horizon_days", RETURNS, EXPOSURES, {"horizon_days": 0}),
        ("exposures", RETURNS, EXPOSURES[:2], {}),
        ("returns", RETURNS * math.nan, EXPOSURES, {}),
        ("returns", RETURNS[:1], EXPOSURES, {}),
    ],
)
def test_what_is_out_of_domain_is_named(argument: str, returns: object, exposures: object, options: dict) -> None:  # type: ignore[type-arg]
    with pytest.raises(DomainError) as caught:
        value_at_risk.historical(returns, exposures, **options)  # type: ignore[arg-type]
    assert caught.value.argument == argument
