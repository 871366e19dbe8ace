"""What is refused of orders; drawn in the tree of `core/errors.py`."""

from collections.abc import Sequence
from uuid import UUID

from quantmesh.chassis.errors import (
    AlreadyExists,
    Conflict,
    InvalidInput,
    NotFound,
    PreconditionFailed,
    RuleBroken,
    Violation,
)
from quantmesh.portfolio.core.errors import listed


class InvalidOrder(InvalidInput):
    problem = "invalid-order"

    def __init__(self, violations: Sequence[Violation]) -> None:
        super().__init__(f"The order cannot be taken: {listed(violations)}.", violations=violations)


class NotTradable(RuleBroken):
    problem = "not-tradable"

    def __init__(self, symbol: str) -> None:
        description = f"{symbol} is not quoted on the live feed, so an order on it cannot fill"
        super().__init__(f"{description}.", violations=[Violation("symbol", description)])


class IllegalTransition(Conflict):
    problem = "illegal-order-transition"

    def __init__(self, current: str, wanted: str) -> None:
        super().__init__(f"An order that is {current} cannot be {wanted}.")


class OrderNotFound(NotFound):
    problem = "order-not-found"

    def __init__(self, order_id: UUID | str) -> None:
        super().__init__(f"There is no order {order_id}.")


class OrderIdTaken(AlreadyExists):
    problem = "client-order-id-taken"

    def __init__(self, client_order_id: str) -> None:
        description = f"{client_order_id!r} names another order of this portfolio"
        super().__init__(f"{description}.", violations=[Violation("client_order_id", description)])


class OrderChanged(PreconditionFailed):
    problem = "order-changed"

    def __init__(self, expected: int, actual: int) -> None:
        super().__init__(f"The order is at version {actual}, not {expected}; read it again.")
