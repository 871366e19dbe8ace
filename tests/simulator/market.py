"""A market whose prices, hours and silences are drawn from the seed."""

import random
from collections.abc import Collection, Mapping
from datetime import date, datetime
from decimal import Decimal

from quantmesh.chassis.clock import Clock
from quantmesh.portfolio.core.errors import MarketUnavailable
from quantmesh.portfolio.core.market import Adjustment, Asset, Closes, ExchangeRate, MarketClock, Quote, RateHistory

SYMBOLS = ("AAPL", "IBM", "MSFT")
_TICK = Decimal("0.01")
_HALF_SPREAD = Decimal("0.05")
_LONGEST_STEP_TICKS = 40


class SeededMarket:
    """The portfolio's Market port. It moves when it is told to, between the scheduler's steps."""

    def __init__(self, draw: random.Random, clock: Clock) -> None:
        self._draw = draw
        self._clock = clock
        self.is_open = True
        self.is_silent = False
        self.prices = {symbol: Decimal(100 + 50 * index) for index, symbol in enumerate(SYMBOLS)}
        self.stale: set[str] = set()

    def move(self) -> str:
        """One quote changes; what it became."""
        symbol = self._draw.choice(SYMBOLS)
        self.prices[symbol] += _TICK * self._draw.randrange(-_LONGEST_STEP_TICKS, _LONGEST_STEP_TICKS + 1)
        self.stale ^= {symbol} if self._draw.random() < 0.1 else set()
        return f"{symbol} at {self.prices[symbol]}{' (stale)' if symbol in self.stale else ''}"

    async def clock(self) -> MarketClock:
        self._answer()
        return MarketClock(self._clock.now(), self.is_open, "" if self.is_open else "closed")

    async def now(self, at_least: datetime) -> datetime:
        return (await self.clock()).time

    async def assets(self, symbols: Collection[str]) -> Mapping[str, Asset]:
        self._answer()
        return {
            symbol: Asset(symbol, "USD", Adjustment.RAW, _TICK, Decimal(1), tradable=True)
            for symbol in symbols
            if symbol in self.prices
        }

    async def quotes(
        self, symbols: Collection[str], as_of: datetime | None = None, known_at: datetime | None = None
    ) -> Mapping[str, Quote]:
        self._answer()
        return {symbol: self._quote(symbol) for symbol in symbols if symbol in self.prices}

    async def closes(
        self, symbols: Collection[str], start: date, end: date, as_of: datetime | None, known_at: datetime | None
    ) -> Mapping[str, Closes]:
        self._answer()
        return {symbol: {} for symbol in symbols}

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

    def _quote(self, symbol: str) -> Quote:
        price = self.prices[symbol]
        return Quote(
            symbol,
            price,
            price - _HALF_SPREAD,
            price + _HALF_SPREAD,
            self._clock.now(),
            symbol in self.stale,
            "USD",
        )

    def _answer(self) -> None:
        if self.is_silent:
            raise MarketUnavailable("The market does not answer.")
