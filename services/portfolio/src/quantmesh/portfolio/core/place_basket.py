"""Several market orders as one: all are filled in one transaction, sales first, or none is placed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from quantmesh.chassis.errors import Violation
from quantmesh.portfolio.core.errors import InsufficientCash, InsufficientHolding
from quantmesh.portfolio.core.execution import Venue
from quantmesh.portfolio.core.order_states import OrderStatus
from quantmesh.portfolio.core.orders import Order, OrderRequest, OrderSide, OrderType, TimeInForce
from quantmesh.portfolio.core.place_order import new_order, place_order
from quantmesh.portfolio.core.ports import Ledger
from quantmesh.portfolio.core.rebalance_errors import BasketRefused, InvalidRebalance
from quantmesh.portfolio.core.record_transactions import NewId


@dataclass(frozen=True, slots=True)
class BasketOrder:
    request: OrderRequest
    venue: Venue


def basket_request(symbol: str, side: OrderSide, quantity: Decimal) -> OrderRequest:
    """Whole and at once, or not at all. Raises InvalidOrder."""
    return OrderRequest(symbol, side, OrderType.MARKET, quantity, TimeInForce.FOK)


def sales_first(requests: Sequence[OrderRequest]) -> list[OrderRequest]:
    """So that they pay for the purchases. Raises InvalidRebalance where there is none, or a symbol twice."""
    symbols = [request.symbol for request in requests]
    twice = sorted({symbol for symbol in symbols if symbols.count(symbol) > 1})
    if not requests or twice:
        description = f"name {', '.join(twice)} more than once" if twice else "must have one at least"
        raise InvalidRebalance([Violation("orders", description)])
    return sorted(requests, key=lambda request: (request.side is OrderSide.BUY, request.symbol))


async def place_basket(
    ledger: Ledger, portfolio_id: UUID, orders: Sequence[BasketOrder], now: datetime, new_id: NewId
) -> tuple[UUID, list[Order]]:
    """In the order given. Raises BasketRefused, NotTradable or InvalidOrder, and then nothing is written."""
    basket_id, placed = new_id(), []
    await ledger.lock(portfolio_id, now)
    await ledger.lock_sizes([each.request.symbol for each in orders])
    for each in orders:
        symbol = each.request.symbol
        try:
            new = new_order(portfolio_id, each.request, each.venue, now, new_id(), basket_id)
            order, _ = await place_order(ledger, new, each.venue, now, new_id)
        except (InsufficientCash, InsufficientHolding) as lacking:
            raise BasketRefused(symbol, lacking.detail.rstrip(".")) from lacking
        if order.status is not OrderStatus.FILLED:
            raise BasketRefused(symbol, order.reason)
        placed.append(order)
    return basket_id, placed
