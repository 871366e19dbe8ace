"""What turns holdings into weights (PF-10)."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal

from quantmesh.risk.core.model import Book, Floats, History, Terms


@dataclass(frozen=True, slots=True)
class ProposedOrder:
    """`quantity` is in whole lots, positive to buy and negative to sell."""

    symbol: str
    quantity: Decimal
    price: Decimal


def orders_to(weights: Floats, history: History, book: Book, terms: Mapping[str, Terms]) -> list[ProposedOrder]:
    """What turns the holdings of these symbols into the weights; where they are worth nothing, the cash is spent.

    The symbols are in one currency, and so is the cash that buys them. Rounded towards no trade, to whole lots:
    together the orders never cost more than they may.
    """
    closes = [Decimal(repr(float(close))) for close in history.last]
    held = book.held(history.symbols)
    worth = sum((quantity * close for quantity, close in zip(held, closes, strict=True)), Decimal(0))
    if worth <= 0:
        worth = max(book.cash.get(terms[history.symbols[0]].currency, Decimal(0)), Decimal(0))
    orders = []
    for symbol, weight, quantity, close in zip(history.symbols, weights, held, closes, strict=True):
        difference = worth * Decimal(repr(float(weight))) / close - quantity
        lot_size = terms[symbol].lot_size
        lots = (difference / lot_size).quantize(Decimal(1), rounding=ROUND_DOWN)
        if lots:
            orders.append(ProposedOrder(symbol, lots * lot_size, close))
    return orders
