"""Figures of a series against hand-computed cases."""

import math

import numpy as np
import pytest
from scipy import optimize, stats

from quantmesh.quant import performance
from quantmesh.quant.errors import DomainError


def test_linked_returns_and_drawdowns_by_hand() -> None:
    values = [100.0, 110.0, 99.0, 120.0, 90.0]
    returns = performance.simple_returns(values)
    np.testing.assert_allclose(returns, [0.1, -0.1, 120 / 99 - 1, -0.25])
    assert performance.time_weighted_return(returns) == pytest.approx(-0.1)
    np.testing.assert_allclose(performance.drawdown(values), [0, 0, -0.1, 0, -0.25])
    assert performance.maximum_drawdown(values) == pytest.approx(-0.25)


def test_volatility_and_sharpe_are_per_year() -> None:
    returns = [0.01, -0.01, 0.02]
    deviation = math.sqrt((0.01 - 0.02 / 3) ** 2 / 2 + (-0.01 - 0.02 / 3) ** 2 / 2 + (0.02 - 0.02 / 3) ** 2 / 2)
    assert performance.annualized_volatility(returns) == pytest.approx(deviation * math.sqrt(252))
    expected = (0.02 / 3 * 252 - 0.02) / (deviation * math.sqrt(252))
    assert performance.sharpe_ratio(returns, risk_free_rate=0.02) == pytest.approx(expected)
    assert math.isnan(performance.sharpe_ratio([0.0, 0.0]))


@pytest.mark.parametrize(("earned", "count"), [(0.1, 3), (0.01, 10), (-0.02, 100)])
def test_returns_that_are_all_the_same_do_not_vary_by_what_their_mean_is_rounded(earned: float, count: int) -> None:
    returns = [earned] * count
    assert np.std(returns) > 0.0
    assert performance.annualized_volatility(returns) == 0.0
    assert math.isnan(performance.sharpe_ratio(returns))


def test_a_return_that_is_acceptable_does_not_fall_short_by_rounding() -> None:
    acceptable = 0.07 / 252
    returns = [np.nextafter(acceptable, -1.0), acceptable]
    assert math.isnan(performance.sortino_ratio(returns, minimum_acceptable_return=0.07))
    assert math.isfinite(performance.sortino_ratio([acceptable * 0.999], minimum_acceptable_return=0.07))


@pytest.mark.parametrize("values", [[1.0], [1.0, 0.0], [1.0, math.nan], 1.0])
def test_values_that_give_no_returns_are_refused(values: object) -> None:
    with pytest.raises(DomainError):
        performance.simple_returns(values)  # type: ignore[arg-type]


def test_sortino_counts_shortfalls_alone() -> None:
    returns = [0.02, -0.01, 0.03, -0.03]
    downside = math.sqrt((0.01**2 + 0.03**2) / 4) * math.sqrt(252)
    assert performance.sortino_ratio(returns) == pytest.approx(0.0025 * 252 / downside)
    target = 0.0252
    short = math.sqrt((0.0101**2 + 0.0301**2) / 4) * math.sqrt(252)
    expected = (0.0025 * 252 - target) / short
    assert performance.sortino_ratio(returns, minimum_acceptable_return=target) == pytest.approx(expected)
    assert math.isnan(performance.sortino_ratio([0.01, 0.02]))


def test_the_market_model_is_the_least_squares_line() -> None:
    random = np.random.default_rng(3)
    benchmark = random.normal(0.0005, 0.01, 300)
    returns = 0.0002 + 1.3 * benchmark + random.normal(0.0, 0.002, 300)
    found = performance.market_model(returns, benchmark, risk_free_rate=0.0252)
    line = stats.linregress(benchmark - 0.0001, returns - 0.0001)
    assert found.beta == pytest.approx(line.slope, rel=1e-12)
    assert found.alpha == pytest.approx(line.intercept * 252, rel=1e-10)
    itself = performance.market_model(benchmark, benchmark)
    assert (itself.alpha, itself.beta) == pytest.approx((0.0, 1.0), abs=1e-15)
    assert math.isnan(performance.market_model(returns, np.full(300, 0.01)).beta)


def test_modified_dietz_by_hand() -> None:
    # 1000, of which 500 more came halfway; 1600 at the end: 100 on an average of 1250.
    assert performance.modified_dietz_return(1000.0, [500.0], [0.5], 1600.0) == pytest.approx(0.08)
    assert math.isnan(performance.modified_dietz_return(0.0, [], [], 0.0))


def test_without_flows_the_internal_rate_is_the_simple_return() -> None:
    assert performance.money_weighted_returns(100.0, [], [], 121.0) == pytest.approx((0.21,))
    assert performance.money_weighted_returns(100.0, [], [], 0.0) == ()


def test_an_internal_rate_by_hand() -> None:
    # 100 grow by x to the middle, 100 more come, all grow by x: 100 x^2 + 100 x = 231 has x = 1.1.
    (found,) = performance.money_weighted_returns(100.0, [100.0], [0.5], 231.0)
    assert found == pytest.approx(1.1**2 - 1, abs=1e-14)


@pytest.mark.parametrize("seed", range(5))
def test_an_internal_rate_is_the_root_that_brent_finds(seed: int) -> None:
    random = np.random.default_rng(seed)
    flows, remaining = random.uniform(0.0, 500.0, 40), np.sort(random.uniform(0.0, 1.0, 40))[::-1]
    closing = float(random.uniform(0.1, 3.0)) * (1000.0 + flows.sum())
    (found,) = performance.money_weighted_returns(1000.0, flows, remaining, closing)

    def balance(rate: float) -> float:
        return float(1000.0 * (1 + rate) + flows @ (1 + rate) ** remaining - closing)

    assert found == pytest.approx(optimize.brentq(balance, -0.99, 100.0, xtol=1e-14), rel=1e-10)


def test_several_internal_rates_are_all_found() -> None:
    # (x - 1.1)(x - 1.5)(x - 2) over three equal parts, x being the growth of a part.
    coefficients = np.poly([1.1, 1.5, 2.0])
    found = performance.money_weighted_returns(
        coefficients[0], coefficients[1:3], [2 / 3, 1 / 3], float(-coefficients[3])
    )
    assert found == pytest.approx([1.1**3 - 1, 1.5**3 - 1, 2.0**3 - 1], rel=1e-9)


def test_flows_that_no_rate_explains_have_none() -> None:
    # More was taken out than ever was there, and still something is left.
    assert performance.money_weighted_returns(-100.0, [-50.0], [0.5], 10.0) == ()
    # x^2 - x + 1 = 0 has two changes of sign and no real root.
    assert performance.money_weighted_returns(1.0, [-1.0], [0.5], -1.0) == ()


@pytest.mark.parametrize("remaining", [[1.5], [-0.1], [math.nan], [0.5, 0.5]])
def test_flows_outside_the_period_are_refused(remaining: list[float]) -> None:
    with pytest.raises(DomainError):
        performance.money_weighted_returns(1.0, [1.0], remaining, 1.0)
