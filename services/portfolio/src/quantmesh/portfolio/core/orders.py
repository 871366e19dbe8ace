"""Orders: what may be asked, the states an order goes through, and at what price the paper venue fills it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from enum import StrEnum
from uuid import UUID

from quantmesh.chassis.errors import Violation
from quantmesh.portfolio.core.currency import round_cash
from quantmesh.portfolio.core.errors import IllegalTransition, InvalidOrder, NotTradable
from quantmesh.portfolio.core.fields import SYMBOL, printable
from quantmesh.portfolio.core.market import Asset, MarketClock, Quote
from quantmesh.portfolio.core.numbers import QUANTITY_LIMIT, ZERO, exactly, plain

CLIENT_ORDER_ID_LIMIT = 128
_BASIS_POINT = Decimal("0.0001")


class OrderSide(StrEnum):
    BUY = "buy"
    SELL = "sell"


class OrderType(StrEnum):
    MARKET = "market"


class TimeInForce(StrEnum):
    DAY = "day"
    IOC = "ioc"
    FOK = "fok"


class OrderStatus(StrEnum):
    ACCEPTED = "accepted"
    FILLED = "filled"
    CANCELLED = "cancelled"
    REJECTED = "rejected"


# The whole state machine: from None a new order comes; what has no successor is final.
TRANSITIONS: Mapping[OrderStatus | None, frozenset[OrderStatus]] = {
    None: frozenset({OrderStatus.ACCEPTED, OrderStatus.REJECTED}),
    OrderStatus.ACCEPTED: frozenset({OrderStatus.FILLED, OrderStatus.CANCELLED}),
    OrderStatus.FILLED: frozenset(),
    OrderStatus.CANCELLED: frozenset(),
    OrderStatus.REJECTED: frozenset(),
}


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """Raises InvalidOrder with a violation per wrong field. An empty `client_order_id` becomes the order's own id."""

    symbol: str
    side: OrderSide
    type: OrderType
    quantity: Decimal
    time_in_force: TimeInForce
    client_order_id: str = ""

    def __post_init__(self) -> None:
        violations = []
        if not SYMBOL.fullmatch(self.symbol):
            violations.append(Violation("symbol", f"{self.symbol[:40]!r} is not a symbol such as AAPL"))
        if not (self.quantity.is_finite() and ZERO < self.quantity < QUANTITY_LIMIT):
            allowed = f"more than zero and less than {plain(QUANTITY_LIMIT)}"
            violations.append(Violation("quantity", f"{self.quantity} must be {allowed}"))
        if len(self.client_order_id) > CLIENT_ORDER_ID_LIMIT or not printable(self.client_order_id):
            violations.append(
                Violation("client_order_id", f"must be at most {CLIENT_ORDER_ID_LIMIT} printable characters")
            )
        if violations:
            raise InvalidOrder(violations)


@dataclass(frozen=True, slots=True)
class Order:
    """`accepted_at` is system time, `executed_at` market time; `status` is None until the order is taken or refused."""

    id: UUID
    portfolio_id: UUID
    request: OrderRequest
    currency: str
    created_at: datetime
    status: OrderStatus | None = None
    filled_quantity: Decimal = ZERO
    average_fill_price: Decimal | None = None
    fee: Decimal = ZERO
    accepted_at: datetime | None = None
    executed_at: datetime | None = None
    transaction_id: UUID | None = None
    reason: str = ""
    version: int = 0

    def become(self, status: OrderStatus) -> "Order":
        """The only way to another status; IllegalTransition where the table has no such step."""
        if status not in TRANSITIONS[self.status]:
            raise IllegalTransition("new" if self.status is None else self.status.value, status.value)
        return replace(self, status=status, version=self.version + 1)


@dataclass(frozen=True, slots=True)
class ExecutionCosts:
    """What the paper venue takes: slippage worsens the price, the fee is on the traded amount, with a least fee."""

    fee_basis_points: Decimal
    minimum_fee: Decimal
    slippage_basis_points: Decimal


@dataclass(frozen=True, slots=True)
class Fill:
    price: Decimal
    fee: Decimal
    executed_at: datetime


@dataclass(frozen=True, slots=True)
class Rejection:
    reason: str


@exactly
def check_instrument(request: OrderRequest, asset: Asset) -> None:
    """Raises NotTradable, or InvalidOrder where the quantity is no multiple of the lot."""
    if not asset.tradable:
        raise NotTradable(asset.symbol)
    if asset.lot_size > ZERO and request.quantity % asset.lot_size:
        description = f"{plain(request.quantity)} is not a multiple of the lot of {plain(asset.lot_size)}"
        raise InvalidOrder([Violation("quantity", description)])


@exactly
def execute(
    request: OrderRequest, asset: Asset, quote: Quote | None, clock: MarketClock, costs: ExecutionCosts
) -> Fill | Rejection:
    """A market order against one quote: buys at the ask, sells at the bid, whole or not at all.

    The price is worsened by the slippage and then rounded to the tick, against the customer too, so that the
    venue never gives a better price than was quoted.
    """
    refusal = _refusal(request, quote, clock)
    if refusal is not None or quote is None:
        return Rejection(refusal or "")
    slippage = costs.slippage_basis_points * _BASIS_POINT
    if request.side is OrderSide.BUY:
        price = _to_tick((quote.ask or quote.price) * (1 + slippage), asset.tick_size, ROUND_CEILING)
    else:
        price = _to_tick((quote.bid or quote.price) * (1 - slippage), asset.tick_size, ROUND_FLOOR)
    if price <= ZERO:
        return Rejection(f"the bid of {request.symbol} is below one tick")
    gross = request.quantity * price
    fee = max(round_cash(gross * costs.fee_basis_points * _BASIS_POINT, asset.currency), costs.minimum_fee)
    return Fill(price, round_cash(fee, asset.currency), quote.time)


def _refusal(request: OrderRequest, quote: Quote | None, clock: MarketClock) -> str | None:
    if not clock.open:
        return clock.detail or "the market is closed"
    if quote is None:
        return f"there is no quote for {request.symbol}"
    if quote.stale:
        return f"the last quote for {request.symbol} is stale ({quote.time.isoformat()})"
    if quote.bid is None or quote.ask is None or quote.bid <= ZERO or quote.ask <= ZERO:
        return f"the quote for {request.symbol} lacks a side"
    if quote.bid > quote.ask:
        return f"the quote for {request.symbol} is crossed: bid {plain(quote.bid)}, ask {plain(quote.ask)}"
    return None


def _to_tick(price: Decimal, tick: Decimal, rounding: str) -> Decimal:
    return price if tick <= ZERO else (price / tick).to_integral_value(rounding) * tick
