"""Aware datetimes in Python, `google.protobuf.Timestamp` on the wire, microseconds in both."""

from datetime import UTC, datetime, timedelta

from google.protobuf.timestamp_pb2 import Timestamp

from quantmesh.chassis.errors import InvalidInput, Violation

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EARLIEST = datetime(1, 1, 1, tzinfo=UTC)
_LATEST_SECONDS = 253_402_300_799  # 9999-12-31T23:59:59Z, the end of what a datetime can hold


def to_timestamp(moment: datetime) -> Timestamp:
    if moment.tzinfo is None:
        msg = f"{moment.isoformat()} has no time zone; pass an aware datetime"
        raise ValueError(msg)
    elapsed = moment - _EPOCH
    return Timestamp(seconds=elapsed.days * 86_400 + elapsed.seconds, nanos=elapsed.microseconds * 1_000)


def from_timestamp(stamp: Timestamp, field: str = "time") -> datetime:
    """In UTC; what is finer than a microsecond is cut off. InvalidInput names `field`."""
    earliest = int((_EARLIEST - _EPOCH).total_seconds())
    if not (earliest <= stamp.seconds <= _LATEST_SECONDS and 0 <= stamp.nanos < 1_000_000_000):
        detail = f"{field} is not a time between the years 1 and 9999."
        raise InvalidInput(detail, violations=[Violation(field, "not a time between the years 1 and 9999")])
    return _EPOCH + timedelta(seconds=stamp.seconds, microseconds=stamp.nanos // 1_000)
