"""Days as a caller wrote them."""

from datetime import date

from quantmesh.market.core.errors import InvalidDate


def parse_date(field: str, text: str) -> date | None:
    """None where empty."""
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    # ISO 8601 has other forms ("20221228"), of which one is enough.
    if day is None or day.isoformat() != text:
        description = f"{text[:40]!r} is not a date; write YYYY-MM-DD"
        raise InvalidDate(field, description)
    return day


def parse_period(start: str, end: str, first: date = date.min, last: date = date.max) -> tuple[date, date]:
    """Both included; from `first`, and to `last`, where they are empty. Raises InvalidDate."""
    begin, until = parse_date("start", start) or first, parse_date("end", end) or last
    if begin > until:
        whose = "the end" if end else "the last day that is known"
        field, description = "start", f"{begin} is after {whose}, {until}"
        raise InvalidDate(field, description)
    return begin, until
