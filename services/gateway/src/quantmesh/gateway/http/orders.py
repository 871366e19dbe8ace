"""/orders and /trade: orders, and a market order that is answered when it is filled."""

from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb
from quantmesh.api.portfolio.v1.portfolio_pb2_grpc import PortfolioServiceStub
from quantmesh.chassis.rpc import Peer
from quantmesh.gateway.core.conditional import version_tag
from quantmesh.gateway.http.answer import Answer, created, ok, replayed
from quantmesh.gateway.http.models import orders as models
from quantmesh.gateway.http.models.base import Id
from quantmesh.gateway.http.operations import Operations
from quantmesh.gateway.http.route import QueryOf
from quantmesh.gateway.translation import orders as translation
from quantmesh.gateway.translation.common import next_cursor, page_request

_FILL_SECONDS = 10.0


class Orders:
    def __init__(self, portfolio: Peer) -> None:
        self._portfolio = portfolio
        self._stub = PortfolioServiceStub(portfolio.channel)

    def operations(self) -> list[Operations]:
        orders = Operations("/api/v2/orders", "orders")
        orders.add(
            "POST",
            "",
            self.place,
            summary="Place an order",
            scope="orders:write",
            answer=models.OrderShown,
            status=201,
            statuses=(404,),
            idempotency="required",
            takes_body=True,
            deadline_seconds=_FILL_SECONDS,
        )
        orders.add(
            "GET",
            "",
            self.list_orders,
            summary="One's orders",
            scope="portfolio:read",
            answer=models.OrdersShown,
            statuses=(404,),
        )
        orders.add(
            "GET",
            "/{order_id}",
            self.get,
            summary="One order",
            scope="portfolio:read",
            answer=models.OrderShown,
            conditional="none-match",
        )
        orders.add(
            "DELETE",
            "/{order_id}",
            self.cancel,
            summary="Cancel an order that is not filled yet",
            scope="orders:write",
            answer=models.OrderShown,
            statuses=(409,),
        )
        trades = Operations("/api/v2/trade", "orders")
        trades.add(
            "POST",
            "/execute",
            self.execute,
            summary="A market order, answered when it is filled",
            scope="orders:write",
            answer=models.OrderShown,
            statuses=(404,),
            idempotency="required",
            takes_body=True,
            deadline_seconds=_FILL_SECONDS,
        )
        return [orders, trades]

    async def place(self, body: models.OrderBody) -> Answer:
        request = translation.order_request(body, body.time_in_force)
        answer, again = await self._portfolio.call_replayable(
            self._stub.PlaceOrder, request, timeout_seconds=_FILL_SECONDS
        )
        return created(
            translation.order(answer.order),
            location=f"/api/v2/orders/{answer.order.id}",
            tag=version_tag(answer.order.version),
            headers=replayed(again),
        )

    async def list_orders(self, query: QueryOf[models.OrdersQuery]) -> Answer:
        request = pb.ListOrdersRequest(
            portfolio_id=query.portfolio_id or "",
            status=translation.STATUSES[query.status] if query.status else pb.ORDER_STATUS_UNSPECIFIED,
            page=page_request(query.limit, query.cursor),
        )
        answer = await self._portfolio.call(self._stub.ListOrders, request)
        return ok(
            {"data": [translation.order(item) for item in answer.orders], "next_cursor": next_cursor(answer.page)}
        )

    async def get(self, order_id: Id) -> Answer:
        answer = await self._portfolio.call(self._stub.GetOrder, pb.GetOrderRequest(id=order_id))
        return ok(translation.order(answer.order), tag=version_tag(answer.order.version))

    async def cancel(self, order_id: Id) -> Answer:
        answer = await self._portfolio.call(self._stub.CancelOrder, pb.CancelOrderRequest(id=order_id))
        return ok(translation.order(answer.order), tag=version_tag(answer.order.version))

    async def execute(self, body: models.TradeBody) -> Answer:
        """Filled now or not at all."""
        request = translation.order_request(body, "fok")
        answer, again = await self._portfolio.call_replayable(
            self._stub.PlaceOrder, request, timeout_seconds=_FILL_SECONDS
        )
        return ok(translation.order(answer.order), headers=replayed(again))
