"""Orders."""

from uuid import UUID

from quantmesh.api.common.v1 import common_pb2
from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb
from quantmesh.chassis.identity import requires
from quantmesh.chassis.ids import uuid7
from quantmesh.portfolio.adapters import translate
from quantmesh.portfolio.adapters.rpc.base import Context, Methods, id_or_none, portfolio_id_of
from quantmesh.portfolio.adapters.store import Store
from quantmesh.portfolio.core.errors import InvalidRequest, OrderNotFound
from quantmesh.portfolio.core.pages import from_cursor, page_limit, to_cursor
from quantmesh.portfolio.core.place_order import ask_venue, cancel_order, place_order


class OrderMethods(Methods):
    @requires("orders:write")
    async def PlaceOrder(self, request: pb.PlaceOrderRequest, context: Context) -> pb.PlaceOrderResponse:
        kept = await self._kept(request, pb.PlaceOrderResponse)
        if kept is not None:
            return kept
        portfolio_id = portfolio_id_of(request.portfolio_id)
        asked = translate.order_request(request)
        answer = await ask_venue(self._market, asked, self._costs)

        async def place(store: Store) -> pb.PlaceOrderResponse:
            order = await place_order(store, portfolio_id, asked, answer, self._clock.now(), uuid7)
            return pb.PlaceOrderResponse(order=translate.order(order))

        return await self._once(request, pb.PlaceOrderResponse, place)

    @requires("portfolio:read")
    async def GetOrder(self, request: pb.GetOrderRequest, context: Context) -> pb.GetOrderResponse:
        async with self._store() as store:
            order = await store.order(_order_id(request.id))
        return pb.GetOrderResponse(order=translate.order(order))

    @requires("portfolio:read")
    async def ListOrders(self, request: pb.ListOrdersRequest, context: Context) -> pb.ListOrdersResponse:
        limit = page_limit(request.page.limit)
        status = translate.chosen(translate.ORDER_STATUSES, request.status, "status") if request.status else None
        key = from_cursor(request.page.cursor, 1)
        before = None if key is None else id_or_none(key[0])
        if key is not None and before is None:
            raise InvalidRequest("cursor", "is not one that this list gave")
        async with self._store() as store:
            portfolio_id: UUID | None = None
            if request.portfolio_id:
                portfolio_id = (await store.portfolio(portfolio_id_of(request.portfolio_id))).id
            found = await store.orders(portfolio_id, status, before, limit + 1)
        shown = found[:limit]
        cursor = to_cursor([str(shown[-1].id)]) if len(found) > limit else ""
        return pb.ListOrdersResponse(
            orders=[translate.order(order) for order in shown], page=common_pb2.PageInfo(next_cursor=cursor)
        )

    @requires("orders:write")
    async def CancelOrder(self, request: pb.CancelOrderRequest, context: Context) -> pb.CancelOrderResponse:
        order_id = _order_id(request.id)
        async with self._store() as store:
            order = await cancel_order(store, self._market, order_id, self._clock.now())
        return pb.CancelOrderResponse(order=translate.order(order))


def _order_id(text: str) -> UUID:
    order_id = id_or_none(text)
    if order_id is None:
        raise OrderNotFound(text[:64])
    return order_id
