"""The session table against exchange_calendars, where it came from, and against known days."""

from datetime import UTC, date, datetime

import exchange_calendars
import pytest

from quantmesh.market.adapters.bundled import load_calendars
from quantmesh.market.core.calendars import AroundTheClock, Calendar


@pytest.fixture(scope="module")
def new_york() -> Calendar:
    return load_calendars()["XNYS"]


@pytest.mark.filterwarnings("ignore:Series.values")  # within exchange_calendars, about its own pandas
def test_agrees_with_exchange_calendars_on_every_session_open_and_close(new_york: Calendar) -> None:
    reference = exchange_calendars.get_calendar("XNYS", start="1989-12-01", end="2023-02-01")
    sessions = [moment.date() for moment in reference.sessions]
    assert list(new_york.sessions(sessions[0], sessions[-1])) == sessions
    opens = [moment.to_pydatetime() for moment in reference.schedule["open"]]
    closes = [moment.to_pydatetime() for moment in reference.schedule["close"]]
    assert [new_york.open(day) for day in sessions] == opens
    assert [new_york.close(day) for day in sessions] == closes


def test_a_session_is_known_from_its_close_on_and_not_a_microsecond_before(new_york: Calendar) -> None:
    close = new_york.close(date(2022, 11, 25))
    assert close == datetime(2022, 11, 25, 18, tzinfo=UTC), "the day after Thanksgiving closes at 13:00 in New York"
    assert new_york.last_closed(close) == date(2022, 11, 25)
    assert new_york.last_closed(close.replace(hour=17, minute=59)) == date(2022, 11, 23)


def test_knows_nothing_before_its_first_close(new_york: Calendar) -> None:
    assert new_york.last_closed(datetime(1979, 12, 31, tzinfo=UTC)) is None


@pytest.mark.parametrize("day", [date(2001, 9, 11), date(2022, 12, 25), date(2022, 12, 26), date(2036, 1, 2)])
def test_holidays_and_days_beyond_the_table_are_no_sessions(new_york: Calendar, day: date) -> None:
    assert not new_york.is_session(day)


def test_crypto_closes_at_the_next_midnight() -> None:
    calendar = AroundTheClock()
    assert calendar.close(date(2020, 1, 4)) == datetime(2020, 1, 5, tzinfo=UTC)
    assert calendar.last_closed(datetime(2020, 1, 5, tzinfo=UTC)) == date(2020, 1, 4)
    assert calendar.last_closed(datetime(2020, 1, 4, 23, 59, tzinfo=UTC)) == date(2020, 1, 3)
    assert len(calendar.sessions(date(2020, 2, 1), date(2020, 3, 1))) == 30
