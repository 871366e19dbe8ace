"""Plays past sessions as a live feed, labelled `replay`: quotes on NATS, ticks for the recorder, closes as events."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from prometheus_client import Gauge

from quantmesh.chassis.clock import Clock
from quantmesh.chassis.errors import Conflict, Unavailable
from quantmesh.chassis.telemetry.logs import get_logger
from quantmesh.market.adapters.quote_cache import QuoteCache
from quantmesh.market.adapters.store.feed import FeedState, FeedStore
from quantmesh.market.adapters.tick_buffer import TickBuffer
from quantmesh.market.adapters.translate import quote_to, ticks_to
from quantmesh.market.core.feed_clock import FeedClock
from quantmesh.market.core.get_closes import to_micros
from quantmesh.market.core.model import Asset, Quote
from quantmesh.market.core.ports import Bars, Closes
from quantmesh.market.core.quote_sizes import QuoteDepth
from quantmesh.market.core.replay import Position, ReplayPlan
from quantmesh.market.core.replay_prices import SessionPrices, session_prices
from quantmesh.market.core.ticks import PRICE_SCALE

log = get_logger(__name__)

NAME = "replay"
# The position is written ahead of what is shown: a restart skips what may have been seen, and never repeats it.
# It stays ahead by more than the others' time between two looks, so that no quote is newer than their clocks.
_AHEAD_SECONDS, _LEAST_AHEAD_SECONDS, _LOOK_SECONDS = 1.5, 0.5, 0.25
# A process that was suspended does not race through what it missed.
_LONGEST_STEP_SECONDS = 1.0
_RETRY_SECONDS = 0.5

_LAST_QUOTE = Gauge("quantmesh_market_last_quote_timestamp_seconds", "When quotes were last sent, Unix time")
_ENDED = Gauge("quantmesh_market_feed_ended", "1 while the feed that is played has come to the end of its data")


class Publisher(Protocol):
    async def publish(self, subject: str, payload: bytes) -> bool: ...


@dataclass(frozen=True, slots=True)
class Pace:
    """How often every symbol ticks, in system time; how far bid and ask lie from the price, and for how many units."""

    ticks_per_second: float = 1.0
    half_spread_bps: float = 1.0
    depth: QuoteDepth = field(default_factory=QuoteDepth)


@dataclass(frozen=True, slots=True)
class _Session:
    """What one session plays: the prices, and the size of the quotes by symbol."""

    prices: SessionPrices
    sizes: Mapping[str, Decimal]


class ReplayFeed:
    """Runs in every replica; the one that holds the lease plays, the others follow its position. One that never
    `plays` follows alone."""

    def __init__(
        self,
        plan: ReplayPlan,
        pace: Pace,
        store: FeedStore,
        bars: Bars,
        closes: Closes,
        assets: Sequence[Asset],
        clock: FeedClock,
        quotes: QuoteCache,
        bus: Publisher,
        system_clock: Clock,
        *,
        plays: bool = True,
    ) -> None:
        self._plays = plays
        self._plan = plan
        self._pace = pace
        self._store = store
        self._bars = bars
        self._closes = closes
        self._assets = {asset.symbol: asset for asset in assets}
        self._clock = clock
        self._quotes = quotes
        self._bus = bus
        self._system_clock = system_clock
        self._epoch = 0
        self._waiting = False
        self._ticks = TickBuffer(NAME, self._epoch)

    async def run(self) -> None:
        """Until cancelled. While the database is away market time stands still."""
        while True:
            try:
                state = await self._store.take() if self._plays else None
                self._waiting = False
                if state is None:
                    _ENDED.set(0)
                    self._quotes.leave_to_others()
                    self._clock.show((await self._store.read()).position)
                    await asyncio.sleep(_LOOK_SECONDS)
                else:
                    await self._play(state)
            except (Unavailable, Conflict) as error:
                if not self._waiting:
                    log.warning("feed waits", error=error.detail)
                self._waiting = True
                self._clock.pause("The feed waits for its database; market time stands still.")
                await asyncio.sleep(_RETRY_SECONDS)

    async def _play(self, state: FeedState) -> None:
        """Until the turn is over: another process took the lease, or the feed was rewound."""
        if state.epoch != self._epoch:
            # What was quoted in a later past must not look newer than what comes now.
            await self._quotes.drop(list(self._assets))
            # Before it is told: what is asked for then is of the time that it went back to.
            self._clock.show(state.position)
            await self._store.tell(self._clock.now())
            self._epoch = state.epoch
            self._ticks = TickBuffer(NAME, self._epoch)
        log.info("feed plays", epoch=state.epoch, session=str(state.position.session), ended=state.position.ended)
        position: Position | None = state.position
        while position is not None:
            _ENDED.set(position.ended)
            position = await (self._rest(position) if position.ended else self._play_session(position))

    async def _play_session(self, position: Position) -> Position | None:
        """The open of the next session, or None where the turn is over."""
        session = await self._load(position)
        loop = asyncio.get_running_loop()
        period = 1.0 / self._pace.ticks_per_second
        seen = due = loop.time()
        ahead = position
        while not self._plan.at_close(position):
            due += period
            await asyncio.sleep(max(0.0, due - loop.time()))
            now = loop.time()
            due = max(due, now - period)
            position = self._plan.advance(position, min(now - seen, _LONGEST_STEP_SECONDS))
            seen = now
            if self._plan.advance(position, _LEAST_AHEAD_SECONDS) >= ahead and not self._plan.at_close(ahead):
                ahead = self._plan.advance(position, _AHEAD_SECONDS)
                if not await self._store.keep(FeedState(self._epoch, ahead)):
                    return None
                await self._send_ticks()
            self._clock.show(position)
            await self._publish(session, position)
        await self._send_ticks()
        return await self._close(position)

    async def _close(self, position: Position) -> Position | None:
        following = self._plan.next_session(position)
        # Up to the next open: what never closes has bars of the nights and weekends that are left out.
        next_at = self._plan.market_time(following)
        known = await self._store.close_session(FeedState(self._epoch, following), next_at)
        if known is None:
            return None
        # Of these a newer close than the cached one is known now; the live ones are about to be quoted again.
        await self._quotes.drop([symbol for symbol in known if symbol not in self._assets])
        self._clock.show(following)
        log.info("session closed", session=str(position.session), bars=len(known), ended=following.ended)
        return following

    async def _rest(self, position: Position) -> Position | None:
        """At the end of the data; the lease is kept, so that a rewind is noticed."""
        self._clock.show(position)
        await asyncio.sleep(_LEAST_AHEAD_SECONDS)
        return position if await self._store.keep(FeedState(self._epoch, position)) else None

    async def _load(self, position: Position) -> _Session:
        assets = list(self._assets.values())
        series = dict(zip(self._assets, await self._closes.closes(assets), strict=True))
        last_bars = await self._bars.last(assets, self._plan.market_time(position))
        sizes = {
            asset.symbol: self._pace.depth.size(last_bars.get(asset.symbol), asset.listing.lot_size) for asset in assets
        }
        length = int(self._plan.length(position.session))
        return _Session(session_prices(assets, series, position.session, length), sizes)

    async def _publish(self, session: _Session, position: Position) -> None:
        prices = session.prices
        market_time, received_at = self._plan.market_time(position), self._system_clock.now()
        price, bid, ask = prices.at(position.seconds, self._pace.half_spread_bps)
        quotes = {}
        for symbol, *units in zip(prices.symbols, price.tolist(), bid.tolist(), ask.tolist(), strict=True):
            quote = self._quote(symbol, units, session.sizes[symbol], market_time, received_at)
            quotes[symbol] = (quote, quote_to(quote).SerializeToString())
        self._quotes.feed(quotes)
        sent = [await self._bus.publish(f"quotes.{symbol}", message) for symbol, (_quote, message) in quotes.items()]
        if any(sent):
            _LAST_QUOTE.set(received_at.timestamp())
        self._ticks.add(prices.symbols, to_micros(market_time), price, bid, ask)

    def _quote(
        self, symbol: str, units: list[int], size: Decimal, market_time: datetime, received_at: datetime
    ) -> Quote:
        price, bid, ask = (Decimal(unit).scaleb(-PRICE_SCALE).normalize() for unit in units)
        return Quote(
            symbol,
            price,
            market_time,
            NAME,
            self._assets[symbol].listing.currency,
            bid,
            ask,
            size,
            size,
            received_at=received_at,
        )

    async def _send_ticks(self) -> None:
        batch = self._ticks.take()
        if batch is not None:
            await self._bus.publish(f"ticks.{NAME}", ticks_to(batch).SerializeToString())
