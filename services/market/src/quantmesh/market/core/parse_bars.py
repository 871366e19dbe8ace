"""Rows of text to bars. A row that cannot be one becomes a rejection that names the field and what was found."""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple, NoReturn

from quantmesh.market.core.calendars import Calendar
from quantmesh.market.core.errors import InvalidCsv
from quantmesh.market.core.model import Bar, Rejection

COLUMNS = ("symbol", "date", "open", "high", "low", "close", "volume")
_REQUIRED = ("symbol", "date", "close")
_MAX_FIELD = 64
# What NUMERIC(38,18) holds.
_NUMBER = re.compile(r"[0-9]{1,20}(\.[0-9]{1,18})?", re.ASCII)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)


class RawBar(NamedTuple):
    """A row as it was found; an empty text is a missing value. `line` counts from 1, the header included."""

    line: int
    symbol: str
    date: str
    open: str
    high: str
    low: str
    close: str
    volume: str


class _Refused(Exception):
    """Carries a row's first fault to `parse_bar`."""

    def __init__(self, field: str, reason: str, found: str = "") -> None:
        super().__init__(reason)
        self.field, self.reason, self.found = field, reason, found


@dataclass(frozen=True, slots=True)
class ParsedBars:
    bars: list[Bar]
    rejections: list[Rejection]


def read_csv(content: bytes) -> Iterator[RawBar | Rejection]:
    """The rows of a file with a header; the columns may stand in any order.

    Raises InvalidCsv where the file is not UTF-8 or its header does not name the columns.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        msg = f"byte {error.start} is not UTF-8"
        raise InvalidCsv(msg) from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        _check_header(header)
        positions = [header.index(name) if name in header else None for name in COLUMNS]
        for row in reader:
            if not row:
                continue
            if len(row) != len(header):
                yield Rejection(reader.line_num, "row", f"has {len(row)} fields where the header has {len(header)}")
                continue
            yield RawBar(reader.line_num, *("" if at is None else row[at].strip() for at in positions))
    except csv.Error as error:
        msg = f"line {reader.line_num}: {error}"
        raise InvalidCsv(msg) from None


def parse_bars(rows: Sequence[RawBar], calendar: Calendar, closed_at: datetime | None = None) -> ParsedBars:
    """The bars of one symbol, by day. `closed_at`: a session that closes after it cannot have a bar yet."""
    bars: dict[date, tuple[int, Bar]] = {}
    rejections = []
    for row in rows:
        try:
            bar = parse_bar(row, calendar, closed_at)
            line, first = bars.setdefault(bar.day, (row.line, bar))
            if first is not bar and first != bar:
                _refuse("date", f"line {line} has other prices for the same day", row.date)
        except _Refused as fault:
            rejections.append(Rejection(row.line, fault.field, fault.reason, row.symbol, fault.found[:_MAX_FIELD]))
    return ParsedBars([bar for _line, bar in sorted(bars.values(), key=lambda item: item[1].day)], rejections)


def parse_bar(row: RawBar, calendar: Calendar, closed_at: datetime | None = None) -> Bar:
    day, time = _session(row.date, calendar)
    if closed_at is not None and time > closed_at:
        _refuse("date", f"the session closes at {time:%Y-%m-%dT%H:%MZ}, after the market's now", row.date)
    close = _price(row.close, "close")
    if close is None:
        _refuse("close", "is missing")
    volume = _number(row.volume, "volume")
    if not (row.open or row.high or row.low):
        return Bar(day, time, close, volume=volume)
    opened, high, low = _price(row.open, "open"), _price(row.high, "high"), _price(row.low, "low")
    _check_range(opened, high, low, close)
    return Bar(day, time, close, opened, high, low, volume)


def rows_by_symbol(rows: Sequence[RawBar]) -> Mapping[str, list[RawBar]]:
    grouped: dict[str, list[RawBar]] = {}
    for row in rows:
        grouped.setdefault(row.symbol, []).append(row)
    return grouped


def _refuse(field: str, reason: str, found: str = "") -> NoReturn:
    raise _Refused(field, reason, found)


def _check_header(header: Sequence[str]) -> None:
    wanted = f"the columns are {', '.join(COLUMNS)}, of which {', '.join(_REQUIRED)} are required"
    missing = [name for name in _REQUIRED if name not in header]
    unknown = [name for name in header if name not in COLUMNS]
    twice = [name for name in COLUMNS if header.count(name) > 1]
    for names, fault in ((missing, "lacks"), (unknown, "has unknown"), (twice, "repeats")):
        if names:
            msg = f"the header {fault} {', '.join(repr(name[:_MAX_FIELD]) for name in names[:10])}; {wanted}"
            raise InvalidCsv(msg)


# Series share their dates.
@lru_cache(maxsize=32_768)
def _session(text: str, calendar: Calendar) -> tuple[date, datetime]:
    """The day, and the instant at which it closes."""
    if not _DATE.fullmatch(text):
        _refuse("date", "is not a date as YYYY-MM-DD" if text else "is missing", text)
    try:
        day = date.fromisoformat(text)
    except ValueError:
        _refuse("date", "is no day of the calendar", text)
    if not calendar.is_session(day):
        _refuse("date", f"is no session of {calendar.code}", text)
    return day, calendar.close(day)


def _price(text: str, field: str) -> Decimal | None:
    price = _number(text, field)
    if price is not None and not price:
        _refuse(field, "must be above zero", text)
    return price


def _number(text: str, field: str) -> Decimal | None:
    if not text:
        return None
    if not _NUMBER.fullmatch(text):
        wanted = "is not a plain positive number, with 20 digits before the point and 18 after it at most"
        _refuse(field, wanted, text)
    return Decimal(text)


def _check_range(opened: Decimal | None, high: Decimal | None, low: Decimal | None, close: Decimal) -> None:
    if opened is None or high is None or low is None:
        field = "open" if opened is None else "high" if high is None else "low"
        _refuse(field, "is missing while others of open, high and low are given")
    if high < max(opened, low, close):
        _refuse("high", f"is below the open {opened}, the low {low} or the close {close}", str(high))
    if low > min(opened, close):
        _refuse("low", f"is above the open {opened} or the close {close}", str(low))
