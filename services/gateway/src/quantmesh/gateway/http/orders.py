"""/orders and /trade: orders, and a market order that is answered when it is filled."""

from functools import partial

from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb
from quantmesh.api.portfolio.v1.portfolio_pb2_grpc import PortfolioServiceStub
from quantmesh.chassis.rpc import Peer
from quantmesh.chassis.rpc.bundling import Bundled
from quantmesh.gateway.core.conditional import version_tag
from quantmesh.gateway.http.answer import Answer, created, ok, replayed
from quantmesh.gateway.http.call import Call
from quantmesh.gateway.http.models import orders as models
from quantmesh.gateway.http.models.base import Id
from quantmesh.gateway.http.operations import Operations
from quantmesh.gateway.http.route import QueryOf
from quantmesh.gateway.translation import orders as translation
from quantmesh.gateway.translation.common import next_cursor

_FILL_SECONDS = 10.0


class Orders:
    def __init__(self, portfolio: Peer) -> None:
        self._portfolio = portfolio
        self._portfolio_unscoped = portfolio.in_own_name()
        self._stub = PortfolioServiceStub(portfolio.channel)
        self._placing: Bundled[pb.PlaceOrderRequest, pb.PlaceOrderResponse] = Bundled(
            portfolio,
            self._stub.PlaceOrder,
            self._stub.StreamOrders,
            bundle_type=pb.StreamOrdersRequest,
            response_type=pb.PlaceOrderResponse,
            timeout_seconds=_FILL_SECONDS,
        )

    def operations(self) -> list[Operations]:
        orders = Operations("/api/v2/orders", "orders")
        orders.add(
            "POST",
            "",
            self.place,
            summary="Place an order, or see with dry_run what that would do",
            scope="orders:write",
            answer=models.OrderShown,
            status=201,
            statuses=(404,),
            rehearsal=models.OrderPreviewShown,
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
            "PATCH",
            "/{order_id}",
            self.replace,
            summary="Another quantity or price of an open order",
            scope="orders:write",
            answer=models.OrderShown,
            conditional="match-required",
            takes_body=True,
            statuses=(409,),
            deadline_seconds=_FILL_SECONDS,
        )
        orders.add(
            "DELETE",
            "/{order_id}",
            self.cancel,
            summary="Cancel what is not filled yet",
            scope="orders:write",
            answer=models.OrderShown,
            conditional="match",
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

    async def place(self, query: QueryOf[models.PlaceQuery], body: models.OrderBody) -> Answer:
        request = translation.order_request(body)
        if query.dry_run:
            preview = await self._portfolio.call(
                self._stub.PreviewOrder, pb.PreviewOrderRequest(order=request), timeout_seconds=_FILL_SECONDS
            )
            return ok(translation.preview(preview.preview))
        answer, again = await self._placing.call_replayable(request)
        return created(
            translation.order(answer.order),
            location=f"/api/v2/orders/{answer.order.id}",
            tag=version_tag(answer.order.version),
            headers=replayed(again),
        )

    async def list_orders(self, query: QueryOf[models.OrdersQuery]) -> Answer:
        answer = await self._portfolio.call(self._stub.ListOrders, translation.list_request(query))
        return ok(
            {
                "data": [translation.listed_order(item) for item in answer.orders],
                "next_cursor": next_cursor(answer.page),
            }
        )

    async def get(self, order_id: Id) -> Answer:
        return _shown((await self._portfolio.call(self._stub.GetOrder, pb.GetOrderRequest(id=order_id))).order)

    async def replace(self, call: Call, order_id: Id, body: models.ReplaceOrderBody) -> Answer:
        expected = await call.required_version(partial(self._version, order_id))
        request = translation.replace_request(order_id, expected, body)
        answer = await self._portfolio.call(self._stub.ReplaceOrder, request, timeout_seconds=_FILL_SECONDS)
        return _shown(answer.order)

    async def cancel(self, call: Call, order_id: Id) -> Answer:
        expected = await call.expected_version(partial(self._version, order_id))
        request = pb.CancelOrderRequest(id=order_id, expected_version=expected)
        return _shown((await self._portfolio.call(self._stub.CancelOrder, request)).order)

    async def execute(self, body: models.TradeBody) -> Answer:
        """Filled now or not at all: its `status` is then `rejected`, and its `reason` says why."""
        answer, again = await self._placing.call_replayable(translation.trade_request(body))
        return ok(translation.order(answer.order), headers=replayed(again))

    async def _version(self, order_id: str) -> int:
        request = pb.GetOrderRequest(id=order_id)
        return (await self._portfolio_unscoped.call(self._stub.GetOrder, request)).order.version


def _shown(order: pb.Order) -> Answer:
    return ok(translation.order(order), tag=version_tag(order.version))
