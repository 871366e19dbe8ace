"""Market's parts on real servers, with a few of the real series: taking in all of them costs seconds."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, LiteralString, Protocol

import psycopg
import pytest
from psycopg import sql

from quantmesh.chassis.cache import Cache
from quantmesh.chassis.database import Database
from quantmesh.chassis.events import EventBus
from quantmesh.local.servers import PostgresServer
from quantmesh.local.testing import NewDatabase, RunningServer, ServiceDatabase
from quantmesh.local.testing.databases import cloned_database
from quantmesh.market.adapters import replay_feed
from quantmesh.market.adapters.bundled import BundledProvider, load_calendars
from quantmesh.market.adapters.bundled_rates import load_exchange_rates
from quantmesh.market.adapters.quote_cache import QuoteCache
from quantmesh.market.adapters.replay_feed import Pace, Publisher, ReplayFeed
from quantmesh.market.adapters.store.assets import AssetStore
from quantmesh.market.adapters.store.bars import BarStore
from quantmesh.market.adapters.store.chains import ChainStore
from quantmesh.market.adapters.store.closes import CloseStore
from quantmesh.market.adapters.store.feed import FeedStore
from quantmesh.market.adapters.store.ticks import TickStore
from quantmesh.market.adapters.tick_recorder import TickRecorder
from quantmesh.market.core.backfill import backfill
from quantmesh.market.core.feed_clock import FeedClock
from quantmesh.market.core.ports import Market
from quantmesh.market.core.replay import ReplayPlan

FIRST, LAST = date(2022, 10, 3), date(2022, 10, 5)
NO_REDIS = "redis://127.0.0.1:1"
# A machine that stalls fails no test: what answers within milliseconds is given this long.
PATIENCE_SECONDS = 30.0
SYSTEM_NOW = datetime(2026, 1, 1, tzinfo=UTC)
SYMBOLS = ("MTUM", "QUAL", "SP500", "VIX", "LTC-USD", "FB-RAW")


class SomeSeries(BundledProvider):
    """The bundled data, a few symbols of it."""

    def __init__(self, symbols: Sequence[str] = SYMBOLS) -> None:
        super().__init__()
        self.chosen = list(symbols)

    def symbols(self) -> list[str]:
        return self.chosen


class StillClock:
    def __init__(self, now: datetime = SYSTEM_NOW) -> None:
        self.moment = now

    def now(self) -> datetime:
        return self.moment


@dataclass
class Parts:
    """One process of the service."""

    database: Database
    plan: ReplayPlan
    clock: FeedClock
    feed_store: FeedStore
    cache: Cache
    quotes: QuoteCache
    market: Market
    system_clock: StillClock

    async def feed(self, bus: Publisher, *, ticks_per_second: float = 50.0, plays: bool = True) -> ReplayFeed:
        assets = await self.market.assets.find(SYMBOLS)
        return ReplayFeed(
            self.plan,
            Pace(ticks_per_second, half_spread_bps=2.0),
            self.feed_store,
            self.market.bars,
            self.market.closes,
            [asset for asset in assets.values() if asset.listing.tradable],
            self.clock,
            self.quotes,
            bus,
            self.system_clock,
            plays=plays,
        )

    def recorder(self, kept: timedelta = timedelta(days=7)) -> TickRecorder:
        return TickRecorder(TickStore(self.database), self.market.assets, self.clock, kept)


async def build(
    database: Database,
    redis_url: str,
    holder: str = "a",
    seconds_per_session: float = 390,
    days: tuple[date, date] = (FIRST, LAST),
    lease_seconds: float = 1.0,
) -> Parts:
    calendars = load_calendars()
    plan = ReplayPlan(calendars["XNYS"], *days, seconds_per_session)
    feed_store = FeedStore(database, replay_feed.NAME, holder, lease_seconds)
    clock = FeedClock(plan, (await feed_store.begin(plan.start)).position)
    cache = Cache(redis_url, "market", timeout_seconds=PATIENCE_SECONDS)
    quotes = QuoteCache(cache)
    stores = AssetStore(database), BarStore(database), CloseStore(database), ChainStore(database)
    market = Market(*stores, quotes, clock, calendars, load_exchange_rates())
    return Parts(database, plan, clock, feed_store, cache, quotes, market, StillClock())


class NewParts(Protocol):
    """Another process of the service on the same database."""

    async def __call__(
        self,
        *,
        holder: str = "a",
        seconds_per_session: float = 390,
        days: tuple[date, date] = (FIRST, LAST),
        lease_seconds: float = 1.0,
    ) -> Parts: ...


@pytest.fixture(scope="session")
def loaded(postgres_server: PostgresServer) -> Iterator[ServiceDatabase]:
    """A database with the few series, of which every test gets a copy."""

    async def load(url: str) -> None:
        database = Database(url, "market")
        parts = await build(database, NO_REDIS)
        await backfill(parts.market, SomeSeries())
        await parts.quotes.close()
        await database.close()

    with cloned_database(postgres_server, "market") as template:
        with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
            runner.run(load(template.url))
        yield template


@pytest.fixture
async def database(postgres_server: PostgresServer, loaded: ServiceDatabase) -> AsyncIterator[Database]:
    copy = replace(loaded, name=f"{loaded.name}_{secrets.token_hex(4)}")
    names = {"copy": sql.Identifier(copy.name), "loaded": sql.Identifier(loaded.name)}
    with psycopg.connect(postgres_server.url, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {copy} TEMPLATE {loaded} STRATEGY file_copy").format(**names))
    opened = Database(copy.url, "market")
    yield opened
    await opened.close()
    with psycopg.connect(postgres_server.url, autocommit=True) as admin:
        admin.execute(sql.SQL("DROP DATABASE {copy} WITH (FORCE)").format(**names))


@pytest.fixture
async def empty_database(service_database: NewDatabase) -> AsyncIterator[Database]:
    opened = Database(service_database("market").url, "market")
    yield opened
    await opened.close()


@pytest.fixture
async def empty(empty_database: Database) -> AsyncIterator[Parts]:
    """Without its data."""
    parts = await build(empty_database, NO_REDIS)
    yield parts
    await parts.quotes.close()


@pytest.fixture
async def new_parts(database: Database, redis_server: RunningServer) -> AsyncIterator[NewParts]:
    built: list[Parts] = []

    async def new(
        *,
        holder: str = "a",
        seconds_per_session: float = 390,
        days: tuple[date, date] = (FIRST, LAST),
        lease_seconds: float = 1.0,
    ) -> Parts:
        built.append(await build(database, redis_server.url, holder, seconds_per_session, days, lease_seconds))
        return built[-1]

    yield new
    for parts in built:
        await parts.quotes.close()


@pytest.fixture
async def parts(new_parts: NewParts) -> Parts:
    """With its data, at the open of the first session."""
    return await new_parts()


@pytest.fixture
async def reading(loaded: ServiceDatabase) -> AsyncIterator[Parts]:
    """For tests that write nothing: on the database that the others copy, and without Redis."""
    database = Database(loaded.url, "market")
    parts = await build(database, NO_REDIS)
    yield parts
    await parts.quotes.close()
    await database.close()


@pytest.fixture
async def bus(nats_server: RunningServer) -> AsyncIterator[EventBus]:
    opened = EventBus(nats_server.url, "market")
    await opened.connect(patience_seconds=PATIENCE_SECONDS)
    yield opened
    await opened.close()


async def rows(database: Database, statement: LiteralString) -> list[tuple[Any, ...]]:
    """As the service's own role, outside of its code."""
    async with await psycopg.AsyncConnection.connect(database.url, options="-c search_path=market") as connection:
        await connection.execute("SET ROLE quantmesh_market_system")
        return await (await connection.execute(statement)).fetchall()


async def until(condition: Callable[[], Awaitable[bool]] | Callable[[], bool]) -> None:
    """Within PATIENCE_SECONDS."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            answer = condition()
            if answer if isinstance(answer, bool) else await answer:
                return
            await asyncio.sleep(0.01)


def at(day: date, hour: int, minute: int = 0) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=UTC)


def decimals(values: Sequence[object]) -> list[Decimal]:
    return [Decimal(str(value)) for value in values]
