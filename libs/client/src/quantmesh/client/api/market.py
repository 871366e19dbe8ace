"""/assets and /market: what there is, and what it costs."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime

from quantmesh.client.models.base import Page
from quantmesh.client.models.market import Asset, Bars, Clock, ExchangeRates, OptionChain, Quotes
from quantmesh.client.transport import Transport


class Market:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def assets(self, asset_class: str | None = None) -> Iterator[Asset]:
        """All of them, page after page."""
        cursor: str | None = None
        while True:
            query = {"asset_class": asset_class, "cursor": cursor}
            page = self._transport.call("GET", "/assets", Page[Asset], query=query)
            yield from page.data
            cursor = page.next_cursor
            if cursor is None:
                return

    def quotes(self, symbols: Sequence[str]) -> Quotes:
        return self._transport.call("GET", "/market/quotes", Quotes, query={"symbols": ",".join(symbols)})

    def bars(
        self,
        symbol: str,
        *,
        start: date | None = None,
        end: date | None = None,
        interval: str = "1d",
        limit: int = 1000,
        cursor: str | None = None,
    ) -> Bars:
        """A page of them; `cursor` is the page before's `next_cursor`, None with the last one."""
        query = {
            "interval": interval,
            "start": start.isoformat() if start else None,
            "end": end.isoformat() if end else None,
            "limit": limit,
            "cursor": cursor,
        }
        return self._transport.call("GET", f"/market/{symbol}/bars", Bars, query=query)

    def exchange_rates(self, base: str, quotes: Sequence[str], day: date | None = None) -> ExchangeRates:
        """Reference rates; the last ones where no day is given."""
        query = {"base": base, "quote": ",".join(quotes), "date": day.isoformat() if day else None}
        return self._transport.call("GET", "/market/exchange-rates", ExchangeRates, query=query)

    def option_chain(self, underlying: str, as_of: datetime | None = None) -> OptionChain:
        query = {"as_of": as_of.isoformat() if as_of else None}
        return self._transport.call("GET", f"/market/{underlying}/option-chain", OptionChain, query=query)

    def clock(self) -> Clock:
        return self._transport.call("GET", "/market/clock", Clock)
