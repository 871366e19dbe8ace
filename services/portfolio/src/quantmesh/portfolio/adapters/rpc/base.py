"""What the RPC methods share: the parts they call, one transaction per request, and how ids are read."""

from __future__ import annotations  # grpc.aio is generic in its stubs alone

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from typing import Any, TypeVar
from uuid import UUID

import grpc
from google.protobuf.message import Message

from quantmesh.chassis import idempotency
from quantmesh.chassis.clock import Clock
from quantmesh.chassis.database import Database
from quantmesh.chassis.errors import QuantmeshError, Unavailable
from quantmesh.chassis.identity import current_caller
from quantmesh.chassis.jobs import MOST_OPEN
from quantmesh.portfolio.adapters.early_copies import EarlyCopies
from quantmesh.portfolio.adapters.rpc.known_accounts import KnownAccounts
from quantmesh.portfolio.adapters.store import Store
from quantmesh.portfolio.core.errors import PortfolioNotFound
from quantmesh.portfolio.core.execution import ExecutionCosts
from quantmesh.portfolio.core.ports import Market, PreTrade

Context = grpc.aio.ServicerContext[Any, Any]
Answer = TypeVar("Answer", bound=Message)
Told = TypeVar("Told")
# Who stops trading, or ends an order, waits no longer for the market.
_MARKET_SECONDS = 0.3


class Methods:
    def __init__(
        self,
        database: Database,
        market: Market,
        clock: Clock,
        costs: ExecutionCosts,
        pre_trade: PreTrade | None = None,
        early_copies: EarlyCopies | None = None,
        jobs_per_owner: int = MOST_OPEN,
    ) -> None:
        self._database = database
        self._market = market
        self._clock = clock
        self._costs = costs
        self._pre_trade = pre_trade
        self._early_copies = early_copies
        self._jobs_per_owner = jobs_per_owner
        self._known_accounts = KnownAccounts()

    @asynccontextmanager
    async def _store(self) -> AsyncIterator[Store]:
        """The caller's rows in one transaction."""
        owner_id = current_caller().user_id
        async with self._database.transaction(owner_id) as session:
            store = Store(session, owner_id)
            yield store
        self._forget(owner_id, store)

    async def _kept(self, request: Message, answer: type[Answer], *, scope: str = "") -> Answer | None:
        """The first answer where this is a repetition, which then needs neither the market nor its rules of today."""
        owner_id = current_caller().user_id
        async with self._database.transaction(owner_id) as session:
            return await idempotency.recall(
                session, owner_id, scope=scope or request.DESCRIPTOR.name, request=request, answer=answer
            )

    async def _once(
        self,
        request: Message,
        answer: type[Answer],
        effect: Callable[[Store], Awaitable[Answer]],
        *,
        scope: str = "",
        key_required: bool = True,
    ) -> Answer:
        """One effect per idempotency key, in one transaction with the answer that is kept."""
        owner_id = current_caller().user_id
        async with self._database.transaction(owner_id) as session:
            store = Store(session, owner_id)
            answered = await idempotency.once(
                session,
                owner_id,
                scope=scope or request.DESCRIPTOR.name,
                request=request,
                answer=answer,
                run=lambda: effect(store),
                required=key_required,
            )
        self._forget(owner_id, store)
        return answered

    def _forget(self, owner_id: UUID, store: Store) -> None:
        """Accounts that were changed, so that nobody tries by what they were."""
        self._known_accounts.take(owner_id, {event.portfolio_id for event in store.told})


async def told_soon(asked: Awaitable[Told]) -> Told | None:
    """What the market answers; None where it keeps silent."""
    with suppress(Unavailable, TimeoutError):
        async with asyncio.timeout(_MARKET_SECONDS):
            return await asked
    return None


def portfolio_id_of(text: str) -> UUID:
    """What is no id at all is as unknown as one that nobody has."""
    portfolio_id = id_or_none(text)
    if portfolio_id is None:
        raise PortfolioNotFound(text[:64])
    return portfolio_id


def id_or_none(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


@contextmanager
def within(field: str) -> Iterator[None]:
    """Violations of a nested message, named by their path in the request."""
    try:
        yield
    except QuantmeshError as error:
        error.violations = tuple(replace(item, field=f"{field}.{item.field}") for item in error.violations)
        raise
