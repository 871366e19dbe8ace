"""A book at prices, as quant takes it."""

from collections.abc import Mapping

from quantmesh.quant import book as quant_book
from quantmesh.risk.core.domain import quant_domain
from quantmesh.risk.core.model import Book, History


def priced(book: Book, history: History, rate: float) -> quant_book.Book:
    """Positions in the book's order; underlyings in the history's, at its last closes."""
    return at_prices(book, dict(zip(history.symbols, history.last.tolist(), strict=True)), rate)


def at_prices(book: Book, prices: Mapping[str, float], rate: float = 0.0) -> quant_book.Book:
    """The same at other prices of the underlyings."""
    options = [position.option for position in book.positions]
    with quant_domain():
        return quant_book.Book.of(
            dict(prices),
            underlying=[position.symbol for position in book.positions],
            quantity=[float(position.quantity) for position in book.positions],
            instrument=["stock" if option is None else option.style for option in options],
            option_type=["call" if option is None else option.option_type for option in options],
            strike=[0.0 if option is None else option.strike for option in options],
            time_to_expiry=[0.0 if option is None else option.time_to_expiry for option in options],
            volatility=[0.0 if option is None else option.volatility for option in options],
            multiplier=[1.0 if option is None else option.multiplier for option in options],
            rate=rate,
        )
