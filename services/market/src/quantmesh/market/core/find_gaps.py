"""Sessions without a bar."""

from collections.abc import Sequence
from datetime import date

from quantmesh.market.core.calendars import Calendar


def find_gaps(days: Sequence[date], calendar: Calendar) -> list[date]:
    """The sessions between the first and the last of `days` that are not among them."""
    if not days:
        return []
    have = set(days)
    return [session for session in calendar.sessions(min(have), max(have)) if session not in have]
