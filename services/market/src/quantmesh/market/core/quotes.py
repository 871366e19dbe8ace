"""What a price is now or was then, and whether it can still be relied on."""

from dataclasses import replace
from datetime import datetime, timedelta

from quantmesh.market.core.calendars import Calendar
from quantmesh.market.core.model import Asset, Bar, Quote

# A live quote that was not renewed for this long of system time is stale.
LIVE_FOR = timedelta(seconds=15)


def quote_of_close(asset: Asset, bar: Bar, calendar: Calendar, as_of: datetime) -> Quote:
    """The last close known at `as_of`; stale where a later session has closed without a bar."""
    return Quote(
        symbol=asset.symbol,
        price=bar.close,
        time=bar.time,
        source="close",
        currency=asset.listing.currency,
        stale=bar.day != calendar.last_closed(as_of),
    )


def judged(quote: Quote, system_now: datetime, *, feed_open: bool) -> Quote:
    """A live quote with `stale` as of now: the feed stopped, or nothing of it arrived for LIVE_FOR."""
    silent = quote.received_at is None or system_now - quote.received_at > LIVE_FOR
    return replace(quote, stale=silent or not feed_open)
