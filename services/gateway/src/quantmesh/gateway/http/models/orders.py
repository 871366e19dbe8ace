"""Orders and trades: bodies, queries and answers."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, JsonValue, StringConstraints

from quantmesh.gateway.http.models.base import (
    Body,
    DecimalText,
    Id,
    MoneyShown,
    PageQuery,
    PositiveDecimal,
    Query,
    Shown,
    ShownInstant,
    Symbol,
)

ClientOrderId = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9._:-]+$")]
Side = Literal["buy", "sell"]
OrderType = Literal["market", "limit", "stop", "stop_limit"]
TimeInForce = Literal["day", "gtc", "ioc", "fok"]
OrderStatus = Literal["accepted", "partially_filled", "filled", "cancelled", "expired", "rejected"]

_EXAMPLE: dict[str, JsonValue] = {
    "portfolio_id": "019aa2b0-0f4e-7c3a-8b1d-3f2b7c1d9e10",
    "client_order_id": "rebalance-1",
    "symbol": "AAPL",
    "side": "buy",
    "type": "limit",
    "quantity": "5",
    "limit_price": "129.41",
    "time_in_force": "gtc",
}


class OrderBody(Body):
    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    portfolio_id: Id
    client_order_id: ClientOrderId | None = None
    symbol: Symbol
    side: Side
    type: OrderType = "market"
    quantity: PositiveDecimal
    limit_price: Annotated[PositiveDecimal | None, Field(description="Of limit and stop_limit orders.")] = None
    stop_price: Annotated[PositiveDecimal | None, Field(description="Of stop and stop_limit orders.")] = None
    time_in_force: Annotated[
        TimeInForce, Field(description="day lasts until the session's close; ioc and fok are settled at once.")
    ] = "day"


class ReplaceOrderBody(Body):
    """At least one of them; the quantity is the whole one, what is filled included."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"limit_price": "130.00"}], "minProperties": 1})

    quantity: PositiveDecimal | None = None
    limit_price: PositiveDecimal | None = None
    stop_price: PositiveDecimal | None = None


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
    type: Literal["market"] = "market"
    quantity: PositiveDecimal


class PlaceQuery(Query):
    dry_run: Annotated[bool, Field(description="Answer what placing it now would do, and place nothing.")] = False


class OrdersQuery(PageQuery):
    portfolio_id: Id | None = None
    status: Annotated[
        OrderStatus | Literal["open"] | None, Field(description="open: accepted or partially_filled.")
    ] = None
    symbol: Symbol | None = None
    side: Side | None = None
    client_order_id: ClientOrderId | None = None


class FillShown(Shown):
    transaction_id: str
    quantity: DecimalText
    price: DecimalText
    fee: DecimalText
    executed_at: ShownInstant


class ReservationShown(Shown):
    """Cash of a purchase, units of a sale."""

    commodity: str
    amount: DecimalText


class ListedOrderShown(Shown):
    id: str
    portfolio_id: str
    client_order_id: str | None
    symbol: str
    side: Side
    type: OrderType
    quantity: DecimalText
    limit_price: DecimalText | None
    stop_price: DecimalText | None
    time_in_force: TimeInForce
    status: OrderStatus
    filled_quantity: DecimalText | None
    average_fill_price: DecimalText | None
    fee: DecimalText | None
    currency: str | None
    reserved: Annotated[ReservationShown | None, Field(description="What is kept of the account until it ends.")]
    accepted_at: ShownInstant | None
    expires_at: Annotated[ShownInstant | None, Field(description="The close of a day order's session.")]
    triggered_at: Annotated[ShownInstant | None, Field(description="When the market reached the stop price.")]
    executed_at: ShownInstant | None
    transaction_id: Annotated[str | None, Field(description="Of the last fill.")]
    reason: str | None
    version: int
    basket_id: str | None


class OrderShown(ListedOrderShown):
    fills: list[FillShown]


class OrdersShown(Shown):
    data: list[ListedOrderShown]
    next_cursor: str | None


class DenialShown(Shown):
    """The problem that placing the order would answer."""

    type: str
    detail: str
    suggestion: dict[str, Any] | None


class FigureChangeShown(Shown):
    """A figure of the account without the order and with it, in `unit` where that is a currency."""

    name: str
    before: DecimalText
    after: DecimalText
    limit: DecimalText | None
    unit: str | None


class PreviewedOrderShown(Shown):
    """The order as it would be answered."""

    portfolio_id: str
    client_order_id: str | None
    symbol: str
    side: Side
    type: OrderType
    quantity: DecimalText
    limit_price: DecimalText | None
    stop_price: DecimalText | None
    time_in_force: TimeInForce
    status: OrderStatus | None
    filled_quantity: DecimalText | None
    reason: str | None
    expires_at: ShownInstant | None


class OrderPreviewShown(Shown):
    """Estimates: the quote may move before the order is placed."""

    dry_run: Literal[True]
    order: PreviewedOrderShown
    estimated_price: DecimalText | None
    estimated_fee: MoneyShown
    reservation: ReservationShown
    cash_after: Annotated[MoneyShown, Field(description="Once it is filled whole at the estimated price.")]
    position_after: DecimalText
    denial: DenialShown | None
    changes: Annotated[list[FigureChangeShown], Field(description="Margin and risk.")]
