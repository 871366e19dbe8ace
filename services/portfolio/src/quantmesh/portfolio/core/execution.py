"""What the paper venue does with an order on one quote: whether it trades, at what price, and what that costs."""

from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from quantmesh.chassis.errors import Violation
from quantmesh.portfolio.core.currency import round_cash
from quantmesh.portfolio.core.halts.model import Halt
from quantmesh.portfolio.core.market import Asset, MarketClock, Quote
from quantmesh.portfolio.core.numbers import ZERO, exactly, plain
from quantmesh.portfolio.core.order_errors import InvalidOrder, NotTradable
from quantmesh.portfolio.core.orders import Order, OrderRequest, OrderSide
from quantmesh.portfolio.core.posting_rules import gross_of

_BASIS_POINT = Decimal("0.0001")


@dataclass(frozen=True, slots=True)
class ExecutionCosts:
    """What the paper venue takes: slippage worsens the price, the fee is on the traded amount, with a least fee."""

    fee_basis_points: Decimal
    minimum_fee: Decimal
    slippage_basis_points: Decimal


@dataclass(frozen=True, slots=True)
class Venue:
    """An instrument's market as it stands: its last quote, the market's clock, what a trade costs, a halt in force."""

    asset: Asset
    quote: Quote | None
    clock: MarketClock
    costs: ExecutionCosts
    halt: Halt | None = None

    @property
    def tradable_quote(self) -> Quote | None:
        return self.quote if self.problem is None else None

    @property
    def time(self) -> datetime:
        """When what happens now happens: at the quote where one can be traded on, else by the market's clock."""
        return self.clock.time if self.tradable_quote is None else self.tradable_quote.time

    @property
    def problem(self) -> str | None:
        """Why nothing can trade now; None where the quote can be traded on."""
        if self.halt is not None:
            return self.halt.reason
        return quote_problem(self.asset.symbol, self.quote, self.clock)


@exactly
def check_instrument(request: OrderRequest, asset: Asset) -> None:
    """Raises NotTradable, or InvalidOrder where the quantity is off the lot or a price off the tick."""
    if not asset.tradable:
        raise NotTradable(asset.symbol)
    violations = []
    if asset.lot_size > ZERO and request.quantity % asset.lot_size:
        description = f"{plain(request.quantity)} is not a multiple of the lot of {plain(asset.lot_size)}"
        violations.append(Violation("quantity", description))
    for field, price in request.prices.items():
        if price is not None and asset.tick_size > ZERO and price % asset.tick_size:
            below, above = (plain(_to_tick(price, asset.tick_size, way)) for way in (ROUND_FLOOR, ROUND_CEILING))
            description = (
                f"{plain(price)} is not a multiple of the tick of {plain(asset.tick_size)}: {below} or {above}"
            )
            violations.append(Violation(field, description))
    if violations:
        raise InvalidOrder(violations)


def quote_problem(symbol: str, quote: Quote | None, clock: MarketClock) -> str | None:
    """Why nothing can trade on this quote; None where something can."""
    if not clock.open:
        return clock.detail or "the market is closed"
    if quote is None:
        return f"there is no quote for {symbol}"
    if quote.stale:
        return f"the last quote for {symbol} is stale ({quote.time.isoformat()})"
    if quote.bid is None or quote.ask is None or quote.bid <= ZERO or quote.ask <= ZERO:
        return f"the quote for {symbol} lacks a side"
    if quote.bid > quote.ask:
        return f"the quote for {symbol} is crossed: bid {plain(quote.bid)}, ask {plain(quote.ask)}"
    return None


def is_triggered(request: OrderRequest, quote: Quote) -> bool:
    """Whether the last price is at or through the stop price."""
    if request.stop_price is None:
        return False
    if request.side is OrderSide.BUY:
        return quote.price >= request.stop_price
    return quote.price <= request.stop_price


def is_marketable(request: OrderRequest, quote: Quote) -> bool:
    """Whether the quote is at least as good as the limit; whatever has no limit takes any price."""
    opposite = _opposite(request.side, quote)
    if opposite is None:
        return False
    if request.limit_price is None:
        return True
    return opposite <= request.limit_price if request.side is OrderSide.BUY else opposite >= request.limit_price


def trades_now(request: OrderRequest, venue: Venue) -> bool:
    """Whether the venue's quote gives it a price, for whatever quantity."""
    quote = venue.tradable_quote
    if quote is None or (request.has_stop and not is_triggered(request, quote)):
        return False
    return execution_price(request, quote, venue.asset, venue.costs) is not None


def execution_price(request: OrderRequest, quote: Quote, asset: Asset, costs: ExecutionCosts) -> Decimal | None:
    """Buys at the ask, sells at the bid, with slippage but never beyond the limit; None where it would not trade.

    The price is rounded to the tick against the customer too, so that the venue never gives a better price than was
    quoted; a bid below one tick buys nothing.
    """
    opposite = _opposite(request.side, quote)
    if opposite is None or not is_marketable(request, quote):
        return None
    price = slipped(opposite, request.side, asset, costs)
    if request.limit_price is not None:
        price = min(price, request.limit_price) if request.side is OrderSide.BUY else max(price, request.limit_price)
    return price if price > ZERO else None


@exactly
def slipped(price: Decimal, side: OrderSide, asset: Asset, costs: ExecutionCosts) -> Decimal:
    """`price`, worse by the slippage, on the next tick against the customer."""
    slippage = costs.slippage_basis_points * _BASIS_POINT
    if side is OrderSide.BUY:
        return _to_tick(price * (1 + slippage), asset.tick_size, ROUND_CEILING)
    return _to_tick(price * (1 - slippage), asset.tick_size, ROUND_FLOOR)


@exactly
def traded_value(notional: Decimal, asset: Asset) -> Decimal:
    """What units cost of which quantity times price is `notional`; not rounded."""
    return gross_of(notional, Decimal(1), asset.option)


@exactly
def fee_of(order: Order, added_notional: Decimal, asset: Asset, costs: ExecutionCosts) -> Decimal:
    """What is to be charged for more of an order: the fee of all of it, less what was charged for the parts before."""
    value = traded_value(order.notional + added_notional, asset)
    return max(fee_on(value, asset.currency, costs) - order.fee, ZERO)


@exactly
def fee_on(value: Decimal, currency: str, costs: ExecutionCosts) -> Decimal:
    """Of a whole order that trades for `value`."""
    whole = max(round_cash(value * costs.fee_basis_points * _BASIS_POINT, currency), costs.minimum_fee)
    return round_cash(whole, currency)


def _opposite(side: OrderSide, quote: Quote) -> Decimal | None:
    return quote.ask if side is OrderSide.BUY else quote.bid


def _to_tick(price: Decimal, tick: Decimal, rounding: str) -> Decimal:
    return price if tick <= ZERO else (price / tick).to_integral_value(rounding) * tick
