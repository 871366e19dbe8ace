"""Orders."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import cached_property, partial
from uuid import UUID

from quantmesh.api.common.v1 import common_pb2
from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb
from quantmesh.chassis import idempotency
from quantmesh.chassis.cancellation import end
from quantmesh.chassis.errors import QuantmeshError
from quantmesh.chassis.identity import current_caller, requires
from quantmesh.chassis.ids import uuid7
from quantmesh.chassis.rpc.served import Method, carries_calls
from quantmesh.chassis.rpc.unbundling import Unbundling
from quantmesh.portfolio.adapters import translate, translate_orders
from quantmesh.portfolio.adapters.rpc.base import Context, Methods, id_or_none, portfolio_id_of, told_soon
from quantmesh.portfolio.adapters.rpc.placer import OrderPlacer
from quantmesh.portfolio.adapters.store import Store
from quantmesh.portfolio.adapters.store.orders import OrderFilter
from quantmesh.portfolio.core.end_order import cancel_order
from quantmesh.portfolio.core.errors import InvalidRequest
from quantmesh.portfolio.core.execution import Venue
from quantmesh.portfolio.core.order_errors import OrderNotFound
from quantmesh.portfolio.core.orders import Order, OrderRequest
from quantmesh.portfolio.core.pages import id_from_cursor, page_limit, page_of
from quantmesh.portfolio.core.place_order import ask_venue, new_order
from quantmesh.portfolio.core.pre_trade import PreTradeAnswer, ProposedTrade
from quantmesh.portfolio.core.preview_order import preview_order
from quantmesh.portfolio.core.replace_order import is_less_of, replace_order
from quantmesh.portfolio.core.reservations import trade_price, worst_price

# A call begins with a task of its own: after so many turns of the loop its question is on the way.
_TURNS_TO_ASK = 2
_PLACING = Method(pb.DESCRIPTOR.services_by_name["PortfolioService"].full_name, "PlaceOrder")


class OrderMethods(Methods):
    @cached_property
    def _placer(self) -> OrderPlacer:
        return OrderPlacer(self._database, self._clock, self._known_accounts, self._early_copies)

    @requires("orders:write")
    @carries_calls
    async def StreamOrders(
        self, requests: AsyncIterator[pb.StreamOrdersRequest], context: Context
    ) -> AsyncIterator[pb.StreamOrdersResponse]:
        unbundling = Unbundling(_PLACING, pb.PlaceOrderRequest, partial(self.PlaceOrder, context=context))
        async for outcomes in unbundling.line(request.calls async for request in requests):
            yield pb.StreamOrdersResponse(outcomes=outcomes)

    @requires("orders:write")
    async def PlaceOrder(self, request: pb.PlaceOrderRequest, context: Context) -> pb.PlaceOrderResponse:
        owner_id, answer = current_caller().user_id, pb.PlaceOrderResponse
        claim = idempotency.claim_of(owner_id, request.DESCRIPTOR.name, request)
        if claim is None:
            raise idempotency.missing()
        portfolio_id = portfolio_id_of(request.portfolio_id)
        asked = translate_orders.order_request(request)
        try:
            venue = await ask_venue(self._market, asked.symbol, self._costs)
            order = new_order(portfolio_id, asked, venue, self._clock.now(), uuid7())
            checking = asyncio.create_task(self._demand_allowed(portfolio_id, asked, venue))
            if self._pre_trade is None or not self._pre_trade.is_quick(portfolio_id):
                await checking
        except QuantmeshError:
            # Of a repetition the first answer stands, whoever is silent by now, and whatever is refused.
            kept = await self._kept(request, answer)
            if kept is None:
                raise
            return kept
        try:
            # Risk is asked before deciding keeps this process busy.
            for _ in range(_TURNS_TO_ASK):
                await asyncio.sleep(0)
            return await self._placer.place(claim, order, venue, checking)
        finally:
            await end(checking)
            if not checking.cancelled():
                checking.exception()  # a kept answer asks nobody what came of it

    @requires("orders:write")
    async def PreviewOrder(self, request: pb.PreviewOrderRequest, context: Context) -> pb.PreviewOrderResponse:
        portfolio_id = portfolio_id_of(request.order.portfolio_id)
        asked = translate_orders.order_request(request.order)
        venue = await ask_venue(self._market, asked.symbol, self._costs)
        async with self._store() as store:
            portfolio = await store.portfolio(portfolio_id)
            preview = await preview_order(store, portfolio, asked, venue, self._clock.now(), uuid7)
        answer = await self._pre_trade_answer(portfolio.id, asked, venue, with_figures=True)
        denial = answer.denial or preview.denial
        return pb.PreviewOrderResponse(preview=translate_orders.preview(preview, answer.changes, denial))

    @requires("portfolio:read")
    async def GetOrder(self, request: pb.GetOrderRequest, context: Context) -> pb.GetOrderResponse:
        async with self._store() as store:
            return pb.GetOrderResponse(order=await _whole(store, await store.order(_order_id(request.id))))

    @requires("portfolio:read")
    async def ListOrders(self, request: pb.ListOrdersRequest, context: Context) -> pb.ListOrdersResponse:
        limit = page_limit(request.page.limit)
        if request.open and request.status:
            raise InvalidRequest("status", "is one status, or open for all that may still fill; not both")
        before = id_from_cursor(request.page.cursor)
        async with self._store() as store:
            portfolio_id: UUID | None = None
            if request.portfolio_id:
                portfolio_id = (await store.portfolio(portfolio_id_of(request.portfolio_id))).id
            found = await store.orders(_filter(request, portfolio_id), before, limit + 1)
        shown, cursor = page_of(found, limit, lambda order: [str(order.id)])
        return pb.ListOrdersResponse(
            orders=[translate_orders.order(order) for order in shown], page=common_pb2.PageInfo(next_cursor=cursor)
        )

    @requires("orders:write")
    async def ReplaceOrder(self, request: pb.ReplaceOrderRequest, context: Context) -> pb.ReplaceOrderResponse:
        order_id = _order_id(request.id)
        replacement = translate_orders.replacement(request)
        async with self._store() as store:
            order = await store.order(order_id)
        order.expect(request.expected_version)
        asked = replacement.of(order)
        venue = await ask_venue(self._market, asked.symbol, self._costs)
        if not is_less_of(order.request, asked):
            await self._demand_allowed(order.portfolio_id, asked, venue, replaces=order)
        async with self._store() as store:
            replaced = await replace_order(
                store, order_id, request.expected_version, replacement, venue, self._clock.now(), uuid7
            )
            return pb.ReplaceOrderResponse(order=await _whole(store, replaced))

    @requires("orders:write")
    async def CancelOrder(self, request: pb.CancelOrderRequest, context: Context) -> pb.CancelOrderResponse:
        order_id = _order_id(request.id)
        expected = request.expected_version if request.HasField("expected_version") else None
        clock = await told_soon(self._market.clock())
        market_time = None if clock is None else clock.time
        async with self._store() as store:
            cancelled = await cancel_order(
                store, order_id, market_time, self._clock.now(), uuid7, expected_version=expected
            )
            return pb.CancelOrderResponse(order=await _whole(store, cancelled))

    async def _demand_allowed(
        self, portfolio_id: UUID, asked: OrderRequest, venue: Venue, *, replaces: Order | None = None
    ) -> None:
        """Raises the denial, or Unavailable."""
        answer = await self._pre_trade_answer(portfolio_id, asked, venue, replaces=replaces)
        if answer.denial is not None:
            raise answer.denial

    async def _pre_trade_answer(
        self,
        portfolio_id: UUID,
        asked: OrderRequest,
        venue: Venue,
        *,
        replaces: Order | None = None,
        with_figures: bool = False,
    ) -> PreTradeAnswer:
        """Nothing to say where there is no price to say it at: the venue rejects such an order."""
        price = trade_price(asked, venue) if replaces is None else worst_price(replace(replaces, request=asked), venue)
        if self._pre_trade is None or price is None:
            return PreTradeAnswer()
        trade = ProposedTrade(portfolio_id, asked, venue.asset, price, replaces)
        return await self._pre_trade.check(trade, with_figures=with_figures)


async def _whole(store: Store, order: Order) -> pb.Order:
    """With its fills."""
    return translate_orders.order(order, await store.fills(order) if order.filled_quantity else [])


def _filter(request: pb.ListOrdersRequest, portfolio_id: UUID | None) -> OrderFilter:
    statuses, sides = translate_orders.ORDER_STATUSES, translate_orders.ORDER_SIDES
    return OrderFilter(
        portfolio_id=portfolio_id,
        status=translate.chosen(statuses, request.status, "status") if request.status else None,
        is_open=request.open,
        symbol=request.symbol,
        side=translate.chosen(sides, request.side, "side") if request.side else None,
        client_order_id=request.client_order_id,
    )


def _order_id(text: str) -> UUID:
    order_id = id_or_none(text)
    if order_id is None:
        raise OrderNotFound(text[:64])
    return order_id
