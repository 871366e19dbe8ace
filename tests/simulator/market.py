"""A market whose prices, hours and silences are drawn from the seed."""

import random
from collections.abc import Collection, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal

from quantmesh.chassis.clock import Clock
from quantmesh.portfolio.core.errors import MarketUnavailable
from quantmesh.portfolio.core.market import (
    Adjustment,
    Asset,
    Closes,
    ExchangeRate,
    MarketClock,
    Quote,
    RateHistory,
    closes_of,
)

SYMBOLS = ("AAPL", "IBM", "MSFT")
_TICK = Decimal("0.01")
_HALF_SPREAD = Decimal("0.05")
_LONGEST_STEP_TICKS = 40
_LARGEST_SIZE = 6
_SESSION = timedelta(seconds=8)


class SeededMarket:
    """The portfolio's Market port. It moves when it is told to, between the scheduler's steps."""

    def __init__(self, draw: random.Random, clock: Clock) -> None:
        self._draw = draw
        self._clock = clock
        self.is_open = True
        self.is_silent = False
        self.moves = 0
        self._opened_at = clock.now()
        self._latest = {
            symbol: self._made(symbol, Decimal(100 + 50 * index), stale=False) for index, symbol in enumerate(SYMBOLS)
        }
        self.history = list(self._latest.values())

    def move(self) -> str:
        """One quote changes; what it became."""
        before = self._latest[self._draw.choice(SYMBOLS)]
        price = before.price + _TICK * self._draw.randrange(-_LONGEST_STEP_TICKS, _LONGEST_STEP_TICKS + 1)
        quote = self._latest[before.symbol] = self._made(before.symbol, price, stale=self._draw.random() < 0.1)
        self.history.append(quote)
        self.moves += 1
        return f"{quote.symbol} at {quote.price}, {quote.bid_size} and {quote.ask_size}{' (stale)' * quote.stale}"

    def quote(self, symbol: str) -> Quote:
        return self._latest[symbol]

    def latest(self) -> list[Quote]:
        return list(self._latest.values())

    async def clock(self) -> MarketClock:
        """One session follows the other; day orders end with theirs."""
        self._answer()
        now = self._clock.now()
        close = self._opened_at + _SESSION * ((now - self._opened_at) // _SESSION + 1)
        return MarketClock(now, self.is_open, "" if self.is_open else "closed", close)

    async def to_trade_on(self, symbols: Collection[str]) -> tuple[MarketClock, Mapping[str, Quote]]:
        return await self.clock(), await self.quotes(symbols)

    async def now(self, at_least: datetime) -> datetime:
        return (await self.clock()).time

    async def assets(self, symbols: Collection[str]) -> Mapping[str, Asset]:
        self._answer()
        return {
            symbol: Asset(symbol, "USD", Adjustment.RAW, _TICK, Decimal(1), tradable=True)
            for symbol in symbols
            if symbol in self._latest
        }

    async def quotes(
        self, symbols: Collection[str], as_of: datetime | None = None, known_at: datetime | None = None
    ) -> Mapping[str, Quote]:
        self._answer()
        return {symbol: self._latest[symbol] for symbol in symbols if symbol in self._latest}

    async def closes(
        self, symbols: Collection[str], start: date, end: date, as_of: datetime | None, known_at: datetime | None
    ) -> Mapping[str, Closes]:
        self._answer()
        return {symbol: closes_of({}) for symbol in symbols}

    async def exchange_rates(
        self, currencies: Collection[str], base: str, as_of: datetime | None
    ) -> Mapping[str, ExchangeRate]:
        self._answer()
        return {}

    async def exchange_rate_history(
        self, currencies: Collection[str], base: str, start: date, end: date, as_of: datetime | None
    ) -> Mapping[str, RateHistory]:
        self._answer()
        return {}

    def _made(self, symbol: str, price: Decimal, *, stale: bool) -> Quote:
        return Quote(
            symbol,
            price,
            price - _HALF_SPREAD,
            price + _HALF_SPREAD,
            self._clock.now(),
            stale,
            "USD",
            bid_size=Decimal(self._draw.randrange(1, _LARGEST_SIZE + 1)),
            ask_size=Decimal(self._draw.randrange(1, _LARGEST_SIZE + 1)),
        )

    def _answer(self) -> None:
        if self.is_silent:
            raise MarketUnavailable("The market does not answer.")
