"""Orders and quotes that unit tests share."""

from dataclasses import replace
from decimal import Decimal
from typing import Any
from uuid import UUID

from quantmesh.portfolio.core.execution import ExecutionCosts, Venue
from quantmesh.portfolio.core.market import Adjustment, Asset, MarketClock, Quote
from quantmesh.portfolio.core.order_states import OrderStatus
from quantmesh.portfolio.core.orders import Order, OrderRequest, OrderSide, OrderType, TimeInForce

from .samples import START

ASSET = Asset("AAPL", "USD", Adjustment.TOTAL_RETURN, Decimal("0.01"), Decimal(1), tradable=True)
QUOTE = Quote("AAPL", Decimal("130.00"), Decimal("129.95"), Decimal("130.05"), START, stale=False, currency="USD")
OPEN = MarketClock(START, open=True)
FREE = ExecutionCosts(Decimal(0), Decimal(0), Decimal(0))


def request(side: OrderSide = OrderSide.BUY, quantity: str = "10", *, tif: str = "day", **more: Any) -> OrderRequest:
    """The type follows from the prices that are given, as text."""
    prices: dict[str, Any] = {name: Decimal(more.pop(name)) for name in ("limit_price", "stop_price") if name in more}
    parts = [name.removesuffix("_price") for name in ("stop_price", "limit_price") if name in prices]
    kind = OrderType("_".join(parts) or "market")
    return OrderRequest("AAPL", side, kind, Decimal(quantity), TimeInForce(tif), **prices, **more)


def order(asked: OrderRequest | None = None, status: OrderStatus | None = OrderStatus.ACCEPTED, **state: Any) -> Order:
    return replace(Order(UUID(int=1), UUID(int=2), asked or request(), "USD", START, status), **state)


def venue(costs: ExecutionCosts = FREE, quote: Quote | None = QUOTE, clock: MarketClock = OPEN) -> Venue:
    return Venue(ASSET, quote, clock, costs)
