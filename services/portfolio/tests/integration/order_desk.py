"""What tests of orders share: balances as the database keeps them, and the venue's proposals made by hand."""

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any
from uuid import UUID

from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb
from quantmesh.chassis.ids import uuid7
from quantmesh.chassis.sql import text
from quantmesh.portfolio.adapters.store import Store
from quantmesh.portfolio.core.end_order import expire_order
from quantmesh.portfolio.core.execution import ExecutionCosts, Venue
from quantmesh.portfolio.core.fill_order import fill_order, trigger_order
from quantmesh.portfolio.core.market import MarketClock, Quote
from quantmesh.portfolio.core.orders import Order
from quantmesh.portfolio.core.posting_rules import CASH, SECURITIES

from .fakes import COSTS, NOW, SESSION_CLOSE, Service, User, quote

STATUS = {number: name.removeprefix("ORDER_STATUS_").lower() for name, number in pb.OrderStatus.items()}


@dataclass(frozen=True, slots=True)
class Balance:
    amount: Decimal
    reserved: Decimal

    @property
    def free(self) -> Decimal:
        return self.amount - self.reserved


def sized(price: str, size: str | None, *, minutes: int = 0, symbol: str = "AAPL") -> Quote:
    """Five cents to either side of `price`, each for `size` units; `minutes` after NOW."""
    made = quote(symbol, price)
    good_for = None if size is None else Decimal(size)
    return replace(made, time=NOW.replace(minute=minutes), bid_size=good_for, ask_size=good_for)


class Desk:
    """Executes proposals as the venue does: each in a transaction of the order's owner."""

    def __init__(self, service: Service, user: User) -> None:
        self._service = service
        self._user = user

    async def fill(self, order_id: str, quantity: str, on: Quote) -> Order | None:
        async with self._service.database.transaction(self._user.owner_id) as session:
            store = Store(session, self._user.owner_id)
            now = self._service.clock.now()
            return await fill_order(store, UUID(order_id), Decimal(quantity), await self._venue(on), now, uuid7)

    async def trigger(self, order_id: str, on: Quote) -> Order | None:
        async with self._service.database.transaction(self._user.owner_id) as session:
            store = Store(session, self._user.owner_id)
            return await trigger_order(store, UUID(order_id), await self._venue(on), self._service.clock.now(), uuid7)

    async def expire(self, order_id: str, at: Any = SESSION_CLOSE) -> Order | None:
        async with self._service.database.transaction(self._user.owner_id) as session:
            store = Store(session, self._user.owner_id)
            return await expire_order(store, UUID(order_id), at, self._service.clock.now(), uuid7)

    async def balance(self, portfolio_id: str, commodity: str = "USD") -> Balance:
        account = CASH if len(commodity) == 3 and commodity in {"USD", "EUR"} else SECURITIES
        async with self._service.database.transaction(self._user.owner_id) as session:
            found = await session.execute(
                text(
                    "SELECT amount, reserved FROM holding"
                    " WHERE portfolio_id = :id AND account = :account AND commodity = :commodity"
                ),
                {"id": portfolio_id, "account": account, "commodity": commodity},
            )
            return Balance(*found.one())

    async def reserved_by_orders(self, portfolio_id: str, side: str) -> Decimal:
        async with self._service.database.transaction(self._user.owner_id) as session:
            total = await session.scalar(
                text("SELECT coalesce(sum(reserved), 0) FROM placed_order WHERE portfolio_id = :id AND side = :side"),
                {"id": portfolio_id, "side": side},
            )
            return Decimal(total)

    async def _venue(self, on: Quote) -> Venue:
        asset = (await self._service.market.assets([on.symbol]))[on.symbol]
        return Venue(asset, on, MarketClock(on.time, open=True, session_close=SESSION_CLOSE), ExecutionCosts(**COSTS))


async def events_of(user: User, portfolio_id: str, after: int = 2) -> list[str]:
    return [event.type for event in (await user.events(portfolio_id, after=after)).events]
