"""Bars of one asset: days, or weeks and months of them, in pages."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from quantmesh.market.core.aggregate_bars import aggregate_bars
from quantmesh.market.core.dates import parse_period
from quantmesh.market.core.errors import InvalidCursor
from quantmesh.market.core.find_assets import find_asset
from quantmesh.market.core.model import Asset, Bar, Interval
from quantmesh.market.core.pages import decode_cursor, encode_cursor, page_limit
from quantmesh.market.core.ports import Market

DEFAULT_LIMIT, MAX_LIMIT = 1_000, 10_000
_MOST_DAYS = {Interval.DAY: 1, Interval.WEEK: 7, Interval.MONTH: 31}


@dataclass(frozen=True, slots=True)
class BarPage:
    asset: Asset
    source: str
    bars: list[Bar]
    next_cursor: str


async def get_bars(
    market: Market,
    symbol: str,
    interval: Interval = Interval.DAY,
    *,
    start: str = "",
    end: str = "",
    as_of: datetime | None = None,
    known_at: datetime | None = None,
    limit: int = 0,
    cursor: str = "",
) -> BarPage:
    """`start` and `end` are inclusive dates, open where empty. A bar is dated by its (last) session.

    `known_at` is system time: corrections that were recorded later are left out.
    """
    asset = await find_asset(market, symbol)
    calendar = market.calendars[asset.listing.calendar]
    first, last = parse_period(start, end, calendar.first, calendar.last)
    if cursor:
        first = max(first, _day_after(cursor))
    size = page_limit(limit, DEFAULT_LIMIT, MAX_LIMIT)
    # One period more than the page, to know whether there is a next one, and one for a first that is cut off.
    days = await market.bars.read(
        asset,
        max(first, calendar.first),
        min(last, calendar.last),
        market.true_at(as_of),
        _MOST_DAYS[interval] * (size + 2),
        known_at,
    )
    bars = aggregate_bars(days.bars, interval)
    more = len(bars) > size
    bars = bars[:size]
    return BarPage(asset, days.source, bars, encode_cursor(bars[-1].day.isoformat()) if more else "")


def _day_after(cursor: str) -> date:
    try:
        return date.fromisoformat(decode_cursor(cursor)) + timedelta(1)
    except (ValueError, OverflowError):
        raise InvalidCursor from None
