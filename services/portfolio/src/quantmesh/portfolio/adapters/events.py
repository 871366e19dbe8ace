"""Events out: messages and subjects of what the account's log tells."""

from quantmesh.api.portfolio.v1 import events_pb2
from quantmesh.portfolio.adapters import translate, translate_orders
from quantmesh.portfolio.core.account_log import AccountEvent
from quantmesh.portfolio.core.model import Transaction
from quantmesh.portfolio.core.order_states import OrderStep
from quantmesh.portfolio.core.orders import Fill, Order

TRANSACTION_RECORDED = "portfolio.transaction.recorded"
OrderMessage = (
    events_pb2.OrderAccepted
    | events_pb2.OrderCancelled
    | events_pb2.OrderExpired
    | events_pb2.OrderRejected
    | events_pb2.OrderReplaced
    | events_pb2.OrderTriggered
)
_STEPS: dict[OrderStep, type[OrderMessage]] = {
    OrderStep.ACCEPTED: events_pb2.OrderAccepted,
    OrderStep.CANCELLED: events_pb2.OrderCancelled,
    OrderStep.EXPIRED: events_pb2.OrderExpired,
    OrderStep.REJECTED: events_pb2.OrderRejected,
    OrderStep.REPLACED: events_pb2.OrderReplaced,
    OrderStep.TRIGGERED: events_pb2.OrderTriggered,
}
FillMessage = events_pb2.OrderFilled | events_pb2.OrderPartiallyFilled
_FILLS: dict[OrderStep, type[FillMessage]] = {
    OrderStep.FILLED: events_pb2.OrderFilled,
    OrderStep.PARTIALLY_FILLED: events_pb2.OrderPartiallyFilled,
}


def transaction_message(transaction: Transaction, event: AccountEvent, leaf: bytes) -> events_pb2.TransactionRecorded:
    message = events_pb2.TransactionRecorded(leaf=leaf)
    translate.fill_transaction(message.transaction, transaction)
    translate.fill_account_event(message.event, event)
    return message


def order_message(order: Order, step: OrderStep, event: AccountEvent, fill: Fill | None) -> OrderMessage | FillMessage:
    shown, told = translate_orders.order(order), translate.account_event(event)
    if fill is None:
        return _STEPS[step](order=shown, event=told)
    return _FILLS[step](order=shown, event=told, fill=translate_orders.fill(fill, order.currency))
