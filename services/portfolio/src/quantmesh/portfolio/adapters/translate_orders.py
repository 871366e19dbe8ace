"""Between protobuf and the core: orders, their fills, and previews."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, cast

from google.protobuf.timestamp_pb2 import Timestamp

from quantmesh.api.common.v1 import common_pb2
from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb
from quantmesh.chassis.decimals import from_proto
from quantmesh.chassis.errors import QuantmeshError
from quantmesh.chassis.times import to_timestamp
from quantmesh.portfolio.adapters.translate import cash, chosen, money, number
from quantmesh.portfolio.core.numbers import plain
from quantmesh.portfolio.core.order_states import OrderStatus
from quantmesh.portfolio.core.orders import Fill, Order, OrderRequest, OrderSide, OrderType, TimeInForce
from quantmesh.portfolio.core.pre_trade import FigureChange
from quantmesh.portfolio.core.preview_order import OrderPreview
from quantmesh.portfolio.core.replace_order import Replacement
from quantmesh.portfolio.core.reservations import reserved_from

ORDER_SIDES = {pb.ORDER_SIDE_BUY: OrderSide.BUY, pb.ORDER_SIDE_SELL: OrderSide.SELL}
ORDER_TYPES = {pb.OrderType.Value(f"ORDER_TYPE_{kind.name}"): kind for kind in OrderType}
TIMES_IN_FORCE = {pb.TimeInForce.Value(f"TIME_IN_FORCE_{kind.name}"): kind for kind in TimeInForce}
ORDER_STATUSES = {pb.OrderStatus.Value(f"ORDER_STATUS_{status.name}"): status for status in OrderStatus}
# The enum's number for a name: the tables above read backwards, by the name's type too.
_NUMBERS: Mapping[tuple[type[StrEnum], str], Any] = {
    (type(name), name): value
    for table in (ORDER_SIDES, ORDER_TYPES, TIMES_IN_FORCE, ORDER_STATUSES)
    for value, name in cast("Mapping[Any, StrEnum]", table).items()
}


def order_request(message: pb.PlaceOrderRequest) -> OrderRequest:
    return OrderRequest(
        symbol=message.symbol,
        side=chosen(ORDER_SIDES, message.side, "side"),
        type=chosen(ORDER_TYPES, message.type, "type"),
        quantity=from_proto(message.quantity, "quantity"),
        time_in_force=chosen(TIMES_IN_FORCE, message.time_in_force, "time_in_force"),
        client_order_id=message.client_order_id,
        limit_price=number(message, "limit_price"),
        stop_price=number(message, "stop_price"),
    )


def replacement(message: pb.ReplaceOrderRequest) -> Replacement:
    return Replacement(
        quantity=number(message, "quantity"),
        limit_price=number(message, "limit_price"),
        stop_price=number(message, "stop_price"),
    )


def order(value: Order, fills: list[Fill] | None = None) -> pb.Order:
    request = value.request
    return pb.Order(
        id=str(value.id),
        portfolio_id=str(value.portfolio_id),
        client_order_id=request.client_order_id,
        symbol=request.symbol,
        side=_number_of(request.side),
        type=_number_of(request.type),
        quantity=_plain(request.quantity),
        limit_price=_plain(request.limit_price),
        stop_price=_plain(request.stop_price),
        time_in_force=_number_of(request.time_in_force),
        status=pb.ORDER_STATUS_UNSPECIFIED if value.status is None else _number_of(value.status),
        filled_quantity=_plain(value.filled_quantity),
        average_fill_price=_plain(value.average_fill_price),
        fee=cash(value.fee, value.currency),
        currency=value.currency,
        accepted_at=_stamp(value.accepted_at),
        expires_at=_stamp(value.expires_at),
        triggered_at=_stamp(value.triggered_at),
        executed_at=_stamp(value.executed_at),
        transaction_id="" if value.transaction_id is None else str(value.transaction_id),
        reason=value.reason,
        version=value.version,
        basket_id="" if value.basket_id is None else str(value.basket_id),
        reserved=reservation(value, value.reserved),
        fills=[fill(item, value.currency) for item in fills or ()],
    )


def fill(value: Fill, currency: str) -> pb.Fill:
    return pb.Fill(
        transaction_id=str(value.transaction_id),
        quantity=_plain(value.quantity),
        price=_plain(value.price),
        fee=cash(value.fee, currency),
        executed_at=to_timestamp(value.executed_at),
    )


def reservation(value: Order, amount: Decimal) -> pb.Reservation:
    _, commodity = reserved_from(value)
    of_cash = value.request.side is OrderSide.BUY
    return pb.Reservation(commodity=commodity, amount=cash(amount, commodity) if of_cash else _plain(amount))


def preview(value: OrderPreview, changes: Sequence[FigureChange], denial: QuantmeshError | None) -> pb.OrderPreview:
    decided = value.order
    shown = order(decided)
    shown.id = ""
    if decided.request.client_order_id == str(decided.id):
        shown.client_order_id = ""
    return pb.OrderPreview(
        order=shown,
        estimated_price=_plain(value.price),
        estimated_fee=money(value.fee, decided.currency),
        reservation=reservation(decided, value.reserved),
        cash_after=money(value.cash_after, decided.currency),
        position_after=_plain(value.position_after),
        denial=None if denial is None else _denial(denial),
        changes=[
            pb.FigureChange(
                name=change.name,
                before=_plain(change.before),
                after=_plain(change.after),
                limit=_plain(change.limit),
                unit=change.unit,
            )
            for change in changes
        ],
    )


def _denial(error: QuantmeshError) -> pb.OrderDenial:
    return pb.OrderDenial(
        problem=error.problem, detail=error.detail, suggestion_json=error.metadata.get("suggestion", "")
    )


def _plain(value: Decimal | None) -> common_pb2.Decimal | None:
    return None if value is None else common_pb2.Decimal(value=plain(value))


def _stamp(moment: datetime | None) -> Timestamp | None:
    return None if moment is None else to_timestamp(moment)


def _number_of(name: StrEnum) -> Any:
    return _NUMBERS[type(name), name]
