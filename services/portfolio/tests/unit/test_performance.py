"""Time-weighted return and drawdown, by hand and by what must not change them."""

import math
from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantmesh.portfolio.core.held_days import ordinals
from quantmesh.portfolio.core.performance import Frequency, Period, Valuation, last_known, measure, resampled
from quantmesh.portfolio.core.returns import money_weighted

FIRST = date(2020, 1, 1)


def valued(*days: tuple[str, str, str]) -> list[Valuation]:
    """(value, deposits, withdrawals) of successive days."""
    return [
        Valuation(FIRST + timedelta(days=number), Decimal(value), Decimal(deposits), Decimal(withdrawals))
        for number, (value, deposits, withdrawals) in enumerate(days)
    ]


def test_deposits_count_from_the_start_of_their_day() -> None:
    # 1000 -> 1100 (+10 %); 1100 + 900 -> 1800 (-10 %); 1800 -> 1980 (+10 %).
    found = measure(valued(("1000", "1000", "0"), ("1100", "0", "0"), ("1800", "900", "0"), ("1980", "0", "0")))
    assert found.time_weighted_return == pytest.approx(1.1 * 0.9 * 1.1 - 1, abs=1e-15)
    assert [point.net_flow for point in found.series] == [1000, 0, 900, 0]


def test_withdrawals_count_until_the_end_of_their_day() -> None:
    # 1000 grows to 1200, of which all is taken out: +20 %, and nothing is left.
    found = measure(valued(("1000", "1000", "0"), ("0", "0", "1200")))
    assert found.time_weighted_return == pytest.approx(0.2, abs=1e-15)


def test_days_with_nothing_invested_earn_nothing() -> None:
    found = measure(valued(("1000", "1000", "0"), ("0", "0", "1000"), ("0", "0", "0"), ("500", "500", "0")))
    assert found.time_weighted_return == pytest.approx(0.0, abs=1e-15)


def test_who_has_lost_all_or_more_has_lost_all_whatever_new_money_makes_of_itself() -> None:
    # 100 become a debt of 50, which grows; 1,000 more become 1,045.
    lost = measure(valued(("100", "100", "0"), ("-50", "0", "0"), ("-60", "0", "0"), ("1034", "1000", "0")))
    assert [point.period_return for point in lost.series] == pytest.approx([0.0, -1.5, 0.0, 0.1], abs=1e-15)
    assert [point.time_weighted_return for point in lost.series] == [0.0, -1.0, -1.0, -1.0]
    assert (lost.time_weighted_return, lost.annualized_return, lost.maximum_drawdown) == (-1.0, -1.0, -1.0)
    (month,) = resampled(lost.series, Frequency.MONTHLY)
    assert month.period_return == -1.0


def test_the_deepest_drawdown_is_from_peak_to_trough() -> None:
    found = measure(valued(("100", "100", "0"), ("120", "0", "0"), ("90", "0", "0"), ("108", "0", "0")))
    assert found.maximum_drawdown == pytest.approx(-0.25, abs=1e-15)
    assert (found.maximum_drawdown_start, found.maximum_drawdown_end) == (date(2020, 1, 2), date(2020, 1, 3))
    assert [point.drawdown for point in found.series] == pytest.approx([0, 0, -0.25, -0.1], abs=1e-15)


def test_a_fall_from_the_start_is_a_drawdown_too() -> None:
    found = measure(valued(("90", "100", "0"), ("95", "0", "0"), ("80", "0", "0")))
    assert found.maximum_drawdown == pytest.approx(-0.2, abs=1e-15)
    assert (found.maximum_drawdown_start, found.maximum_drawdown_end) == (FIRST, date(2020, 1, 3))


def test_growth_alone_has_no_drawdown() -> None:
    found = measure(valued(("100", "100", "0"), ("101", "0", "0")))
    assert (found.maximum_drawdown, found.maximum_drawdown_start, found.maximum_drawdown_end) == (0.0, None, None)


def test_volatility_is_the_sample_deviation_per_year() -> None:
    found = measure(valued(("100", "100", "0"), ("110", "0", "0"), ("99", "0", "0")))
    assert found.volatility == pytest.approx(np.std([0.0, 0.1, -0.1], ddof=1) * math.sqrt(252), rel=1e-12)


def test_less_than_a_year_is_not_annualised() -> None:
    found = measure(valued(("100", "100", "0"), ("110", "0", "0")))
    assert found.annualized_return == found.time_weighted_return


def test_two_years_are_annualised_geometrically() -> None:
    days = [
        Valuation(FIRST, Decimal(100), Decimal(100)),
        Valuation(FIRST + timedelta(days=729), Decimal(121)),
    ]
    assert measure(days).annualized_return == pytest.approx(0.1, abs=1e-12)
    # Over as many days as the money-weighted one, which is the same where nothing flowed in between.
    assert money_weighted(days, Decimal(0)).annualized_return == pytest.approx(0.1, abs=1e-9)


def test_a_return_is_annualised_over_the_period_and_not_over_the_days_that_moved() -> None:
    days = valued(("100", "100", "0"), ("121", "0", "0"))
    found = measure(days, period=Period(FIRST, FIRST + timedelta(729)))
    assert found.annualized_return == pytest.approx(0.1, abs=1e-12)
    within_a_year = measure(days, period=Period(FIRST, FIRST + timedelta(363)))
    assert within_a_year.annualized_return == within_a_year.time_weighted_return


def test_days_of_cash_alone_vary_as_days_that_earned_nothing() -> None:
    days = valued(("100", "100", "0"), ("110", "0", "0"), ("99", "0", "0"))
    found = measure(days, period=Period(FIRST, FIRST + timedelta(9), ordinals([FIRST, FIRST])))
    assert found.volatility == pytest.approx(np.std([0.0, 0.1, -0.1, 0.0, 0.0], ddof=1) * math.sqrt(252), rel=1e-12)
    assert len(found.series) == 3


def test_days_that_earned_the_same_have_no_volatility() -> None:
    days = valued(("110", "100", "0"), ("121", "0", "0"), ("133.1", "0", "0"))
    assert measure(days).volatility == 0.0


def test_a_later_start_has_the_value_before_it_as_its_base() -> None:
    found = measure(valued(("110", "0", "0")), opening_value=Decimal(100))
    assert found.time_weighted_return == pytest.approx(0.1, abs=1e-15)


def test_nothing_happened_is_no_return() -> None:
    found = measure([])
    assert (found.time_weighted_return, found.volatility, found.series) == (0.0, 0.0, ())


_returns = st.lists(st.floats(-0.5, 0.5), min_size=2, max_size=20)


@given(returns=_returns, flows=st.lists(st.integers(0, 10_000), min_size=20, max_size=20))
def test_deposits_do_not_change_a_time_weighted_return(returns: list[float], flows: list[int]) -> None:
    def values(deposits: list[int]) -> list[Valuation]:
        found, value = [], Decimal(0)
        for number, (earned, deposit) in enumerate(zip(returns, deposits, strict=False)):
            value = (value + deposit) * (1 + Decimal(earned))
            found.append(Valuation(FIRST + timedelta(days=number), value, Decimal(deposit)))
        return found

    once = measure(values([1000, *[0] * 19]))
    often = measure(values([1000 + flows[0], *flows[1:]]))
    assert often.time_weighted_return == pytest.approx(once.time_weighted_return, rel=1e-9, abs=1e-9)
    assert once.time_weighted_return == pytest.approx(
        math.prod(1 + earned for earned in returns) - 1, rel=1e-9, abs=1e-9
    )


def test_the_last_known_close_carries_on() -> None:
    closes = {FIRST + timedelta(days=1): Decimal(5), FIRST + timedelta(days=3): Decimal(7)}
    days = [FIRST + timedelta(days=number) for number in range(5)]
    assert last_known(closes, days) == [None, 5, 5, 7, 7]
