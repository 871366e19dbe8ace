"""Backtests against published tables, counts by hand, and their own size under correct forecasts."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import stats

from quantmesh.quant import backtest
from quantmesh.quant.errors import DomainError


@pytest.mark.parametrize(
    ("count", "zone", "increase", "cumulative"),
    [
        (0, "green", 0.0, 0.0811),
        (4, "green", 0.0, 0.8922),
        (5, "yellow", 0.40, 0.9588),
        (6, "yellow", 0.50, 0.9863),
        (7, "yellow", 0.65, 0.9960),
        (8, "yellow", 0.75, 0.9989),
        (9, "yellow", 0.85, 0.9997),
        (10, "red", 1.00, 0.9999),
        (25, "red", 1.00, 1.0),
    ],
)
def test_zones_and_multipliers_are_those_of_basel(count: int, zone: str, increase: float, cumulative: float) -> None:
    """Basel Committee (1996), table 2."""
    light = backtest.traffic_light(count, 250)
    assert (light.zone, light.multiplier_increase) == (zone, increase)
    assert light.cumulative_probability == pytest.approx(cumulative, abs=5.1e-5)


def test_other_samples_have_zones_but_no_published_multiplier() -> None:
    light = backtest.traffic_light(20, 500)
    assert light.zone == "red"
    assert light.multiplier_increase is None
    assert backtest.traffic_light(12, 250, confidence=0.95).zone == "green"


@pytest.mark.parametrize(
    ("confidence", "observations", "fewest", "most"),
    [(0.99, 1000, 5, 16), (0.99, 510, 2, 10), (0.975, 255, 3, 11), (0.95, 255, 7, 20), (0.95, 1000, 38, 64)],
)
def test_kupiec_accepts_the_published_numbers_of_exceptions(
    confidence: float, observations: int, fewest: int, most: int
) -> None:
    """Kupiec (1995), table 2, at a test size of 5 %: from N > fewest - 1 to N < most + 1."""
    accepted = [
        count
        for count in range(observations)
        if backtest.kupiec(count, observations, confidence=confidence).p_value > 0.05
    ]
    assert (accepted[0], accepted[-1]) == (fewest, most)


def test_kupiecs_ratio_is_that_of_the_binomial() -> None:
    free, fixed = (stats.binom(250, rate).logpmf(6) for rate in (6 / 250, 0.01))
    assert backtest.kupiec(6, 250).statistic == pytest.approx(2.0 * (free - fixed), rel=1e-10)


def test_clustered_exceptions_are_not_independent() -> None:
    clustered = np.zeros(250, bool)
    clustered[100:106] = True
    spread = np.zeros(250, bool)
    spread[::42] = True
    assert backtest.independence(clustered).p_value < 1e-5
    assert backtest.independence(spread).p_value > 0.5
    n00, n01, n10, n11 = 242, 1, 1, 5
    a, b, c = n01 / (n00 + n01), n11 / (n10 + n11), (n01 + n11) / 249
    chain = n00 * math.log(1 - a) + n01 * math.log(a) + n10 * math.log(1 - b) + n11 * math.log(b)
    pooled = (n00 + n10) * math.log(1 - c) + (n01 + n11) * math.log(c)
    assert backtest.independence(clustered).statistic == pytest.approx(2.0 * (chain - pooled), rel=1e-12)


def test_conditional_coverage_is_coverage_and_independence() -> None:
    days = np.random.default_rng(1).random(500) < 0.03
    whole = backtest.conditional_coverage(days)
    parts = backtest.kupiec(int(days.sum()), 500).statistic + backtest.independence(days).statistic
    assert whole.statistic == pytest.approx(parts, rel=1e-12)
    assert whole.p_value == pytest.approx(math.exp(-0.5 * whole.statistic), rel=1e-12)


def test_no_exceptions_and_nothing_else_have_finite_statistics() -> None:
    assert backtest.independence(np.zeros(100, bool)).statistic == 0.0
    assert backtest.independence(np.ones(100, bool)).statistic == 0.0
    assert backtest.kupiec(0, 250).statistic == pytest.approx(-500.0 * math.log(0.99), rel=1e-12)


@pytest.mark.parametrize(("significance", "critical", "tolerance"), [(0.05, -0.70, 0.02), (1e-4, -1.8, 0.15)])
def test_the_second_shortfall_test_has_the_published_critical_values(
    significance: float, critical: float, tolerance: float
) -> None:
    """Acerbi and Szekely (2014), table 3: 250 days at 97.5 %, for normal and other thin tails."""
    _, null = backtest._shortfall_nulls(250, 0.975, math.inf, 400_000, 0)
    assert np.quantile(null, significance) == pytest.approx(critical, abs=tolerance)


@pytest.mark.parametrize("degrees", [math.inf, 5.0])
def test_correct_forecasts_pass_as_often_as_they_should(degrees: float) -> None:
    law = stats.norm() if degrees == math.inf else stats.t(degrees)
    quantile = -law.ppf(0.025)
    shortfall = -law.expect(lambda x: x, ub=-quantile) / 0.025
    generator = np.random.default_rng(7)
    p_values = []
    for _ in range(120):
        profits = law.rvs(250, random_state=generator) * 5.0
        found = backtest.acerbi_szekely(
            profits, 5.0 * quantile, 5.0 * shortfall, degrees_of_freedom=degrees, simulations=2_000
        )
        p_values.append((found.z1_p_value, found.z2_p_value))
    for column in np.array(p_values, dtype=np.float64).T:
        assert stats.kstest(column[np.isfinite(column)], "uniform").pvalue > 1e-3


def test_a_shortfall_that_is_too_low_is_found() -> None:
    profits = np.random.default_rng(2).standard_t(3, 1_000)
    found = backtest.acerbi_szekely(profits, stats.norm.ppf(0.975), stats.norm.pdf(stats.norm.ppf(0.975)) / 0.025)
    assert found.z1 is not None
    assert found.z1 < 0.0
    assert found.z1_p_value is not None
    assert found.z1_p_value < 0.01
    assert found.z2_p_value < 0.01


def test_shortfall_statistics_by_hand() -> None:
    profits = np.array([1.0, -3.0, 0.5, -2.5, 2.0] * 4)
    found = backtest.acerbi_szekely(profits, 2.0, np.tile([2.0, 4.0, 4.0, 5.0, 2.0], 4), confidence=0.9)
    assert found.z1 == pytest.approx(-(3 / 4 + 2.5 / 5) / 2 + 1)
    assert found.z2 == pytest.approx(-4 * (3 / 4 + 2.5 / 5) / (20 * 0.1) + 1)


def test_the_report_has_every_test() -> None:
    generator = np.random.default_rng(5)
    profits = generator.standard_normal(500)
    made = backtest.report(profits, 2.326, 2.665)
    assert made.exceptions == int((profits < -2.326).sum())
    assert made.expected_exceptions == pytest.approx(5.0)
    assert made.kupiec == backtest.kupiec(made.exceptions, 500)
    assert made.shortfall == backtest.acerbi_szekely(profits, 2.326, 2.665, confidence=0.99)
    assert backtest.report(profits, 2.326).shortfall is None


def test_without_exceptions_there_is_no_first_shortfall_test() -> None:
    found = backtest.acerbi_szekely(np.ones(50), 1.0, 2.0)
    assert (found.z1, found.z2) == (None, 1.0)


@pytest.mark.parametrize(
    ("argument", "call"),
    [
        ("value_at_risk", lambda: backtest.exceptions([1.0, 2.0], [1.0, -1.0])),
        ("value_at_risk", lambda: backtest.exceptions([1.0, 2.0], [1.0, 1.0, 1.0])),
        ("profits", lambda: backtest.exceptions([1.0, math.nan], 1.0)),
        ("exceptions", lambda: backtest.kupiec(5, 4)),
        ("observations", lambda: backtest.kupiec(0, 0)),
        ("confidence", lambda: backtest.traffic_light(5, confidence=1.0)),
        ("exceptions", lambda: backtest.independence([0.1, 0.2])),
        ("expected_shortfall", lambda: backtest.acerbi_szekely([1.0, 2.0], 2.0, 1.0)),
        ("degrees_of_freedom", lambda: backtest.acerbi_szekely([1.0, 2.0], 2.0, 3.0, degrees_of_freedom=1.0)),
    ],
)
def test_what_is_out_of_domain_is_named(argument: str, call: Callable[[], Any]) -> None:
    with pytest.raises(DomainError) as caught:
        call()
    assert caught.value.argument == argument


@pytest.mark.parametrize(("forecast", "index"), [(-1.0, None), ([1.0, -1.0], 1)])
def test_a_wrong_forecast_is_named_with_its_day_where_there_is_one_per_day(forecast: Any, index: int | None) -> None:
    with pytest.raises(DomainError) as caught:
        backtest.exceptions([1.0, 2.0], forecast)
    assert caught.value.index == index
