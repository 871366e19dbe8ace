"""Limits: what is set, what is used of them, and orders checked against them."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import Any
from uuid import UUID

from quantmesh.api.risk.v1 import limits_pb2 as pb
from quantmesh.api.risk.v1.limits_pb2_grpc import LimitServiceServicer
from quantmesh.chassis.clock import Clock
from quantmesh.chassis.database import Database
from quantmesh.chassis.decimals import to_proto
from quantmesh.chassis.identity import current_caller, requires
from quantmesh.chassis.rpc.served import Method, carries_calls
from quantmesh.chassis.rpc.unbundling import Unbundling
from quantmesh.chassis.times import to_timestamp
from quantmesh.risk.adapters.limits import translate
from quantmesh.risk.adapters.limits.accounts import account_of
from quantmesh.risk.adapters.limits.events import tell
from quantmesh.risk.adapters.limits.measuring import Measuring
from quantmesh.risk.adapters.limits.store import LimitStore, definition_of, definition_question
from quantmesh.risk.adapters.rpc.base import check_count, instant
from quantmesh.risk.core.errors import PortfolioNotFound, UnknownChoice, UnknownSymbol
from quantmesh.risk.core.limits.account import Order
from quantmesh.risk.core.limits.check_orders import FIGURES, margin_limits
from quantmesh.risk.core.limits.definition import Limit, checked_limits
from quantmesh.risk.core.limits.utilisation import crossings
from quantmesh.risk.core.limits.watch import Definition
from quantmesh.risk.core.ports import Accounts, Market

_CHECKING = Method(pb.DESCRIPTOR.services_by_name["LimitService"].full_name, "CheckOrder")


class LimitRpc(LimitServiceServicer):
    """Each portfolio is asked for under the caller's identity, so that another's is not found."""

    def __init__(
        self, database: Database, measuring: Measuring, market: Market, accounts: Accounts, clock: Clock
    ) -> None:
        self._database = database
        self._measuring = measuring
        self._market = market
        self._accounts = accounts
        self._clock = clock

    @requires("risk:use")
    async def GetLimits(self, request: pb.GetLimitsRequest, context: Any) -> pb.GetLimitsResponse:
        portfolio_id, known_at = _portfolio_id(request.portfolio_id), instant(request, "known_at")
        if known_at is not None:
            currency = await self._accounts.base_currency(request.portfolio_id)
            async with self._database.transaction(current_caller().user_id) as session:
                then = await LimitStore(session).definition(portfolio_id, known_at)
            return pb.GetLimitsResponse(definition=translate.definition_to(then), base_currency=currency)
        account = await self._accounts.account(request.portfolio_id, ())
        definition = await self._definition(portfolio_id)
        found = await self._measuring.utilisations(definition.limits, account)
        return pb.GetLimitsResponse(
            definition=translate.definition_to(definition),
            utilisations=[translate.utilisation_to(each) for each in found],
            base_currency=account.currency,
            as_of=to_timestamp(account.as_of),
        )

    @requires("portfolio:write")
    async def SetLimits(self, request: pb.SetLimitsRequest, context: Any) -> pb.SetLimitsResponse:
        portfolio_id, owner_id = _portfolio_id(request.portfolio_id), current_caller().user_id
        limits = checked_limits(
            [translate.limit_from(each, f"limits[{index}]") for index, each in enumerate(request.limits)]
        )
        expected = request.expected_version if request.HasField("expected_version") else None
        as_of, _ = await asyncio.gather(self._market.now(), self._require_known(request.portfolio_id, limits))
        now = self._clock.now()
        async with self._database.transaction(owner_id) as session:
            store = LimitStore(session)
            states = await store.lock_states(portfolio_id) or {}
            before = await store.definition(portfolio_id)
            definition = before.followed_by(limits, expected, now)
            await store.add_definition(definition, owner_id)
            withdrawn = crossings(states, [], before.without(limits))
            await tell(session, definition, withdrawn, owner_id, as_of)
            if limits:
                await store.watch(portfolio_id, owner_id, now)
                await store.keep_states(portfolio_id, owner_id, withdrawn.states, now)
            else:
                await store.forget(portfolio_id)
        return pb.SetLimitsResponse(definition=translate.definition_to(definition))

    @requires("orders:write")
    @carries_calls
    async def StreamChecks(
        self, requests: AsyncIterator[pb.StreamChecksRequest], context: Any
    ) -> AsyncIterator[pb.StreamChecksResponse]:
        unbundling = Unbundling(_CHECKING, pb.CheckOrderRequest, partial(self.CheckOrder, context=context))
        async for outcomes in unbundling.line(request.calls async for request in requests):
            yield pb.StreamChecksResponse(outcomes=outcomes)

    @requires("orders:write")
    async def CheckOrder(self, request: pb.CheckOrderRequest, context: Any) -> pb.CheckOrderResponse:
        orders = _orders(request)
        definition = await self._definition(_portfolio_id(request.portfolio_id))
        limits = definition.limits + FIGURES * request.with_figures
        if not request.HasField("account"):
            return pb.CheckOrderResponse(account_needed=True) if limits else pb.CheckOrderResponse(allowed=True)
        account = account_of(request.account)
        limits += margin_limits(account, orders)
        verdict = await self._measuring.verdict(limits, account, orders)
        return pb.CheckOrderResponse(
            allowed=verdict.allowed,
            changes=[translate.change_to(change) for change in verdict.changes],
            passing_quantities=[to_proto(abs(quantity)) for quantity in verdict.passing],
            base_currency=account.currency,
        )

    @requires("risk:use")
    async def WhatIf(self, request: pb.WhatIfRequest, context: Any) -> pb.WhatIfResponse:
        orders = _orders(request)
        portfolio_id = _portfolio_id(request.portfolio_id)
        account = await self._accounts.account(request.portfolio_id, {order.symbol for order in orders})
        for index, order in enumerate(orders):
            if not account.instrument(order.symbol).is_known:
                raise UnknownSymbol(order.symbol, f"orders[{index}].symbol")
        definition = await self._definition(portfolio_id)
        limits = definition.limits + margin_limits(account, orders) + FIGURES
        verdict = await self._measuring.verdict(limits, account, orders)
        return pb.WhatIfResponse(
            allowed=verdict.allowed,
            changes=[translate.change_to(change) for change in verdict.changes],
            passing_quantities=[to_proto(abs(quantity)) for quantity in verdict.passing],
            base_currency=account.currency,
            as_of=to_timestamp(account.as_of),
        )

    async def _require_known(self, portfolio_id: str, limits: Sequence[Limit]) -> None:
        """Raises PortfolioNotFound, or UnknownSymbol for a limit that would never be met."""
        symbols = {limit.symbol for limit in limits if limit.symbol}
        if not symbols:
            await self._accounts.base_currency(portfolio_id)
            return
        account = await self._accounts.account(portfolio_id, symbols)
        for index, limit in enumerate(limits):
            if limit.symbol and not account.instrument(limit.symbol).is_known:
                raise UnknownSymbol(limit.symbol, f"limits[{index}].symbol")

    async def _definition(self, portfolio_id: UUID) -> Definition:
        found = await self._database.read(current_caller().user_id, *definition_question(portfolio_id))
        return definition_of(portfolio_id, found)


def _orders(request: pb.CheckOrderRequest | pb.WhatIfRequest) -> list[Order]:
    if not request.orders:
        raise UnknownChoice("orders", "must have one at least")
    check_count(len(request.orders))
    return [translate.order_from(each, f"orders[{index}]") for index, each in enumerate(request.orders)]


def _portfolio_id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise PortfolioNotFound(text[:64]) from error
