"""Whether the account can carry an order, and the largest one like it that it can."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from quantmesh.portfolio.core.admission import Books
from quantmesh.portfolio.core.errors import InsufficientCash, InsufficientHolding
from quantmesh.portfolio.core.execution import Venue, fee_of
from quantmesh.portfolio.core.ledger_errors import MarginExceeded
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
def suggesting_less(order: Order, venue: Venue) -> Iterator[None]:
    """A refusal of what the order's fills owe names the order that passes; a replacement as it was asked for."""
    try:
        yield
    except MarginExceeded as refusal:
        suggest_less(refusal, order, venue)
        raise


@exactly
def suggest_less(refusal: MarginExceeded, order: Order, venue: Venue) -> None:
    """The most of the fill that is carried becomes a whole request, in whole lots; `order` is from before the fill."""
    opening, passing = refusal.opening, None
    if opening is not None:
        price, asset = opening.asked.price or ZERO, venue.asset
        passing = opening.largest(lot_of(asset), lambda quantity: fee_of(order, quantity * price, asset, venue.costs))
    refusal.suggest(None if passing is None else _smaller_request(order, order.filled_quantity + passing))


def _smaller_request(order: Order, quantity: Decimal) -> Mapping[str, str]:
    """The same of `quantity`: a new order's request, or the replacement of one that is there."""
    smaller = replace(order.request, quantity=quantity)
    asked = {"quantity": quantity, **smaller.prices}
    change = {name: plain(value) for name, value in asked.items() if value is not None and name in order.changeable}
    if order.version:
        return change
    named = {"client_order_id": smaller.client_order_id} if order.is_named else {}
    return {
        "portfolio_id": str(order.portfolio_id),
        **named,
        "symbol": smaller.symbol,
        "side": smaller.side.value,
        "type": smaller.type.value,
        **change,
        "time_in_force": smaller.time_in_force.value,
    }
