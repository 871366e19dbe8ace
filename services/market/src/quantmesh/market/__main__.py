"""Serve, migrate or rewind the replay: `python -m quantmesh.market [migrate | rewind]`."""

import argparse
import asyncio
import socket
import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import TypeVar

from pydantic import Field

from quantmesh.api.market.v1.market_pb2_grpc import add_MarketServiceServicer_to_server
from quantmesh.chassis.cache import Cache
from quantmesh.chassis.database import Database
from quantmesh.chassis.errors import Conflict, Unavailable
from quantmesh.chassis.service import Service, serve
from quantmesh.chassis.settings import ServiceSettings
from quantmesh.chassis.telemetry.logs import get_logger
from quantmesh.market.adapters import replay_feed
from quantmesh.market.adapters.bundled import LAST_SESSION, BundledProvider, load_calendars
from quantmesh.market.adapters.bundled_rates import load_exchange_rates
from quantmesh.market.adapters.quote_cache import QuoteCache
from quantmesh.market.adapters.replay_feed import Pace, ReplayFeed
from quantmesh.market.adapters.rpc import MarketRpc
from quantmesh.market.adapters.store.assets import AssetStore
from quantmesh.market.adapters.store.bars import BarStore
from quantmesh.market.adapters.store.chains import ChainStore
from quantmesh.market.adapters.store.closes import CloseStore
from quantmesh.market.adapters.store.feed import FeedStore
from quantmesh.market.adapters.store.ticks import TickStore
from quantmesh.market.adapters.tick_recorder import SUBJECT, TickRecorder
from quantmesh.market.core.backfill import backfill
from quantmesh.market.core.feed_clock import FeedClock
from quantmesh.market.core.ports import Calendars, Market
from quantmesh.market.core.quote_sizes import QuoteDepth
from quantmesh.market.core.replay import ReplayPlan

log = get_logger(__name__)

_CALENDAR = "XNYS"
_PATIENCE_SECONDS = 60.0
T = TypeVar("T")


class MarketSettings(ServiceSettings):
    market_replay_start: date = date(2022, 10, 3)
    market_replay_seconds_per_session: float = Field(default=390.0, gt=0.0, le=86_400.0)
    market_ticks_per_second: float = Field(default=1.0, gt=0.0, le=100.0)
    market_half_spread_bps: float = Field(default=1.0, ge=0.0, le=1_000.0)
    market_quote_volume_share: Decimal = Field(default=QuoteDepth().volume_share, gt=0, le=1)
    market_quote_size: Decimal = Field(default=QuoteDepth().default_size, gt=0, lt=1_000_000_000)
    market_tick_retention_days: int = Field(default=7, ge=1, le=365)
    market_backfill_hours: float = Field(default=6.0, gt=0.0)

    def plan(self, calendars: Calendars) -> ReplayPlan:
        seconds = self.market_replay_seconds_per_session
        return ReplayPlan(calendars[_CALENDAR], self.market_replay_start, LAST_SESSION, seconds)


async def wire(service: Service[MarketSettings]) -> None:
    settings, database = service.settings, service.database
    calendars = load_calendars()
    plan = settings.plan(calendars)
    feed_store = FeedStore(database, replay_feed.NAME, holder=f"{socket.gethostname()} {settings.grpc_bind}")
    state = await _patiently(lambda: feed_store.begin(plan.start))
    clock = FeedClock(plan, state.position)
    quotes = QuoteCache(Cache(settings.redis_url, "market"))
    market = Market(
        AssetStore(database),
        BarStore(database),
        CloseStore(database),
        ChainStore(database),
        quotes,
        clock,
        calendars,
        load_exchange_rates(),
    )
    provider = BundledProvider()
    if not settings.consumers_paused:
        await _patiently(lambda: take_in(market, provider))
    assets = await _patiently(lambda: market.assets.find(provider.symbols()))
    feed = ReplayFeed(
        plan,
        Pace(
            settings.market_ticks_per_second,
            settings.market_half_spread_bps,
            QuoteDepth(settings.market_quote_volume_share, settings.market_quote_size),
        ),
        feed_store,
        market.bars,
        market.closes,
        [asset for asset in assets.values() if asset.listing.tradable],
        clock,
        quotes,
        service.bus,
        service.clock,
        plays=not settings.consumers_paused,
    )
    recorder = TickRecorder(
        TickStore(database), market.assets, clock, timedelta(days=settings.market_tick_retention_days)
    )
    if not settings.consumers_paused:
        await service.bus.subscribe(SUBJECT, recorder.handle)
    service.add_servicer(add_MarketServiceServicer_to_server, MarketRpc(market, clock, service.clock))
    service.publish_events()
    service.add_task("replay", feed.run)
    service.add_work(
        "backfill", lambda: _every(settings.market_backfill_hours * 3600, lambda: take_in(market, provider))
    )
    service.add_work("retention", lambda: _every(60.0, recorder.forget_old))
    service.on_stop(quotes.close)


async def take_in(market: Market, provider: BundledProvider) -> None:
    done = await backfill(market, provider)
    if done:
        log.info(
            "bars taken in",
            source=provider.name,
            symbols=len(done),
            bars=sum(len(one.bars) for one in done),
            rejected=sum(len(one.rejections) for one in done),
            gaps={one.asset.symbol: len(one.gaps) for one in done if one.gaps},
        )


async def rewind(settings: MarketSettings, arguments: Sequence[str]) -> int:
    """Back to the start of the replay; the process that plays it notices within a second."""
    argparse.ArgumentParser(prog="python -m quantmesh.market rewind").parse_args(arguments)
    if settings.database_url is None:
        sys.exit("market needs QUANTMESH_DATABASE_URL, which is not set.")
    plan = settings.plan(load_calendars())
    database = Database(settings.database_url.get_secret_value(), "market")
    try:
        await FeedStore(database, replay_feed.NAME, holder="").rewind(plan)
    finally:
        await database.close()
    sys.stdout.write(f"market: the replay starts again at the open of {plan.start.session}.\n")
    return 0


async def _patiently(step: Callable[[], Awaitable[T]]) -> T:
    """A database that is still starting is waited for; the process would else be started again and again."""
    deadline = asyncio.get_running_loop().time() + _PATIENCE_SECONDS
    while True:
        try:
            return await step()
        except (Unavailable, Conflict) as error:
            if asyncio.get_running_loop().time() > deadline:
                raise
            log.warning("waiting for the database", error=error.detail)
            await asyncio.sleep(0.5)


async def _every(seconds: float, step: Callable[[], Awaitable[None]]) -> None:
    while True:
        await asyncio.sleep(seconds)
        try:
            await step()
        except (Unavailable, Conflict) as error:
            log.warning("put off to the next time", error=error.detail)


if __name__ == "__main__":
    serve("market", MarketSettings, wire, commands={"rewind": rewind})
