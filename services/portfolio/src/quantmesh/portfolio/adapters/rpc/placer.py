"""Orders are decided by what is known of their account, or else by what is read of it, while others are asked."""

import asyncio
from contextlib import suppress
from uuid import UUID

import psycopg

from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb
from quantmesh.chassis import idempotency
from quantmesh.chassis.clock import Clock
from quantmesh.chassis.database import Database
from quantmesh.chassis.database_errors import ConcurrentUpdate
from quantmesh.chassis.errors import QuantmeshError, Unavailable
from quantmesh.chassis.idempotency import Claim
from quantmesh.chassis.ids import uuid7
from quantmesh.chassis.pool import AllInUse
from quantmesh.chassis.telemetry.logs import get_logger
from quantmesh.portfolio.adapters import translate_orders
from quantmesh.portfolio.adapters.early_copies import EarlyCopies
from quantmesh.portfolio.adapters.rpc.doubts import Doubts
from quantmesh.portfolio.adapters.rpc.known_accounts import KnownAccounts
from quantmesh.portfolio.adapters.store.appending import Overtaken
from quantmesh.portfolio.adapters.store.placing import account_questions, market_questions
from quantmesh.portfolio.adapters.store.placing_store import KnowingStore, PlacingStore, UnhinderedStore
from quantmesh.portfolio.core.execution import Venue, trades_now
from quantmesh.portfolio.core.known_account import KnownAccount, NotKnown
from quantmesh.portfolio.core.orders import Order
from quantmesh.portfolio.core.place_order import place_order

log = get_logger(__name__)

# An account's own locks are held for no longer than this until risk and auth have answered; no other is.
_LOCKED_SECONDS = 0.02


class _StillChecking(Exception):
    """The locks are given back; they are taken again once the answer is there."""


class OrderPlacer:
    def __init__(
        self, database: Database, clock: Clock, known: KnownAccounts, early_copies: EarlyCopies | None
    ) -> None:
        self._database = database
        self._clock = clock
        self._known = known
        self._early_copies = early_copies
        # About accounts that others change, and symbols that something is in the way of.
        self._doubts = Doubts()

    async def place(
        self, claim: Claim, order: Order, venue: Venue, checking: asyncio.Task[None]
    ) -> pb.PlaceOrderResponse:
        """One effect per key. What `checking` raises refuses the order."""
        known = self._known.take(claim.owner_id, [order.portfolio_id]).get(order.portfolio_id)
        if not self._doubts.about(order.request.symbol):
            try:
                # What an order that rests reserves is written by what it finds.
                if known and trades_now(order.request, venue) and not self._doubts.about(order.portfolio_id):
                    with suppress(Overtaken):
                        return await self._by_what_is_known(claim, order, venue, checking, known)
                return await self._by_what_is_read(claim, order, venue, checking)
            except ConcurrentUpdate:
                self._doubts.rise(order.request.symbol)
            except _StillChecking:
                log.debug("others are waited for without locks", order_id=str(order.id))
        await asyncio.wait({checking})
        return await self._by_what_is_read(claim, order, venue, checking)

    async def _by_what_is_known(
        self, claim: Claim, order: Order, venue: Venue, checking: asyncio.Task[None], known: KnownAccount
    ) -> pb.PlaceOrderResponse:
        """Raises Overtaken where that is too little, or not true any more, or refuses the order.

        Also where it is not known whether this was committed: the other way looks the key up first. Besides what
        others refuse, _StillChecking, and ConcurrentUpdate where something is in the way.
        """
        store = KnowingStore(claim.owner_id, order.request.symbol, known)
        try:
            answer = await self._placed(store, order, venue)
        except (NotKnown, QuantmeshError) as error:
            # A refusal is told by what the account is now, not by what it was.
            log.info("what is known of an account does not do", order_id=str(order.id), error=type(error).__name__)
            raise Overtaken from error
        asked = store.asked(claim, answer.SerializeToString(deterministic=True))
        try:
            async with self._database.gathered(claim.owner_id, asked) as session:
                if not await session.scalar(*asked[-1]):
                    raise Overtaken
                await _heard(checking)
                for demand in store.demands:
                    await session.send(*demand)
        except AllInUse:
            # Nothing was sent; to wait for a connection once more helps nobody.
            raise
        except Unavailable as error:
            raise Overtaken from error
        except (Overtaken, psycopg.Error) as error:
            self._doubts.rise(order.portfolio_id)
            raise Overtaken from error
        await self._tell(claim.owner_id, store)
        return answer

    async def _by_what_is_read(
        self, claim: Claim, order: Order, venue: Venue, checking: asyncio.Task[None]
    ) -> pb.PlaceOrderResponse:
        """While others are `checking`, as if nothing of the market were in the way; afterwards by what is.

        Raises _StillChecking where they take too long, ConcurrentUpdate where something is in the way.
        """
        ahead, owner_id = not checking.done(), claim.owner_id
        asked = account_questions(claim, order, venue)
        if not ahead:
            asked += market_questions(order, venue)
        async with self._database.gathered(owner_id, asked) as session:
            store = (
                UnhinderedStore(session, owner_id, order.request.symbol) if ahead else PlacingStore(session, owner_id)
            )

            async def place() -> pb.PlaceOrderResponse:
                try:
                    placed = await self._placed(store, order, venue)
                except QuantmeshError:
                    # What others refuse is told before what the account lacks.
                    await _heard(checking)
                    raise
                await _heard(checking)
                return placed

            answer = await idempotency.once_claimed(session, claim, answer=pb.PlaceOrderResponse, run=place)
            for demand in store.demands:
                await session.send(*demand)
        await self._tell(owner_id, store)
        return answer

    async def _placed(self, store: PlacingStore, order: Order, venue: Venue) -> pb.PlaceOrderResponse:
        placed, fills = await place_order(store, order, venue, self._clock.now(), uuid7)
        return pb.PlaceOrderResponse(order=translate_orders.order(placed, fills))

    async def _tell(self, owner_id: UUID, store: PlacingStore) -> None:
        """What was committed, to this process and to the edges."""
        if store.known_account is not None:
            self._known.remember(owner_id, {store.known_account.portfolio.id: store.known_account})
        if self._early_copies is not None:
            await self._early_copies.send(store.told)


async def _heard(checking: asyncio.Task[None]) -> None:
    """Raises the denial, or _StillChecking."""
    if not checking.done():
        await asyncio.wait({checking}, timeout=_LOCKED_SECONDS)
    if not checking.done():
        raise _StillChecking
    checking.result()
