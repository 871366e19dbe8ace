"""Orders and trades: bodies, queries and answers."""

from typing import Annotated, Literal

from pydantic import ConfigDict, JsonValue, StringConstraints

from quantmesh.gateway.http.models.base import (
    Body,
    DecimalText,
    Id,
    PageQuery,
    PositiveDecimal,
    Shown,
    ShownInstant,
    Symbol,
)

ClientOrderId = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9._:-]+$")]
Side = Literal["buy", "sell"]
OrderType = Literal["market"]
TimeInForce = Literal["day", "ioc", "fok"]
OrderStatus = Literal["accepted", "filled", "cancelled", "rejected"]

_EXAMPLE: dict[str, JsonValue] = {
    "portfolio_id": "019aa2b0-0f4e-7c3a-8b1d-3f2b7c1d9e10",
    "client_order_id": "rebalance-1",
    "symbol": "AAPL",
    "side": "buy",
    "type": "market",
    "quantity": "5",
    "time_in_force": "day",
}


class OrderBody(Body):
    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    portfolio_id: Id
    client_order_id: ClientOrderId | None = None
    symbol: Symbol
    side: Side
    type: OrderType = "market"
    quantity: PositiveDecimal
    time_in_force: TimeInForce = "day"


class TradeBody(Body):
    """A market order, answered when it is filled."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{name: _EXAMPLE[name] for name in ("portfolio_id", "symbol", "side", "quantity")}]
        }
    )

    portfolio_id: Id
    client_order_id: ClientOrderId | None = None
    symbol: Symbol
    side: Side
    type: OrderType = "market"
    quantity: PositiveDecimal


class OrdersQuery(PageQuery):
    portfolio_id: Id | None = None
    status: OrderStatus | None = None


class OrderShown(Shown):
    id: str
    portfolio_id: str
    client_order_id: str | None
    symbol: str
    side: Side
    type: OrderType
    quantity: DecimalText
    time_in_force: TimeInForce
    status: OrderStatus
    filled_quantity: DecimalText | None
    average_fill_price: DecimalText | None
    fee: DecimalText | None
    currency: str | None
    accepted_at: ShownInstant | None
    executed_at: ShownInstant | None
    transaction_id: str | None
    reason: str | None
    version: int


class OrdersShown(Shown):
    data: list[OrderShown]
    next_cursor: str | None
