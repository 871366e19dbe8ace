"""Whether the account can carry an order, and the largest one like it that it can."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from decimal import ROUND_FLOOR, Decimal

from quantmesh.portfolio.core.admission import Books
from quantmesh.portfolio.core.errors import InsufficientCash, InsufficientHolding
from quantmesh.portfolio.core.execution import Venue
from quantmesh.portfolio.core.ledger_errors import MarginExceeded
from quantmesh.portfolio.core.market import Asset
from quantmesh.portfolio.core.numbers import ZERO, exactly, plain
from quantmesh.portfolio.core.orders import Order, OrderSide
from quantmesh.portfolio.core.reservations import affordable, lot_of, reservation, reserved_from

# How a denial names it.
RULE = "buying_power"


@exactly
def required(books: Books, order: Order, price: Decimal, venue: Venue, time: datetime) -> Decimal:
    """What the order reserves at `price`, once that is there beside what it reserves already.

    Raises InsufficientCash or InsufficientHolding, with the largest order that passes as suggestion.
    """
    needed = reservation(order, price, venue.asset, venue.costs)
    holding = reserved_from(order)
    headroom = books.balance(holding).headroom(time, own=order.reserved)
    available = headroom.amount
    if books.may_owe or needed <= available:
        return needed
    refusal = InsufficientCash if order.request.side is OrderSide.BUY else InsufficientHolding
    raise refusal(
        holding[1],
        rule=RULE,
        needed=needed,
        available=available,
        at=headroom.at,
        later=headroom.later,
        field="quantity",
        reserved=headroom.reserved,
        suggestion=_suggestion(order, available, price, venue),
    )


def _suggestion(order: Order, available: Decimal, price: Decimal, venue: Venue) -> Mapping[str, str] | None:
    quantity = order.filled_quantity + affordable(order, available, price, venue.asset, venue.costs)
    return None if quantity <= order.filled_quantity else _smaller_request(order, quantity)


@contextmanager
def suggesting_less(order: Order, asset: Asset) -> Iterator[None]:
    """A refusal of what the order's fills owe names the order that passes; a replacement as it was asked for."""
    try:
        yield
    except MarginExceeded as refusal:
        suggest_less(refusal, order, asset)
        raise


@exactly
def suggest_less(refusal: MarginExceeded, order: Order, asset: Asset) -> None:
    """What the refusal says would pass becomes a whole request, in whole lots."""
    lot = lot_of(asset)
    lots = ZERO if refusal.passing is None else (refusal.passing / lot).to_integral_value(ROUND_FLOOR)
    refusal.suggest(_smaller_request(order, order.filled_quantity + lots * lot) if lots > ZERO else None)


def _smaller_request(order: Order, quantity: Decimal) -> Mapping[str, str]:
    """The same of `quantity`: a new order's request, or the replacement of one that is there."""
    smaller = replace(order.request, quantity=quantity)
    prices = {name: plain(value) for name, value in smaller.prices.items() if value is not None}
    change = {"quantity": plain(quantity), **prices}
    if order.version:
        return change
    asked = {"client_order_id": smaller.client_order_id} if smaller.client_order_id != str(order.id) else {}
    return {
        "portfolio_id": str(order.portfolio_id),
        **asked,
        "symbol": smaller.symbol,
        "side": smaller.side.value,
        "type": smaller.type.value,
        **change,
        "time_in_force": smaller.time_in_force.value,
    }
