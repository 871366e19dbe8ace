"""The states of an order, and the steps between them: one table, which the database and the docs repeat."""

from collections.abc import Mapping
from enum import StrEnum

from quantmesh.portfolio.core.order_errors import IllegalTransition


class OrderStatus(StrEnum):
    ACCEPTED = "accepted"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    REJECTED = "rejected"


class OrderStep(StrEnum):
    """What happens to an order; the event of it is "order.<step>"."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    TRIGGERED = "triggered"
    REPLACED = "replaced"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


_ENDS = {
    OrderStep.FILLED: OrderStatus.FILLED,
    OrderStep.CANCELLED: OrderStatus.CANCELLED,
    OrderStep.EXPIRED: OrderStatus.EXPIRED,
}
# The whole state machine: from None a new order comes; what has no step is final. A stop that has been triggered
# is still `accepted` (its `triggered_at` says the rest), and one that has filled in part is triggered already.
TRANSITIONS: Mapping[OrderStatus | None, Mapping[OrderStep, OrderStatus]] = {
    None: {OrderStep.ACCEPTED: OrderStatus.ACCEPTED, OrderStep.REJECTED: OrderStatus.REJECTED},
    OrderStatus.ACCEPTED: {
        OrderStep.TRIGGERED: OrderStatus.ACCEPTED,
        OrderStep.REPLACED: OrderStatus.ACCEPTED,
        OrderStep.PARTIALLY_FILLED: OrderStatus.PARTIALLY_FILLED,
        **_ENDS,
    },
    OrderStatus.PARTIALLY_FILLED: {
        OrderStep.REPLACED: OrderStatus.PARTIALLY_FILLED,
        OrderStep.PARTIALLY_FILLED: OrderStatus.PARTIALLY_FILLED,
        **_ENDS,
    },
    OrderStatus.FILLED: {},
    OrderStatus.CANCELLED: {},
    OrderStatus.EXPIRED: {},
    OrderStatus.REJECTED: {},
}
OPEN = frozenset(status for status in OrderStatus if TRANSITIONS[status])


def following(current: OrderStatus | None, step: OrderStep) -> OrderStatus:
    """Where `step` leads; IllegalTransition where the table has no such step."""
    status = TRANSITIONS[current].get(step)
    if status is None:
        raise IllegalTransition("new" if current is None else current.value, step.value)
    return status
