from datetime import UTC, date, datetime

import pytest

from quantmesh.market.adapters.bundled import load_calendars
from quantmesh.market.core.errors import InvalidRequest
from quantmesh.market.core.replay import Position, ReplayPlan

NEW_YORK = load_calendars()["XNYS"]


def plan(seconds_per_session: float = 390, last: date = date(2022, 10, 5)) -> ReplayPlan:
    return ReplayPlan(NEW_YORK, date(2022, 10, 1), last, seconds_per_session)


def test_starts_at_the_open_of_the_first_session_on_or_after_the_start() -> None:
    assert plan().market_time(plan().start) == datetime(2022, 10, 3, 13, 30, tzinfo=UTC)


def test_one_market_minute_passes_in_a_second() -> None:
    position = plan().advance(plan().start, 2.5)
    assert plan().market_time(position) == datetime(2022, 10, 3, 13, 32, 30, tzinfo=UTC)


def test_stops_at_the_close_however_long_the_step_was() -> None:
    position = plan().advance(plan().start, 1e6)
    assert plan().at_close(position)
    assert plan().market_time(position) == datetime(2022, 10, 3, 20, tzinfo=UTC)
    assert plan().last_closed(position) == date(2022, 10, 3)


def test_the_night_takes_no_time() -> None:
    assert plan().next_session(plan().advance(plan().start, 1e6)) == Position(ended=False, session=date(2022, 10, 4))


def test_ends_after_the_last_session_and_stays_there() -> None:
    last = plan().advance(Position(ended=False, session=date(2022, 10, 5)), 1e6)
    end = plan().next_session(last)
    assert end.ended
    assert plan().market_time(end) == datetime(2022, 10, 5, 20, tzinfo=UTC)
    assert plan().advance(end, 1e6) == end


def test_an_early_close_makes_a_shorter_session() -> None:
    assert plan().length(date(2022, 11, 25)) == 210 * 60


def test_market_time_never_goes_back() -> None:
    feed, position, times = plan(), plan().start, []
    while not position.ended:
        times.append((feed.market_time(position), feed.last_closed(position)))
        position = feed.next_session(position) if feed.at_close(position) else feed.advance(position, 37.0)
    assert times == sorted(times, key=lambda pair: (pair[0], pair[1] or date.min))
    assert {closed for _time, closed in times} >= {date(2022, 9, 30), date(2022, 10, 3), date(2022, 10, 5)}


def test_refuses_a_start_after_the_data() -> None:
    with pytest.raises(InvalidRequest, match="leaves no session to replay"):
        ReplayPlan(NEW_YORK, date(2022, 10, 6), date(2022, 10, 5), 390)
