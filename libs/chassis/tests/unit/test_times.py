from datetime import UTC, datetime, timedelta, timezone

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given, settings
from hypothesis import strategies as st

from quantmesh.chassis.clock import SystemClock
from quantmesh.chassis.errors import InvalidInput
from quantmesh.chassis.times import from_timestamp, to_timestamp


@settings(deadline=None)
@given(st.datetimes(timezones=st.timezones()))
def test_a_moment_comes_back_from_the_wire_to_the_microsecond(moment: datetime) -> None:
    try:
        in_utc = moment.astimezone(UTC)
    except OverflowError:  # the zone's offset leaves the calendar
        return
    assert from_timestamp(to_timestamp(moment)) == in_utc


def test_zones_are_translated_to_utc() -> None:
    tokyo = timezone(timedelta(hours=9))
    back = from_timestamp(to_timestamp(datetime(2020, 1, 2, 9, tzinfo=tokyo)))
    assert back.isoformat() == "2020-01-02T00:00:00+00:00"


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        to_timestamp(datetime(2020, 1, 2))  # noqa: DTZ001  that is the point


@pytest.mark.parametrize(
    "stamp", [Timestamp(seconds=10**12), Timestamp(seconds=-(10**12)), Timestamp(nanos=-1), Timestamp(nanos=10**9)]
)
def test_a_time_outside_the_calendar_is_refused_by_the_name_of_its_field(stamp: Timestamp) -> None:
    with pytest.raises(InvalidInput) as refused:
        from_timestamp(stamp, "as_of")
    assert refused.value.violations[0].field == "as_of"


def test_the_ends_of_the_calendar_are_held() -> None:
    for moment in (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)):
        assert from_timestamp(to_timestamp(moment)) == moment


def test_the_system_clock_is_aware() -> None:
    assert SystemClock().now().utcoffset() == timedelta()
