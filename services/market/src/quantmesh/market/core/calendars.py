"""When markets are open: sessions, their opens and closes, as instants in UTC."""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from typing import Protocol
from zoneinfo import ZoneInfo

_NEW_YORK = ZoneInfo("America/New_York")
_OPEN, _CLOSE = time(9, 30), time(16)
_DAY = timedelta(days=1)


class Calendar(Protocol):
    """The trading days of one venue. Days outside `first` to `last` are no sessions."""

    code: str
    first: date
    last: date

    def __hash__(self) -> int: ...
    def is_session(self, day: date) -> bool: ...
    def open(self, session: date) -> datetime: ...
    def close(self, session: date) -> datetime: ...
    def last_closed(self, at: datetime) -> date | None: ...
    def sessions(self, start: date, end: date) -> Sequence[date]: ...


class NewYork:
    """XNYS from its holidays and early closes; a table, since computing them costs the import of pandas."""

    code = "XNYS"

    def __init__(self, first: date, last: date, holidays: Sequence[date], early_closes: Mapping[date, time]) -> None:
        self.first = first
        self.last = last
        self._holidays = frozenset(holidays)
        self._early_closes = early_closes

    def is_session(self, day: date) -> bool:
        return day.weekday() < 5 and day not in self._holidays and self.first <= day <= self.last

    def open(self, session: date) -> datetime:
        return datetime.combine(session, _OPEN, _NEW_YORK).astimezone(UTC)

    def close(self, session: date) -> datetime:
        return self._closes[bisect_left(self._days, session)]

    def last_closed(self, at: datetime) -> date | None:
        index = bisect_right(self._closes, at)
        return self._days[index - 1] if index else None

    def sessions(self, start: date, end: date) -> Sequence[date]:
        return self._days[bisect_left(self._days, start) : bisect_right(self._days, end)]

    @cached_property
    def _days(self) -> list[date]:
        count = (self.last - self.first).days + 1
        return [day for day in (self.first + _DAY * n for n in range(count)) if self.is_session(day)]

    @cached_property
    def _closes(self) -> list[datetime]:
        return [
            datetime.combine(day, self._early_closes.get(day, _CLOSE), _NEW_YORK).astimezone(UTC) for day in self._days
        ]


class AroundTheClock:
    """Crypto: every day is a session that closes at the next midnight, UTC."""

    code = "24/7"
    first = date(1980, 1, 1)
    last = date(2035, 12, 31)

    def is_session(self, day: date) -> bool:
        return self.first <= day <= self.last

    def open(self, session: date) -> datetime:
        return datetime.combine(session, time(), UTC)

    def close(self, session: date) -> datetime:
        return datetime.combine(session, time(), UTC) + _DAY

    def last_closed(self, at: datetime) -> date | None:
        day = (at - _DAY).astimezone(UTC).date()
        return min(day, self.last) if day >= self.first else None

    def sessions(self, start: date, end: date) -> Sequence[date]:
        start, end = max(start, self.first), min(end, self.last)
        return [start + _DAY * n for n in range((end - start).days + 1)]
