"""Orders, their fills, and what placing one would do."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from quantmesh.client.models.base import Answer, Money


class Fill(Answer):
    """A part that was executed; its transaction can be proven."""

    transaction_id: str
    quantity: Decimal
    price: Decimal
    fee: Decimal
    executed_at: datetime


class Reservation(Answer):
    """Cash of a purchase, units of a sale."""

    commodity: str
    amount: Decimal


class Order(Answer):
    """`transaction_id` is the last fill's; `fills` are left out of lists."""

    id: str
    portfolio_id: str
    client_order_id: str | None
    symbol: str
    side: str
    type: str
    quantity: Decimal
    limit_price: Decimal | None
    stop_price: Decimal | None
    time_in_force: str
    status: str
    filled_quantity: Decimal | None
    average_fill_price: Decimal | None
    fee: Decimal | None
    currency: str | None
    reserved: Reservation | None
    accepted_at: datetime | None
    expires_at: datetime | None
    triggered_at: datetime | None
    executed_at: datetime | None
    transaction_id: str | None
    reason: str | None
    version: int
    basket_id: str | None = None
    fills: tuple[Fill, ...] = ()


class PreviewedOrder(Answer):
    """The order as it would be answered."""

    portfolio_id: str
    client_order_id: str | None
    symbol: str
    side: str
    type: str
    quantity: Decimal
    limit_price: Decimal | None
    stop_price: Decimal | None
    time_in_force: str
    status: str | None
    filled_quantity: Decimal | None
    reason: str | None
    expires_at: datetime | None


class Denial(Answer):
    """The problem that placing the order would answer; `suggestion` is a request that would pass."""

    type: str
    detail: str
    suggestion: dict[str, Any] | None


class FigureChange(Answer):
    name: str
    before: Decimal
    after: Decimal
    limit: Decimal | None
    unit: str | None


class OrderPreview(Answer):
    """Cash and position are those once it is filled whole at the estimated price."""

    dry_run: bool
    order: PreviewedOrder
    estimated_price: Decimal | None
    estimated_fee: Money
    reservation: Reservation
    cash_after: Money
    position_after: Decimal
    denial: Denial | None
    changes: tuple[FigureChange, ...]
