"""/assets and /market: what there is, and what it costs."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime

from quantmesh.client.models.base import Page
from quantmesh.client.models.market import Asset, Bars, Clock, ExchangeRates, OptionChain, Quotes
from quantmesh.client.transport import Transport


class Market:
    """`as_of` is market time: what was true then; `known_at` system time: what was known then."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def assets(self, asset_class: str | None = None, *, search: str | None = None) -> Iterator[Asset]:
        """All of them, or those whose symbol or name has `search` in it."""
        return self._transport.pages("/assets", Page[Asset], {"asset_class": asset_class, "search": search})

    def asset(self, symbol: str) -> Asset:
        return self._transport.call("GET", f"/assets/{symbol}", Asset)

    def quotes(self, symbols: Sequence[str], as_of: datetime | None = None, known_at: datetime | None = None) -> Quotes:
        query = {"symbols": ",".join(symbols), "as_of": as_of, "known_at": known_at}
        return self._transport.call("GET", "/market/quotes", Quotes, query=query)

    def bars(
        self,
        symbol: str,
        *,
        start: date | None = None,
        end: date | None = None,
        interval: str = "1d",
        limit: int = 1000,
        cursor: str | None = None,
        as_of: datetime | None = None,
        known_at: datetime | None = None,
    ) -> Bars:
        """A page of them; `cursor` is the page before's `next_cursor`, None with the last one."""
        query = {
            "interval": interval,
            "start": start,
            "end": end,
            "limit": limit,
            "cursor": cursor,
            "as_of": as_of,
            "known_at": known_at,
        }
        return self._transport.call("GET", f"/market/{symbol}/bars", Bars, query=query)

    def exchange_rates(
        self, base: str, quotes: Sequence[str], day: date | None = None, as_of: datetime | None = None
    ) -> ExchangeRates:
        """Reference rates; the last ones where no day is given."""
        query = {"base": base, "quote": ",".join(quotes), "date": day, "as_of": as_of}
        return self._transport.call("GET", "/market/exchange-rates", ExchangeRates, query=query)

    def option_chain(self, underlying: str, as_of: datetime | None = None) -> OptionChain:
        path = f"/market/{underlying}/option-chain"
        return self._transport.call("GET", path, OptionChain, query={"as_of": as_of})

    def clock(self) -> Clock:
        return self._transport.call("GET", "/market/clock", Clock)
