"""What the book proposes, put to the ledger, which decides: each in a transaction of the order's owner."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from quantmesh.chassis.clock import Clock
from quantmesh.chassis.database import Database
from quantmesh.chassis.errors import Conflict, InvalidInput, RuleBroken, Unavailable
from quantmesh.chassis.ids import uuid7
from quantmesh.chassis.telemetry.logs import get_logger
from quantmesh.portfolio.adapters.early_copies import EarlyCopies
from quantmesh.portfolio.adapters.store import Store
from quantmesh.portfolio.adapters.store.open_orders import barred_orders, open_orders, open_versions
from quantmesh.portfolio.adapters.venue import metrics
from quantmesh.portfolio.core.end_order import cancel_order, expire_order
from quantmesh.portfolio.core.errors import PortfolioNotFound, UnknownSymbol
from quantmesh.portfolio.core.execution import ExecutionCosts, Venue
from quantmesh.portfolio.core.fill_order import fill_order, trigger_order
from quantmesh.portfolio.core.market import MarketClock, Quote
from quantmesh.portfolio.core.order_errors import IllegalTransition, OrderNotFound
from quantmesh.portfolio.core.orders import Order
from quantmesh.portfolio.core.ports import Market
from quantmesh.portfolio.core.venue.model import Action, Proposal, RestingOrder, resting_order

log = get_logger(__name__)

Outcome = TypeVar("Outcome")
_TRIES = 5
_RETRY_SECONDS = 0.02


class OrderDesk:
    def __init__(
        self,
        database: Database,
        market: Market,
        clock: Clock,
        costs: ExecutionCosts,
        early_copies: EarlyCopies | None = None,
        barring: Collection[str] = (),
    ) -> None:
        """`barring` are the KYC statuses with which nobody trades."""
        self.database = database
        self.clock = clock
        self._market = market
        self._costs = costs
        self._early_copies = early_copies
        self._barring = barring
        self._market_time: datetime | None = None

    async def open_orders(self, ids: Collection[UUID] | None = None) -> list[RestingOrder]:
        async with self.database.system_transaction() as session:
            return await open_orders(session, ids)

    async def open_versions(self) -> dict[UUID, int]:
        async with self.database.system_transaction() as session:
            return await open_versions(session)

    async def barred_orders(self, *, lately: bool) -> list[RestingOrder]:
        """The open ones of owners who may trade no more, or of whom that is known for less than a minute."""
        async with self.database.system_transaction() as session:
            return await barred_orders(session, self._barring, lately=lately)

    async def market_time(self) -> datetime:
        """The last one known while the market is silent; raises Unavailable where there is none."""
        try:
            self._market_time = (await self._market.clock()).time
        except Unavailable:
            if self._market_time is None:
                raise
        return self._market_time

    async def decide(self, proposal: Proposal, market_time: datetime, quote: Quote | None) -> RestingOrder | None:
        """The order as it rests after this; None where it rests no more. `quote` is what a trigger or a fill is on.

        Raises Unavailable, or Conflict where others keep changing the same rows.
        """
        return await _tried(lambda: self._decide(proposal, market_time, quote), proposal.order.id)

    async def cancel(self, order: RestingOrder, reason: str) -> None:
        """At the market's time as it was told last: a kill switch waits for no other.

        Nothing where it has ended. Raises as `decide`.
        """
        await _tried(lambda: self._cancel(order, reason), order.id)

    async def _cancel(self, order: RestingOrder, reason: str) -> None:
        try:
            async with self.database.transaction(order.owner_id) as session:
                store = Store(session, order.owner_id)
                await cancel_order(store, order.id, self._market_time, self.clock.now(), uuid7, reason=reason)
        except (IllegalTransition, OrderNotFound, PortfolioNotFound):
            return
        metrics.PROPOSALS.labels("cancel", "done").inc()

    async def _decide(self, proposal: Proposal, market_time: datetime, quote: Quote | None) -> RestingOrder | None:
        resting = proposal.order
        try:
            after = await self._execute(proposal, market_time, quote)
        except (RuleBroken, InvalidInput) as refusal:
            # No other quote would be better: the ledger cannot post what this order would do.
            await self.cancel(resting, refusal.detail)
            after = None
        metrics.PROPOSALS.labels(proposal.action, "refused" if after is None else "done").inc()
        if after is not None:
            return resting_order(after, resting.owner_id) if after.is_open else None
        found = await self.open_orders([resting.id])
        return found[0] if found else None

    async def _execute(self, proposal: Proposal, market_time: datetime, quote: Quote | None) -> Order | None:
        resting, now = proposal.order, self.clock.now()
        venue = None if quote is None or proposal.action is Action.EXPIRE else await self._venue(quote)
        async with self.database.transaction(resting.owner_id) as session:
            store = Store(session, resting.owner_id)
            if venue is None:
                after: Order | None = await expire_order(store, resting.id, market_time, now, uuid7)
            elif proposal.action is Action.TRIGGER:
                after = await trigger_order(store, resting.id, venue, now, uuid7)
            else:
                after = await fill_order(store, resting.id, proposal.quantity, venue, now, uuid7)
        if self._early_copies is not None:
            await self._early_copies.send(store.told)
        return after

    async def _venue(self, quote: Quote) -> Venue:
        """A live quote is the market's clock: none comes while it is closed. Raises UnknownSymbol."""
        assets = await self._market.assets([quote.symbol])
        if quote.symbol not in assets:
            raise UnknownSymbol(quote.symbol, "symbol")
        return Venue(assets[quote.symbol], quote, MarketClock(quote.time, open=True), self._costs)


async def _tried(work: Callable[[], Awaitable[Outcome]], order_id: UUID) -> Outcome:
    for _ in range(_TRIES - 1):
        try:
            return await work()
        except Conflict as conflict:
            log.info("an order's step is tried again", order_id=str(order_id), conflict=conflict.detail)
            await asyncio.sleep(_RETRY_SECONDS)
    return await work()
