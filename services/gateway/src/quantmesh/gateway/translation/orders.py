"""Orders and trades: JSON to messages and back."""

from typing import Any

from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb
from quantmesh.gateway.http.models.orders import OrderBody, TradeBody
from quantmesh.gateway.translation.common import decimal, decimal_request, instant, inverse

SIDES = {"buy": pb.ORDER_SIDE_BUY, "sell": pb.ORDER_SIDE_SELL}
TYPES = {"market": pb.ORDER_TYPE_MARKET}
TIMES_IN_FORCE = {
    "day": pb.TIME_IN_FORCE_DAY,
    "ioc": pb.TIME_IN_FORCE_IOC,
    "fok": pb.TIME_IN_FORCE_FOK,
}
STATUSES = {
    "accepted": pb.ORDER_STATUS_ACCEPTED,
    "filled": pb.ORDER_STATUS_FILLED,
    "cancelled": pb.ORDER_STATUS_CANCELLED,
    "rejected": pb.ORDER_STATUS_REJECTED,
}
_SIDE_NAMES = inverse(SIDES)
_TYPE_NAMES = inverse(TYPES)
_TIME_IN_FORCE_NAMES = inverse(TIMES_IN_FORCE)
_STATUS_NAMES = inverse(STATUSES)


def order_request(body: OrderBody | TradeBody, time_in_force: str) -> pb.PlaceOrderRequest:
    return pb.PlaceOrderRequest(
        portfolio_id=body.portfolio_id,
        client_order_id=body.client_order_id or "",
        symbol=body.symbol,
        side=SIDES[body.side],
        type=TYPES[body.type],
        quantity=decimal_request(body.quantity),
        time_in_force=TIMES_IN_FORCE[time_in_force],
    )


def order(message: pb.Order) -> dict[str, Any]:
    return {
        "id": message.id,
        "portfolio_id": message.portfolio_id,
        "client_order_id": message.client_order_id or None,
        "symbol": message.symbol,
        "side": _SIDE_NAMES[message.side],
        "type": _TYPE_NAMES[message.type],
        "quantity": message.quantity.value,
        "time_in_force": _TIME_IN_FORCE_NAMES[message.time_in_force],
        "status": _STATUS_NAMES[message.status],
        "filled_quantity": decimal(message, "filled_quantity"),
        "average_fill_price": decimal(message, "average_fill_price"),
        "fee": decimal(message, "fee"),
        "currency": message.currency or None,
        "accepted_at": instant(message, "accepted_at"),
        "executed_at": instant(message, "executed_at"),
        "transaction_id": message.transaction_id or None,
        "reason": message.reason or None,
        "version": message.version,
    }
