"""The market's feed as it is heard: what an order that comes right behind a quote need not ask for."""

import time
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from quantmesh.chassis.clock import Clock
from quantmesh.portfolio.adapters.quotes import quote_in
from quantmesh.portfolio.core.market import MarketClock, Quote

# The feed quotes every symbol once a second; who has heard nothing for longer asks.
_HEARD_SECONDS = 2.0
_SENT_WITHIN = timedelta(seconds=_HEARD_SECONDS)


class LiveQuotes:
    """The last quote of each symbol, and the market's clock as it was told last."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._heard: dict[str, tuple[float, Quote]] = {}
        self._newest: datetime | None = None
        self._told: tuple[float, MarketClock] | None = None

    async def handle(self, subject: str, payload: bytes) -> None:
        """One core NATS message."""
        quote = quote_in(subject, payload)
        if quote is None:
            return
        before = self._heard.get(quote.symbol)
        if before is not None and quote.time < before[1].time:
            # A replay was rewound: nothing that was known is of this time.
            self._heard.clear()
            self._newest = self._told = None
        self._heard[quote.symbol] = (time.monotonic() + _HEARD_SECONDS, quote)
        self._newest = quote.time if self._newest is None else max(self._newest, quote.time)

    def tell(self, clock: MarketClock, until: float) -> None:
        """What the market answered, good until `until` by the monotonic clock."""
        self._told = (until, clock)

    def now(self, symbols: Collection[str]) -> tuple[MarketClock, Mapping[str, Quote]] | None:
        """The market's clock and quotes by what was told and heard; None where that is not all, or too long ago.

        A session that is on lasts until its close: a quote from before that is the market's time. All quotes are of
        the newest time that was heard: money from a sale at one time is not there for a purchase at an earlier one.
        """
        if self._told is None or self._told[0] < time.monotonic():
            return None
        clock = self._told[1]
        quotes = {symbol: self._last(symbol) for symbol in symbols}
        found = {symbol: quote for symbol, quote in quotes.items() if quote is not None and quote.time == self._newest}
        if not found or len(found) < len(quotes) or self._newest is None or not _is_on(clock, self._newest):
            return None
        return MarketClock(max(clock.time, self._newest), clock.open, clock.detail, clock.session_close), found

    def _last(self, symbol: str) -> Quote | None:
        until, quote = self._heard.get(symbol, (0.0, None))
        if quote is None or quote.received_at is None or until < time.monotonic():
            return None
        return quote if self._clock.now() - quote.received_at < _SENT_WITHIN else None


def _is_on(clock: MarketClock, at: datetime) -> bool:
    return clock.open and clock.session_close is not None and max(clock.time, at) < clock.session_close
