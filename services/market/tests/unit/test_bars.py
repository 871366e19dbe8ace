"""Weeks, months and gaps."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from quantmesh.market.core.aggregate_bars import aggregate_bars, period_start
from quantmesh.market.core.calendars import AroundTheClock
from quantmesh.market.core.find_gaps import find_gaps
from quantmesh.market.core.model import Bar, Interval

START = date(2020, 1, 1)
_PRICES = st.decimals(min_value=1, max_value=1000, places=2)


def bar(day: date, opened: int, high: int, low: int, close: int, volume: int = 10) -> Bar:
    time = datetime(day.year, day.month, day.day, 21, tzinfo=UTC)
    return Bar(day, time, Decimal(close), Decimal(opened), Decimal(high), Decimal(low), Decimal(volume))


def test_a_week_opens_with_its_first_day_and_closes_with_its_last() -> None:
    monday = date(2020, 1, 6)
    days = [bar(monday + timedelta(n), 10 + n, 20 + n, 5 - n, 12 + n) for n in range(5)]
    (week,) = aggregate_bars(days, Interval.WEEK)
    assert (week.day, week.time) == (days[-1].day, days[-1].time)
    assert [week.open, week.high, week.low, week.close, week.volume] == [Decimal(n) for n in (10, 24, 1, 16, 50)]


def test_months_split_at_the_first() -> None:
    days = [bar(date(2020, 1, 31), 1, 2, 1, 2), bar(date(2020, 2, 3), 3, 4, 3, 4)]
    assert [month.close for month in aggregate_bars(days, Interval.MONTH)] == [2, 4]


def test_what_one_day_lacks_the_period_lacks() -> None:
    days = [bar(date(2020, 1, 6), 10, 20, 5, 12), Bar(date(2020, 1, 7), datetime(2020, 1, 7, tzinfo=UTC), Decimal(13))]
    (week,) = aggregate_bars(days, Interval.WEEK)
    assert [week.open, week.high, week.low, week.close, week.volume] == [Decimal(10), None, None, Decimal(13), None]


@given(st.lists(_PRICES, min_size=1, max_size=80), st.sampled_from([Interval.WEEK, Interval.MONTH]))
def test_nothing_is_lost_by_aggregation(closes: list[Decimal], interval: Interval) -> None:
    days = [
        Bar(START + timedelta(n), datetime(2020, 1, 1, tzinfo=UTC) + timedelta(n), p, p, p, p, p)
        for n, p in enumerate(closes)
    ]
    periods = aggregate_bars(days, interval)
    assert sum(period.volume or 0 for period in periods) == sum(closes)
    assert max(period.high or 0 for period in periods) == max(closes)
    assert len({period_start(period.day, interval) for period in periods}) == len(periods)
    assert periods[-1].close == closes[-1]


def test_finds_the_sessions_between_first_and_last_that_are_missing() -> None:
    have = [date(2019, 3, 19), date(2019, 4, 1)]
    gaps = find_gaps(have, AroundTheClock())
    assert (len(gaps), gaps[0], gaps[-1]) == (12, date(2019, 3, 20), date(2019, 3, 31))
    assert find_gaps([], AroundTheClock()) == []
