"""What the book holds, and what it proposes to be done."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from quantmesh.portfolio.core.numbers import ZERO
from quantmesh.portfolio.core.orders import Order, OrderSide


@dataclass(frozen=True, slots=True)
class RestingOrder:
    """An open order, as far as matching concerns it.

    `limit_price` is None where any price will do, `stop_price` where it waits for no trigger (any more). Orders of one
    price go by `priority_at`, then by id; `expires_at` is market time.
    """

    id: UUID
    portfolio_id: UUID
    owner_id: UUID
    symbol: str
    side: OrderSide
    open_quantity: Decimal
    limit_price: Decimal | None
    stop_price: Decimal | None
    priority_at: datetime
    expires_at: datetime | None = None
    version: int = 1


def resting_order(order: Order, owner_id: UUID) -> RestingOrder:
    """Of one that is open."""
    request = order.request
    return RestingOrder(
        id=order.id,
        portfolio_id=order.portfolio_id,
        owner_id=owner_id,
        symbol=request.symbol,
        side=request.side,
        open_quantity=order.open_quantity,
        limit_price=request.limit_price,
        stop_price=request.stop_price if order.waits_for_trigger else None,
        priority_at=order.priority_at or order.created_at,
        expires_at=order.expires_at,
        version=order.version,
    )


class Action(StrEnum):
    EXPIRE = "expire"
    TRIGGER = "trigger"
    FILL = "fill"


@dataclass(frozen=True, slots=True)
class Proposal:
    """The order as it was before; `quantity` is what a fill is for."""

    action: Action
    order: RestingOrder
    quantity: Decimal = ZERO
