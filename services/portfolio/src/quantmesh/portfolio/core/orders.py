"""Orders: what may be asked, and an order as it stands."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from quantmesh.chassis.errors import Violation
from quantmesh.portfolio.core.fields import SYMBOL, printable
from quantmesh.portfolio.core.numbers import LIMIT, QUANTITY_LIMIT, ZERO, exactly, plain, to_stored
from quantmesh.portfolio.core.order_errors import InvalidOrder, OrderChanged
from quantmesh.portfolio.core.order_states import OPEN, OrderStatus, OrderStep, following

CLIENT_ORDER_ID_LIMIT = 128
# Of an order that was just taken, or refused; each step raises it.
FIRST_VERSION = 1


class OrderSide(StrEnum):
    BUY = "buy"
    SELL = "sell"


class OrderType(StrEnum):
    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"
    STOP_LIMIT = "stop_limit"


class TimeInForce(StrEnum):
    DAY = "day"
    GTC = "gtc"
    IOC = "ioc"
    FOK = "fok"


PRICES: Mapping[OrderType, frozenset[str]] = {
    OrderType.MARKET: frozenset(),
    OrderType.LIMIT: frozenset({"limit_price"}),
    OrderType.STOP: frozenset({"stop_price"}),
    OrderType.STOP_LIMIT: frozenset({"limit_price", "stop_price"}),
}
CHANGEABLE = frozenset({"quantity", "limit_price", "stop_price"})
# Settled before the answer, whatever the market does.
AT_ONCE = frozenset({TimeInForce.IOC, TimeInForce.FOK})


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """Raises InvalidOrder with a violation per wrong field. An empty `client_order_id` becomes the order's own id."""

    symbol: str
    side: OrderSide
    type: OrderType
    quantity: Decimal
    time_in_force: TimeInForce
    client_order_id: str = ""
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None

    def __post_init__(self) -> None:
        violations = []
        if not SYMBOL.fullmatch(self.symbol):
            violations.append(Violation("symbol", f"{self.symbol[:40]!r} is not a symbol such as AAPL"))
        if not (self.quantity.is_finite() and ZERO < self.quantity < QUANTITY_LIMIT):
            allowed = f"more than zero and less than {plain(QUANTITY_LIMIT)}"
            violations.append(Violation("quantity", f"{self.quantity} must be {allowed}"))
        for field, price in self.prices.items():
            problem = _price_problem(self.type, field, price) or self._too_much_at(price)
            if problem is not None:
                violations.append(Violation(field, problem))
        if self.has_stop and self.time_in_force in AT_ONCE:
            description = f"{self.time_in_force} is settled at once, and a {self.type} waits; it takes day or gtc"
            violations.append(Violation("time_in_force", description))
        if len(self.client_order_id) > CLIENT_ORDER_ID_LIMIT or not printable(self.client_order_id):
            violations.append(
                Violation("client_order_id", f"must be at most {CLIENT_ORDER_ID_LIMIT} printable characters")
            )
        if violations:
            raise InvalidOrder(violations)

    @exactly
    def _too_much_at(self, price: Decimal | None) -> str | None:
        """Neither the ledger nor a reservation could hold it."""
        if price is None or not self.quantity.is_finite() or self.quantity * price < LIMIT:
            return None
        return f"{plain(price)} for each of {plain(self.quantity)} must come to less than {plain(LIMIT)}"

    @property
    def prices(self) -> Mapping[str, Decimal | None]:
        return {"limit_price": self.limit_price, "stop_price": self.stop_price}

    @property
    def has_stop(self) -> bool:
        return "stop_price" in PRICES[self.type]

    @property
    def must_trade_now(self) -> bool:
        """Whether it cannot wait for a price: the venue takes it now or not at all."""
        return self.type is OrderType.MARKET or self.time_in_force in AT_ONCE


@dataclass(frozen=True, slots=True)
class Fill:
    """A part that was executed; `executed_at` is market time."""

    transaction_id: UUID
    quantity: Decimal
    price: Decimal
    fee: Decimal
    executed_at: datetime


@dataclass(frozen=True, slots=True)
class Order:
    """`status` is None until the order is taken or refused.

    `created_at`, `accepted_at` and `priority_at` are system time; `expires_at`, `triggered_at` and `executed_at` market
    time, and so is `priced_at`, which is that of `priority_at`, or None where nobody kept it. `notional` is the sum of
    quantity times price over the fills, `reserved` what is kept for the rest: cash of a purchase, units of a sale.
    `basket_id` is that of orders which were placed together.
    """

    id: UUID
    portfolio_id: UUID
    request: OrderRequest
    currency: str
    created_at: datetime
    status: OrderStatus | None = None
    filled_quantity: Decimal = ZERO
    notional: Decimal = ZERO
    fee: Decimal = ZERO
    reserved: Decimal = ZERO
    accepted_at: datetime | None = None
    priority_at: datetime | None = None
    priced_at: datetime | None = None
    expires_at: datetime | None = None
    triggered_at: datetime | None = None
    executed_at: datetime | None = None
    transaction_id: UUID | None = None
    reason: str = ""
    version: int = 0
    basket_id: UUID | None = None

    def take(self, step: OrderStep, **changes: Any) -> "Order":
        """The only way on; IllegalTransition where the table has no such step."""
        return replace(self, status=following(self.status, step), version=self.version + 1, **changes)

    def expect(self, version: int | None) -> None:
        """Raises OrderChanged where the order is at another version than its caller saw."""
        if version is not None and version != self.version:
            raise OrderChanged(version, self.version)

    @property
    def is_named(self) -> bool:
        """By its client; else it goes by its own id, which nobody can have taken."""
        return self.request.client_order_id != str(self.id)

    @property
    def is_open(self) -> bool:
        return self.status in OPEN

    @property
    def changeable(self) -> frozenset[str]:
        """What a replacement may name: a stop price means nothing any more once the stop was triggered."""
        return CHANGEABLE if self.triggered_at is None else CHANGEABLE - {"stop_price"}

    def has_expired(self, market_time: datetime) -> bool:
        return self.expires_at is not None and market_time >= self.expires_at

    def is_from_before(self, market_time: datetime) -> bool:
        """By when it was priced; where nobody knows that, it is."""
        return self.priced_at is None or self.priced_at < market_time

    @property
    def last_market_time(self) -> datetime | None:
        """The newest that it knows of; None where nothing has happened since, and nobody knows when it was priced."""
        times = (self.priced_at, self.triggered_at, self.executed_at)
        return max((at for at in times if at is not None), default=None)

    @property
    def waits_for_trigger(self) -> bool:
        return self.request.has_stop and self.triggered_at is None

    @property
    @exactly
    def open_quantity(self) -> Decimal:
        return self.request.quantity - self.filled_quantity

    @property
    @exactly
    def average_fill_price(self) -> Decimal | None:
        return to_stored(self.notional / self.filled_quantity) if self.filled_quantity else None


def _price_problem(order_type: OrderType, field: str, price: Decimal | None) -> str | None:
    if price is None:
        return f"is required for a {order_type} order" if field in PRICES[order_type] else None
    if field not in PRICES[order_type]:
        return f"is not taken by a {order_type} order"
    if not (price.is_finite() and ZERO < price < LIMIT):
        return f"{price} must be more than zero and less than {plain(LIMIT)}"
    return None
