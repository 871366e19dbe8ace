"""Market, asked over gRPC."""

import asyncio
import time
from collections.abc import Collection, Mapping
from datetime import date, datetime
from decimal import Decimal

import numpy as np
from google.protobuf.timestamp_pb2 import Timestamp

from quantmesh.api.market.v1 import market_pb2 as pb
from quantmesh.api.market.v1.market_pb2_grpc import MarketServiceStub
from quantmesh.chassis.decimals import from_proto
from quantmesh.chassis.errors import NotFound
from quantmesh.chassis.rpc import Peer
from quantmesh.chassis.rpc.status import Unimplemented
from quantmesh.chassis.times import from_timestamp, to_timestamp
from quantmesh.portfolio.adapters.live_quotes import LiveQuotes
from quantmesh.portfolio.adapters.quotes import quote_from
from quantmesh.portfolio.core.errors import MarketUnavailable
from quantmesh.portfolio.core.market import (
    Adjustment,
    Asset,
    Closes,
    ExchangeRate,
    MarketClock,
    Quote,
    RateHistory,
)
from quantmesh.portfolio.core.option_terms import OptionTerms, terms_of
from quantmesh.portfolio.core.scaled import published

_ASSET_SECONDS = 60.0
# Short, because a replay may be rewound.
_CLOCK_SECONDS = 5.0
_CALLS_AT_ONCE = 16
_QUOTES_AT_ONCE = 100
_SYMBOLS_AT_ONCE, _DAYS_AT_ONCE = 500, 300_000
_ADJUSTMENTS = {
    pb.ADJUSTMENT_RAW: Adjustment.RAW,
    pb.ADJUSTMENT_SPLIT: Adjustment.SPLIT,
    pb.ADJUSTMENT_TOTAL_RETURN: Adjustment.TOTAL_RETURN,
}


class MarketPeer:
    """Remembers instruments for a minute and the market's time for seconds, so that recording rarely has to ask.

    With a feed an order rarely has to ask either.
    """

    def __init__(self, peer: Peer, feed: LiveQuotes | None = None) -> None:
        # Prices are everybody's: whoever may ask this service is told what it makes of them.
        self._peer = peer.in_own_name()
        self._feed = feed
        self._stub = MarketServiceStub(peer.channel)
        self._assets: dict[str, tuple[float, Asset]] = {}
        self._told: tuple[float, datetime] | None = None
        self._limit = asyncio.Semaphore(_CALLS_AT_ONCE)

    async def clock(self) -> MarketClock:
        answer = await self._peer.call(self._stub.GetClock, pb.GetClockRequest())
        clock = MarketClock(
            from_timestamp(answer.market_time, "market_time"),
            answer.open,
            answer.detail,
            from_timestamp(answer.session_close, "session_close") if answer.HasField("session_close") else None,
        )
        until = time.monotonic() + _CLOCK_SECONDS
        self._told = (until, clock.time)
        if self._feed is not None:
            self._feed.tell(clock, until)
        return clock

    async def now(self, at_least: datetime) -> datetime:
        if self._told is not None and self._told[0] > time.monotonic() and self._told[1] >= at_least:
            return self._told[1]
        return (await self.clock()).time

    async def to_trade_on(self, symbols: Collection[str]) -> tuple[MarketClock, Mapping[str, Quote]]:
        heard = None if self._feed is None else self._feed.now(symbols)
        if heard is not None:
            return heard
        clock, quotes = await asyncio.gather(self.clock(), self.quotes(symbols))
        return clock, quotes

    async def assets(self, symbols: Collection[str]) -> Mapping[str, Asset]:
        now = time.monotonic()
        found = {symbol: kept[1] for symbol in symbols if (kept := self._assets.get(symbol)) and kept[0] > now}
        wanted = [symbol for symbol in symbols if symbol not in found]
        if wanted:
            asked = await asyncio.gather(*map(self._asset, wanted))
            found |= {symbol: asset for symbol, asset in zip(wanted, asked, strict=True) if asset is not None}
        return found

    async def quotes(
        self, symbols: Collection[str], as_of: datetime | None = None, known_at: datetime | None = None
    ) -> Mapping[str, Quote]:
        wanted = list(symbols)
        answers = await asyncio.gather(
            *(
                self._peer.call(
                    self._stub.GetQuotes,
                    pb.GetQuotesRequest(
                        symbols=wanted[start : start + _QUOTES_AT_ONCE], as_of=_stamp(as_of), known_at=_stamp(known_at)
                    ),
                )
                for start in range(0, len(wanted), _QUOTES_AT_ONCE)
            )
        )
        return {quote.symbol: quote_from(quote) for answer in answers for quote in answer.quotes}

    async def closes(
        self, symbols: Collection[str], start: date, end: date, as_of: datetime | None, known_at: datetime | None
    ) -> Mapping[str, Closes]:
        """Nothing of symbols without a close between the two days."""
        wanted = list(symbols)
        at_once = min(_SYMBOLS_AT_ONCE, max(_DAYS_AT_ONCE // ((end - start).days + 1), 1))

        async def ask(some: list[str]) -> pb.GetCloseHistoryResponse:
            request = pb.GetCloseHistoryRequest(
                symbols=some,
                start=start.isoformat(),
                end=end.isoformat(),
                as_of=_stamp(as_of),
                known_at=_stamp(known_at),
            )
            try:
                async with self._limit:
                    return await self._peer.call(self._stub.GetCloseHistory, request)
            except Unimplemented as error:
                msg = "The market service is of an earlier release, which tells no closes of many symbols."
                raise MarketUnavailable(msg) from error

        parts = [wanted[first : first + at_once] for first in range(0, len(wanted), at_once)]
        answers = await asyncio.gather(*map(ask, parts))
        return {
            series.symbol: Closes(np.array(series.days, dtype=np.int64), published(series.closes))
            for answer in answers
            for series in answer.series
        }

    async def exchange_rates(
        self, currencies: Collection[str], base: str, as_of: datetime | None
    ) -> Mapping[str, ExchangeRate]:
        request = pb.GetExchangeRatesRequest(pairs=_pairs(currencies, base), as_of=_stamp(as_of))
        answer = await self._peer.call(self._stub.GetExchangeRates, request)
        return {
            rate.base: ExchangeRate(from_proto(rate.rate, "rate"), date.fromisoformat(rate.date), rate.stale)
            for rate in answer.rates
        }

    async def exchange_rate_history(
        self, currencies: Collection[str], base: str, start: date, end: date, as_of: datetime | None
    ) -> Mapping[str, RateHistory]:
        request = pb.GetExchangeRateHistoryRequest(
            pairs=_pairs(currencies, base), start=start.isoformat(), end=end.isoformat(), as_of=_stamp(as_of)
        )
        answer = await self._peer.call(self._stub.GetExchangeRateHistory, request)
        return {
            series.base: {
                date.fromisoformat(day): from_proto(rate, "rate")
                for day, rate in zip(series.dates, series.rates, strict=True)
            }
            for series in answer.series
        }

    async def _asset(self, symbol: str) -> Asset | None:
        try:
            async with self._limit:
                answer = await self._peer.call(self._stub.GetAsset, pb.GetAssetRequest(symbol=symbol))
        except NotFound:
            return None
        asset = _asset(answer.asset)
        self._assets[symbol] = (time.monotonic() + _ASSET_SECONDS, asset)
        return asset


def _pairs(currencies: Collection[str], base: str) -> list[pb.CurrencyPair]:
    return [pb.CurrencyPair(base=currency, quote=base) for currency in currencies]


def _stamp(moment: datetime | None) -> Timestamp | None:
    return None if moment is None else to_timestamp(moment)


def _asset(message: pb.Asset) -> Asset:
    return Asset(
        symbol=message.symbol,
        currency=message.currency,
        # A series that does not say is taken as it is.
        adjustment=_ADJUSTMENTS.get(message.adjustment, Adjustment.RAW),
        tick_size=from_proto(message.tick_size, "tick_size") if message.HasField("tick_size") else Decimal(0),
        lot_size=from_proto(message.lot_size, "lot_size") if message.HasField("lot_size") else Decimal(0),
        tradable=message.tradable,
        option=_option(message) if message.asset_class == pb.ASSET_CLASS_OPTION else None,
    )


def _option(message: pb.Asset) -> OptionTerms:
    return terms_of({name: str(value) for name, value in message.metadata.items()})
