"""Simple and money-weighted returns, ratios and a benchmark, by hand."""

from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize

from quantmesh.portfolio.core.held_days import ordinals
from quantmesh.portfolio.core.market import closes_of
from quantmesh.portfolio.core.performance import Frequency, Period, Valuation, measure, resampled, spanned
from quantmesh.portfolio.core.returns import cash_flows, compare, money_weighted, ratios, simple_return

FIRST = date(2020, 1, 1)


def on(day: int, value: str, deposits: str = "0", withdrawals: str = "0") -> Valuation:
    return Valuation(FIRST + timedelta(days=day), Decimal(value), Decimal(deposits), Decimal(withdrawals))


def test_without_flows_in_between_all_returns_are_the_same() -> None:
    period = [on(0, "1000", "1000"), on(100, "1100"), on(364, "1210")]
    found = money_weighted(period, Decimal(0))
    assert simple_return(period, Decimal(0)) == pytest.approx(0.21, abs=1e-15)
    assert found.period_return == pytest.approx(0.21, abs=1e-13)
    assert found.rates == pytest.approx((0.21,))
    assert found.modified_dietz_return == pytest.approx(0.21, abs=1e-15)
    assert measure(period).time_weighted_return == pytest.approx(0.21, abs=1e-15)


def test_a_deposit_before_a_fall_weighs_more_by_money_than_by_time() -> None:
    # Two days: 1000 gain 10 %, then 2000 lose 10 % with what 900 more bring.
    period = [on(0, "1100", "1000"), on(1, "1800", "900")]
    found = money_weighted(period, Decimal(0))
    # 1000 x^2 + 900 x = 1800 per day: x = (-900 + sqrt(900^2 + 4 * 1000 * 1800)) / 2000.
    growth = (-900 + (900**2 + 7_200_000) ** 0.5) / 2000
    assert found.period_return == pytest.approx(growth**2 - 1, abs=1e-12)
    assert found.modified_dietz_return == pytest.approx(-100 / 1450)
    assert simple_return(period, Decimal(0)) == pytest.approx(1800 / 1900 - 1)
    assert measure(period).time_weighted_return == pytest.approx(1.1 * 0.9 - 1)


def test_a_period_later_starts_from_the_value_before_it() -> None:
    period = [on(10, "90"), on(11, "44", "0", "55")]
    # 100 -> 90, of which 55 go at the end of the second day: 100 x^2 = 44 + 55.
    found = money_weighted(period, Decimal(100))
    assert found.period_return == pytest.approx(-0.01, abs=1e-13)
    assert simple_return(period, Decimal(100)) == pytest.approx(-0.01, abs=1e-15)
    assert [(flow.amount, flow.remaining) for flow in cash_flows(period, spanned(period))] == [(Decimal(-55), 0.0)]


def test_what_is_lost_whole_is_lost_whole() -> None:
    found = money_weighted([on(0, "1000", "1000"), on(50, "0")], Decimal(0))
    assert (found.period_return, found.annualized_return) == (-1.0, -1.0)


def test_where_no_rate_solves_the_modified_dietz_return_stands_in() -> None:
    # Money came in alone, and yet less than nothing is left.
    period = [on(0, "-100"), on(1, "-200", "150")]
    found = money_weighted(period, Decimal(500))
    assert found.rates == ()
    assert found.period_return == found.modified_dietz_return == pytest.approx((-200 - 500 - 150) / (500 + 75))


def test_of_several_rates_all_are_told_and_the_one_nearest_to_dietz_is_taken() -> None:
    # (x - 1.1)(x - 1.5) = x^2 - 2.6 x + 1.65 over two equal halves.
    period = [on(0, "1", "0", "2600"), on(1, "-1650")]
    found = money_weighted(period, Decimal(1000))
    assert found.rates == pytest.approx((1.1**2 - 1, 1.5**2 - 1), rel=1e-9)
    assert found.period_return in found.rates


def test_nothing_invested_has_no_money_weighted_return() -> None:
    assert money_weighted([on(0, "0")], Decimal(0)).period_return is None
    assert money_weighted([], Decimal(0)).rates == ()


_flows = st.lists(st.tuples(st.integers(1, 5000), st.floats(-0.2, 0.2)), min_size=2, max_size=12)


@given(flows=_flows)
def test_the_internal_rate_is_what_brent_finds_for_deposits(flows: list[tuple[int, float]]) -> None:
    value, period = 0.0, []
    for number, (deposit, earned) in enumerate(flows):
        value = round((value + deposit) * (1 + earned), 2)
        period.append(on(30 * number, str(value), str(deposit)))
    length = 30 * (len(flows) - 1) + 1

    def balance(rate: float) -> float:
        ahead = [1 - 30 * number / length for number in range(len(flows))]
        terms = (deposit * (1 + rate) ** share for (deposit, _), share in zip(flows, ahead, strict=True))
        return float(sum(terms)) - value

    expected = optimize.brentq(balance, -0.9999, 1e4, xtol=1e-13)
    assert money_weighted(period, Decimal(0)).period_return == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_ratios_are_per_year_and_absent_where_undefined() -> None:
    found = ratios([0.01, -0.01, 0.02], 0.0)
    deviation = np.std([0.01, -0.01, 0.02], ddof=1)
    assert found.sharpe_ratio == pytest.approx(0.02 / 3 / deviation * np.sqrt(252))
    assert found.sortino_ratio == pytest.approx(0.02 / 3 * 252 / np.sqrt(0.0001 / 3 * 252))
    assert (ratios([0.01], 0.0).sharpe_ratio, ratios([0.01, 0.01], 0.0).sharpe_ratio) == (None, None)


def test_a_portfolio_that_is_twice_its_benchmark_has_a_beta_of_two() -> None:
    closes = {FIRST - timedelta(days=1): Decimal(100)}
    returns = [0.01, -0.02, 0.03]
    level = Decimal(100)
    for number, earned in enumerate(returns):
        level *= 1 + Decimal(str(earned))
        closes[FIRST + timedelta(days=number)] = level
    days = [FIRST + timedelta(days=number) for number in range(3)]
    period = Period(FIRST, days[-1])
    found = compare("SPX", closes_of(closes), days, [2 * each for each in returns], period, 0.0)
    assert found.beta == pytest.approx(2.0)
    assert found.alpha == pytest.approx(0.0, abs=1e-12)
    assert found.time_weighted_return == pytest.approx(1.01 * 0.98 * 1.03 - 1)
    unknown = compare("SPX", closes_of({}), days, returns, period, 0.0)
    assert (unknown.alpha, unknown.beta, unknown.time_weighted_return) == (None, None, 0.0)
    # A period in which the portfolio had no value on any day.
    assert compare("SPX", closes_of(closes), [], [], None, 0.0) == unknown


def test_a_benchmark_is_measured_to_the_end_of_the_period_and_meets_idle_days_that_earned_nothing() -> None:
    # Wednesday to Friday, of which Thursday has cash alone; nobody knows what was held on Friday.
    closes = closes_of(
        {FIRST + timedelta(day): Decimal(price) for day, price in ((-1, 100), (0, 110), (1, 99), (2, 132))}
    )
    friday = FIRST + timedelta(2)
    idle = ordinals([FIRST + timedelta(1)])
    found = compare("SPX", closes, [FIRST], [0.05], Period(FIRST, friday, idle), 0.0)
    assert found.time_weighted_return == pytest.approx(0.32, abs=1e-15)
    # Through (0.1, 0.05) and (-0.1, 0).
    assert found.beta == pytest.approx(0.25)
    assert found.alpha == pytest.approx(0.025 * 252)


def test_a_benchmark_that_began_within_the_period_is_measured_from_its_first_close() -> None:
    closes = closes_of({FIRST + timedelta(1): Decimal(100), FIRST + timedelta(2): Decimal(120)})
    days = [FIRST, FIRST + timedelta(1), FIRST + timedelta(2)]
    found = compare("SPX", closes, days, [0.9, 0.9, 0.1], Period(FIRST, days[-1]), 0.0)
    assert found.time_weighted_return == pytest.approx(0.2, abs=1e-15)
    assert found.beta is None


def test_a_flow_weighs_by_what_of_the_period_lay_ahead_of_it() -> None:
    # Of ten days, on the third of which 100 come and on the sixth of which 50 go.
    period = [on(2, "200", "100"), on(5, "150", "0", "50")]
    flows = cash_flows(period, Period(FIRST, FIRST + timedelta(9)))
    assert [flow.amount for flow in flows] == [100, -50]
    assert [flow.remaining for flow in flows] == pytest.approx([0.8, 0.4])
    # 100 + 0.8 x 100 - 0.4 x 50 were there on average.
    found = money_weighted([period[0], on(5, "166", "0", "50")], Decimal(100), Period(FIRST, FIRST + timedelta(9)))
    assert found.modified_dietz_return == pytest.approx(0.1)


def test_a_money_weighted_return_is_annualised_over_the_period() -> None:
    period = Period(FIRST, FIRST + timedelta(729))
    found = money_weighted([on(0, "100", "100"), on(100, "121")], Decimal(0), period)
    assert found.period_return == pytest.approx(0.21)
    assert found.annualized_return == pytest.approx(0.1)


def test_weeks_and_months_end_with_their_last_day_and_hold_all_flows() -> None:
    # 2020-01-01 is a Wednesday; the fifth day after it is a Monday.
    values = [on(0, "100", "100"), on(1, "110"), on(5, "121"), on(6, "231", "110"), on(31, "462")]
    series = measure(values).series
    weekly = resampled(series, Frequency.WEEKLY)
    assert [(point.day.day, int(point.net_flow), round(point.period_return, 9)) for point in weekly] == [
        (2, 100, 0.1),
        (7, 110, 0.1),
        (1, 0, 1.0),
    ]
    monthly = resampled(series, Frequency.MONTHLY)
    assert [(point.day.month, round(point.period_return, 9)) for point in monthly] == [(1, 0.21), (2, 1.0)]
    assert monthly[-1].time_weighted_return == series[-1].time_weighted_return
    assert resampled(series, Frequency.DAILY) == list(series)
