"""The breakers at work: prices in, halts out; and which halts are in force, as the database last said."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import date, datetime, timedelta
from decimal import Decimal

from prometheus_client import Gauge

from quantmesh.chassis.clock import Clock
from quantmesh.chassis.database import Database
from quantmesh.chassis.errors import Unavailable
from quantmesh.chassis.ids import uuid7
from quantmesh.chassis.telemetry.logs import get_logger
from quantmesh.portfolio.adapters.store.halts import HaltStore
from quantmesh.portfolio.core.errors import HaltInForce, HaltLifted
from quantmesh.portfolio.core.halts.impose import lift_halt, trip_breaker
from quantmesh.portfolio.core.halts.index_fall import IndexFall, IndexRule
from quantmesh.portfolio.core.halts.model import RULE, Halt, HaltKind, Trip, halt_of
from quantmesh.portfolio.core.halts.price_band import BandRule, PriceBand
from quantmesh.portfolio.core.market import Quote
from quantmesh.portfolio.core.ports import Market

log = get_logger(__name__)

# Weekends and holidays lie between two closes.
_CLOSE_WITHIN = timedelta(days=10)
_ASK_AGAIN_SECONDS = 5.0

_IN_FORCE = Gauge("quantmesh_venue_halts", "Halts in force")


class Breakers:
    """`begin` a leader's term: what prices did before it is forgotten, what was halted or should have been is not."""

    def __init__(self, database: Database, market: Market, clock: Clock, band: BandRule, index: IndexRule) -> None:
        self._database = database
        self._market = market
        self._clock = clock
        self._band = band
        self._index = index
        self._bands: dict[str, PriceBand] = {}
        self._fall: IndexFall | None = None
        self._day: date | None = None
        self._last_close: Decimal | None = None
        self._ask_at = 0.0
        self._in_force: list[Halt] = []
        self._unimposed: list[Trip] = []
        # Symbols of which the database knows that nothing may trade at their price.
        self._limited: set[str] = set()
        self._imposing = asyncio.Lock()

    async def begin(self) -> None:
        self._bands.clear()
        self._fall = self._day = self._last_close = None
        self._limited.clear()
        async with self._database.system_transaction() as session:
            await HaltStore(session).end_limit_state()
        await self.read()

    async def read(self) -> None:
        """What is in force by now, whoever imposed it."""
        async with self._database.system_transaction() as session:
            self._in_force = await HaltStore(session).in_force()
        _IN_FORCE.set(len(self._in_force))

    def halt_of(self, symbol: str) -> Halt | None:
        return halt_of(self._in_force, symbol)

    def may_trade(self, symbol: str) -> bool:
        """Neither halted, nor about to be, nor at a price outside its band."""
        band = self._bands.get(symbol)
        tripped = any(trip.symbol in {"", symbol} for trip in self._unimposed)
        return self.halt_of(symbol) is None and not tripped and not (band is not None and band.in_limit_state)

    async def on_price(self, quote: Quote) -> None:
        """Each good quote once. Raises Unavailable where the database is away."""
        await self._impose_tripped()
        await self.on_time(quote.time)
        # While its breaker holds, the band has no opinion: after it the next price is a reference of its own.
        if not any(halt.kind is HaltKind.BREAKER and halt.symbol == quote.symbol for halt in self._in_force):
            band = self._bands.get(quote.symbol)
            if band is None:
                band = self._bands[quote.symbol] = PriceBand(quote.symbol, self._band)
            await self._trip(band.on_price(quote.time, quote.price))
            await self._tell_limit_state(quote, band)
        if quote.symbol == self._index.symbol:
            await self._on_index(quote)

    async def on_time(self, market_time: datetime) -> None:
        """Lift what has had its time."""
        for halt in [one for one in self._in_force if one.has_had_its_time(market_time)]:

            async def lift(log_of_halts: HaltStore, halt: Halt = halt) -> None:
                await lift_halt(log_of_halts, halt.id, RULE, self._clock.now())

            await self._decide(lift)
            log.warning("halt lifted by its rule", symbol=halt.symbol, cause=halt.cause)

    async def _tell_limit_state(self, quote: Quote, band: PriceBand) -> None:
        """To all replicas, which fill orders as they are placed."""
        symbol = quote.symbol
        if band.in_limit_state == (symbol in self._limited):
            return
        async with self._database.system_transaction() as session:
            if band.in_limit_state:
                await HaltStore(session).begin_limit_state(symbol, quote.time)
            else:
                await HaltStore(session).end_limit_state(symbol)
        self._limited ^= {symbol}

    async def _on_index(self, quote: Quote) -> None:
        day = quote.time.date()
        if day != self._day or self._last_close is None:
            await self._begin_day(quote.time)
        if self._fall is not None and self._last_close is not None:
            await self._trip(self._fall.on_price(quote.time, quote.price, self._last_close))

    async def _begin_day(self, moment: datetime) -> None:
        """Where the market does not answer, the index is watched from when it does."""
        if time.monotonic() < self._ask_at:
            return
        self._ask_at = time.monotonic() + _ASK_AGAIN_SECONDS
        symbol, day = self._index.symbol, moment.date()
        try:
            closes = await self._market.closes([symbol], day - _CLOSE_WITHIN, day - timedelta(days=1), None, None)
        except Unavailable as error:
            log.warning("the last close of the index is not known yet", symbol=symbol, error=error.detail)
            return
        of_index = closes[symbol].prices.decimals() if symbol in closes else []
        async with self._database.system_transaction() as session:
            taken = await HaltStore(session).level_taken(moment)
        self._fall = IndexFall(self._index, day=day, taken=taken)
        self._day, self._last_close = day, of_index[-1] if of_index else None
        if self._last_close is None:
            log.warning("the index has no close in the days before", symbol=symbol, day=str(day))

    async def _trip(self, trip: Trip | None) -> None:
        if trip is not None:
            self._unimposed.append(trip)
            log.warning("breaker tripped", symbol=trip.symbol, cause=trip.cause)
            await self._impose_tripped()

    async def _impose_tripped(self) -> None:
        """A rule is met once; while the database is away its halt waits here, and nothing trades."""
        async with self._imposing:
            while self._unimposed:
                trip = self._unimposed[0]

                async def impose(log_of_halts: HaltStore, trip: Trip = trip) -> None:
                    await trip_breaker(log_of_halts, trip, self._clock.now(), uuid7)

                await self._decide(impose)
                self._unimposed.remove(trip)

    async def _decide(self, change: Callable[[HaltStore], Awaitable[None]]) -> None:
        """Another leader, or an operator, may have been first."""
        try:
            async with self._database.system_transaction() as session:
                await change(HaltStore(session))
        except (HaltInForce, HaltLifted) as known:
            log.info("decided already", detail=known.detail)
        await self.read()
