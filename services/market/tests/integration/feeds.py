"""Feeds that play for a while, and what they tell."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime

from quantmesh.api.market.v1.events_pb2 import BarsIngested
from quantmesh.api.market.v1.market_pb2 import Quote as QuoteMessage
from quantmesh.chassis.errors import Unavailable
from quantmesh.chassis.events import EventBus
from quantmesh.market.adapters.replay_feed import ReplayFeed
from quantmesh.market.adapters.store.feed import FeedState, FeedStore
from quantmesh.market.adapters.translate import quote_from
from quantmesh.market.core.model import Quote
from services.market.tests.integration.conftest import Parts, rows


@asynccontextmanager
async def playing(feed: ReplayFeed) -> AsyncIterator[None]:
    task = asyncio.create_task(feed.run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def hear(bus: EventBus, subject: str) -> list[Quote]:
    heard: list[Quote] = []

    async def handle(_subject: str, payload: bytes) -> None:
        heard.append(quote_from(QuoteMessage.FromString(payload)))

    await bus.subscribe(subject, handle)
    await bus.client.flush()
    return heard


async def announced(parts: Parts) -> list[tuple[BarsIngested, datetime]]:
    found = await rows(parts.database, "SELECT payload, occurred_at FROM outbox ORDER BY position")
    return [(BarsIngested.FromString(bytes(payload)), when) for payload, when in found]


class Unheard:
    """Takes what is published, and says whether anything was."""

    def __init__(self) -> None:
        self.published: list[str] = []

    async def publish(self, subject: str, payload: bytes) -> bool:
        self.published.append(subject)
        return True


class Looks(FeedStore):
    """Counts how often it was looked where the feed stands."""

    looks = 0

    async def read(self) -> FeedState:
        self.looks += 1
        return await super().read()


class AwayAtTimes(FeedStore):
    """A database that can be away."""

    away = False

    async def keep(self, state: FeedState) -> bool:
        self._ask()
        return await super().keep(state)

    async def tell(self, market_time: datetime) -> None:
        self._ask()
        await super().tell(market_time)

    def _ask(self) -> None:
        if self.away:
            msg = "The database cannot be reached."
            raise Unavailable(msg)
