"""Time to expiry in years (Act/365F) from the market's clock."""

from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from quantmesh.gateway.core.errors import OptionExpired

SECONDS_PER_YEAR = 365.0 * 86_400.0
# A date alone means the close of the US session, when listed equity options cease to trade.
_CLOSE = time(16, 0, tzinfo=ZoneInfo("America/New_York"))


def expiry_instant(day: date) -> datetime:
    return datetime.combine(day, _CLOSE)


def years_to_expiry(day: date, now: datetime) -> float:
    """Raises OptionExpired where `day` has closed at `now` (market time)."""
    instant = expiry_instant(day)
    seconds = (instant - now).total_seconds()
    if seconds <= 0:
        raise OptionExpired(day.isoformat(), now.isoformat())
    return seconds / SECONDS_PER_YEAR
