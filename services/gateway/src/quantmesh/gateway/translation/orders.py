"""Orders and trades: JSON to messages and back."""

from typing import Any

import orjson

from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb
from quantmesh.gateway.http.models.orders import OrderBody, OrdersQuery, ReplaceOrderBody, TradeBody
from quantmesh.gateway.translation.common import (
    decimal,
    decimal_request,
    instant,
    inverse,
    money,
    page_request,
)

SIDES = {"buy": pb.ORDER_SIDE_BUY, "sell": pb.ORDER_SIDE_SELL}
TYPES = {
    "market": pb.ORDER_TYPE_MARKET,
    "limit": pb.ORDER_TYPE_LIMIT,
    "stop": pb.ORDER_TYPE_STOP,
    "stop_limit": pb.ORDER_TYPE_STOP_LIMIT,
}
TIMES_IN_FORCE = {
    "day": pb.TIME_IN_FORCE_DAY,
    "gtc": pb.TIME_IN_FORCE_GTC,
    "ioc": pb.TIME_IN_FORCE_IOC,
    "fok": pb.TIME_IN_FORCE_FOK,
}
STATUSES = {
    "accepted": pb.ORDER_STATUS_ACCEPTED,
    "partially_filled": pb.ORDER_STATUS_PARTIALLY_FILLED,
    "filled": pb.ORDER_STATUS_FILLED,
    "cancelled": pb.ORDER_STATUS_CANCELLED,
    "expired": pb.ORDER_STATUS_EXPIRED,
    "rejected": pb.ORDER_STATUS_REJECTED,
}
SIDE_NAMES = inverse(SIDES)
_TYPE_NAMES = inverse(TYPES)
_TIME_IN_FORCE_NAMES = inverse(TIMES_IN_FORCE)
_STATUS_NAMES = inverse(STATUSES)


def order_request(body: OrderBody) -> pb.PlaceOrderRequest:
    return pb.PlaceOrderRequest(
        portfolio_id=body.portfolio_id,
        client_order_id=body.client_order_id or "",
        symbol=body.symbol,
        side=SIDES[body.side],
        type=TYPES[body.type],
        quantity=decimal_request(body.quantity),
        limit_price=decimal_request(body.limit_price),
        stop_price=decimal_request(body.stop_price),
        time_in_force=TIMES_IN_FORCE[body.time_in_force],
    )


def trade_request(body: TradeBody) -> pb.PlaceOrderRequest:
    """Filled now or not at all."""
    return pb.PlaceOrderRequest(
        portfolio_id=body.portfolio_id,
        client_order_id=body.client_order_id or "",
        symbol=body.symbol,
        side=SIDES[body.side],
        type=pb.ORDER_TYPE_MARKET,
        quantity=decimal_request(body.quantity),
        time_in_force=pb.TIME_IN_FORCE_FOK,
    )


def replace_request(order_id: str, expected_version: int, body: ReplaceOrderBody) -> pb.ReplaceOrderRequest:
    return pb.ReplaceOrderRequest(
        id=order_id,
        expected_version=expected_version,
        quantity=decimal_request(body.quantity),
        limit_price=decimal_request(body.limit_price),
        stop_price=decimal_request(body.stop_price),
    )


def list_request(query: OrdersQuery) -> pb.ListOrdersRequest:
    chosen = query.status if query.status != "open" else None
    return pb.ListOrdersRequest(
        portfolio_id=query.portfolio_id or "",
        status=STATUSES[chosen] if chosen else pb.ORDER_STATUS_UNSPECIFIED,
        open=query.status == "open",
        symbol=query.symbol or "",
        side=SIDES[query.side] if query.side else pb.ORDER_SIDE_UNSPECIFIED,
        client_order_id=query.client_order_id or "",
        page=page_request(query.limit, query.cursor),
    )


def listed_order(message: pb.Order) -> dict[str, Any]:
    return {
        "id": message.id,
        **_asked(message),
        "status": _STATUS_NAMES[message.status],
        "filled_quantity": decimal(message, "filled_quantity"),
        "average_fill_price": decimal(message, "average_fill_price"),
        "fee": decimal(message, "fee"),
        "currency": message.currency or None,
        "reserved": _reservation(message.reserved) if message.HasField("reserved") else None,
        "accepted_at": instant(message, "accepted_at"),
        "expires_at": instant(message, "expires_at"),
        "triggered_at": instant(message, "triggered_at"),
        "executed_at": instant(message, "executed_at"),
        "transaction_id": message.transaction_id or None,
        "reason": message.reason or None,
        "version": message.version,
        "basket_id": message.basket_id or None,
    }


def order(message: pb.Order) -> dict[str, Any]:
    """With its fills."""
    fills = [
        {
            "transaction_id": fill.transaction_id,
            "quantity": fill.quantity.value,
            "price": fill.price.value,
            "fee": fill.fee.value,
            "executed_at": instant(fill, "executed_at"),
        }
        for fill in message.fills
    ]
    return {**listed_order(message), "fills": fills}


def preview(message: pb.OrderPreview) -> dict[str, Any]:
    shown = message.order
    return {
        "dry_run": True,
        "order": {
            **_asked(shown),
            "status": _STATUS_NAMES[shown.status] if shown.status else None,
            "filled_quantity": decimal(shown, "filled_quantity"),
            "reason": shown.reason or None,
            "expires_at": instant(shown, "expires_at"),
        },
        "estimated_price": decimal(message, "estimated_price"),
        "estimated_fee": money(message.estimated_fee),
        "reservation": _reservation(message.reservation),
        "cash_after": money(message.cash_after),
        "position_after": message.position_after.value,
        "denial": _denial(message.denial) if message.HasField("denial") else None,
        "changes": [
            {
                "name": change.name,
                "before": change.before.value,
                "after": change.after.value,
                "limit": decimal(change, "limit"),
                "unit": change.unit or None,
            }
            for change in message.changes
        ],
    }


def _asked(message: pb.Order) -> dict[str, Any]:
    return {
        "portfolio_id": message.portfolio_id,
        "client_order_id": message.client_order_id or None,
        "symbol": message.symbol,
        "side": SIDE_NAMES[message.side],
        "type": _TYPE_NAMES[message.type],
        "quantity": message.quantity.value,
        "limit_price": decimal(message, "limit_price"),
        "stop_price": decimal(message, "stop_price"),
        "time_in_force": _TIME_IN_FORCE_NAMES[message.time_in_force],
    }


def _reservation(message: pb.Reservation) -> dict[str, str]:
    return {"commodity": message.commodity, "amount": message.amount.value}


def _denial(message: pb.OrderDenial) -> dict[str, Any]:
    return {
        "type": f"/problems/{message.problem}",
        "detail": message.detail,
        "suggestion": orjson.loads(message.suggestion_json) if message.suggestion_json else None,
    }
