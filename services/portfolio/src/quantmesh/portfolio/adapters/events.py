"""Events out: messages and subjects of what the account's log tells."""

from quantmesh.api.portfolio.v1 import events_pb2
from quantmesh.portfolio.adapters import translate
from quantmesh.portfolio.core.account_log import AccountEvent
from quantmesh.portfolio.core.model import Transaction
from quantmesh.portfolio.core.orders import Order, OrderStatus

TRANSACTION_RECORDED = "portfolio.transaction.recorded"
OrderMessage = events_pb2.OrderAccepted | events_pb2.OrderFilled | events_pb2.OrderCancelled | events_pb2.OrderRejected
_ORDER_MESSAGES: dict[OrderStatus, type[OrderMessage]] = {
    OrderStatus.ACCEPTED: events_pb2.OrderAccepted,
    OrderStatus.FILLED: events_pb2.OrderFilled,
    OrderStatus.CANCELLED: events_pb2.OrderCancelled,
    OrderStatus.REJECTED: events_pb2.OrderRejected,
}


def transaction_message(transaction: Transaction, event: AccountEvent, leaf: bytes) -> events_pb2.TransactionRecorded:
    return events_pb2.TransactionRecorded(
        transaction=translate.transaction(transaction), leaf=leaf, event=translate.account_event(event)
    )


def order_message(order: Order, event: AccountEvent) -> OrderMessage:
    message = _ORDER_MESSAGES[_status(order)]
    return message(order=translate.order(order), event=translate.account_event(event))


def order_subject(order: Order) -> str:
    return f"portfolio.order.{_status(order)}"


def _status(order: Order) -> OrderStatus:
    if order.status is None:
        msg = f"order {order.id} has not been decided, so there is nothing to tell of it"
        raise ValueError(msg)
    return order.status
