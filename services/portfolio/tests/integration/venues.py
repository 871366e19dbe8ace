"""The venue around a service: its broker, its relay, runners that come and go, and quotes as the market sends them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal

from quantmesh.api.market.v1 import market_pb2
from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb
from quantmesh.chassis.context import CallContext, set_call
from quantmesh.chassis.database import Database
from quantmesh.chassis.decimals import to_proto
from quantmesh.chassis.events import EventBus
from quantmesh.chassis.relay import Relay
from quantmesh.chassis.sql import text
from quantmesh.chassis.times import to_timestamp
from quantmesh.portfolio.adapters.kyc import barring
from quantmesh.portfolio.adapters.venue.breakers import Breakers
from quantmesh.portfolio.adapters.venue.desk import OrderDesk
from quantmesh.portfolio.adapters.venue.runner import VenueRunner
from quantmesh.portfolio.adapters.venue.settings import VenueSettings
from quantmesh.portfolio.adapters.venue.term import Term
from quantmesh.portfolio.core.execution import ExecutionCosts

from .fakes import COSTS, NO_CONTEXT, Service, User, quote

RULES = VenueSettings()


_UNPUBLISHED = text("SELECT count(*) FROM outbox WHERE published_at IS NULL")


@dataclass
class VenueService:
    """`service` with a broker; `bus` is the market's side of it."""

    service: Service
    bus: EventBus
    ticks: int = 0
    # The size of each side of the quotes to come; None: any.
    size: str | None = None

    @asynccontextmanager
    async def runner(self, nats_url: str, *, unlocked: bool = False) -> AsyncIterator[None]:
        """A replica that runs the venue, with connections of its own; `unlocked` it leads whoever else does."""
        database = Database(self.service.app_url, "portfolio", pool_timeout_seconds=20.0)
        bus = EventBus(nats_url, "portfolio")
        await bus.connect()
        market, clock = self.service.market, self.service.clock
        barred = barring(approval_is_required=False)
        desk = OrderDesk(database, market, clock, ExecutionCosts(**COSTS), barring=barred)
        breakers = Breakers(database, market, clock, RULES.band, RULES.index)
        set_call(CallContext())
        part = Term(bus, desk, breakers) if unlocked else VenueRunner(bus, desk, breakers)
        running = asyncio.create_task(part.run())
        try:
            yield
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running
            await bus.close()
            await database.close()

    async def tick(self, price: str, symbol: str = "AAPL", *, seconds: float = 1.0, sends: bool = True) -> None:
        """Market time goes on; the market has the quote, and tells it unless it only `sends` nothing."""
        self.ticks += 1
        market, clock = self.service.market, self.service.clock
        market.time += timedelta(seconds=seconds)
        clock.time += timedelta(milliseconds=10)
        size = None if self.size is None else Decimal(self.size)
        market.live[symbol] = replace(
            quote(symbol, price), time=market.time, bid_size=size, ask_size=size, received_at=clock.time
        )
        if sends:
            await self.send(symbol)

    async def send(self, symbol: str = "AAPL") -> None:
        now = self.service.market.live[symbol]
        message = market_pb2.Quote(
            symbol=symbol,
            price=to_proto(now.price),
            bid=None if now.bid is None else to_proto(now.bid),
            ask=None if now.ask is None else to_proto(now.ask),
            time=to_timestamp(now.time),
            source="test",
            stale=now.stale,
            currency=now.currency,
            received_at=None if now.received_at is None else to_timestamp(now.received_at),
            bid_size=None if now.bid_size is None else to_proto(now.bid_size),
            ask_size=None if now.ask_size is None else to_proto(now.ask_size),
        )
        await self.bus.publish(f"quotes.{symbol}", message.SerializeToString())

    async def until_all_is_told(self) -> None:
        """The broker has every event."""
        async with asyncio.timeout(60):
            while True:
                async with self.service.database.system_transaction() as session:
                    if not await session.scalar(_UNPUBLISHED):
                        return
                await asyncio.sleep(0.05)

    async def account(self, cash: str = "100000.00") -> tuple[User, str]:
        user = self.service.user()
        portfolio = await user.create()
        await user.deposit(portfolio.id, cash)
        return user, portfolio.id

    async def seen(self, user: User, order: pb.Order) -> pb.Order:
        user.call()
        return (await self.service.rpc.GetOrder(pb.GetOrderRequest(id=order.id), NO_CONTEXT)).order

    async def until(
        self,
        user: User,
        order: pb.Order,
        status: "pb.OrderStatus.ValueType",
        price: str | None = None,
        symbol: str = "AAPL",
    ) -> pb.Order:
        """Within 60 seconds, while the market ticks at `price`, where one is given."""
        return await self.until_order(user, order, lambda found: found.status == status, price, symbol)

    async def until_order(
        self,
        user: User,
        order: pb.Order,
        condition: Callable[[pb.Order], bool],
        price: str | None = None,
        symbol: str = "AAPL",
    ) -> pb.Order:
        async with asyncio.timeout(60):
            while True:
                if price is not None:
                    await self.tick(price, symbol)
                found = await self.seen(user, order)
                if condition(found):
                    return found
                await asyncio.sleep(0.05)


@asynccontextmanager
async def venue_service(service: Service, nats_url: str) -> AsyncIterator[VenueService]:
    """With the relay that tells of orders."""
    bus = EventBus(nats_url, "market")
    own = EventBus(nats_url, "portfolio")
    await bus.connect()
    await own.connect()
    set_call(CallContext())
    relay = asyncio.create_task(Relay(service.database, own).run())
    try:
        yield VenueService(service, bus)
    finally:
        relay.cancel()
        with suppress(asyncio.CancelledError):
            await relay
        await own.close()
        await bus.close()


async def kinds(user: User, portfolio_id: str) -> list[str]:
    return [event.type for event in (await user.events(portfolio_id)).events]
