"""Instants as text."""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

_RFC3339 = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d{1,6})?([Zz]|[+-]\d{2}:[0-5]\d)", re.ASCII)


def next_recording(last: datetime, now: datetime) -> datetime:
    """When something is recorded behind what was recorded `last`, by whatever clock."""
    return max(last + timedelta(microseconds=1), now)


def rfc3339(moment: datetime) -> str:
    """In UTC with no, three or six digits of a second, as protobuf's JSON has it: 2020-01-02T15:00:00Z."""
    text = to_microseconds(moment)
    if moment.microsecond % 1000:
        return text
    return f"{text[:-4]}Z" if moment.microsecond else f"{text[:-8]}Z"


# Remembered, since what is recorded together is told with the same instants again and again.
@lru_cache(maxsize=4096)
def to_microseconds(moment: datetime) -> str:
    """In UTC with always six digits, the one spelling that is hashed."""
    return f"{moment.astimezone(UTC).isoformat(timespec='microseconds')[:-6]}Z"


def parse_rfc3339(text: str) -> datetime:
    """ValueError where a part or the zone is missing."""
    if not _RFC3339.fullmatch(text):
        msg = "not an instant such as 2020-01-02T15:00:00Z, with its zone and at most microseconds"
        raise ValueError(msg)
    try:
        return datetime.fromisoformat(text.upper().replace(" ", "T")).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        msg = "not a date and time of the calendar"
        raise ValueError(msg) from error
