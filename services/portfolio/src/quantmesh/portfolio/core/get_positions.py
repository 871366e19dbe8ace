"""What is held, at what it cost, and what it is worth; without prices, and saying so, where the market is silent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from quantmesh.chassis.errors import Unavailable
from quantmesh.portfolio.core.currency import round_cash
from quantmesh.portfolio.core.lots import Position, positions_of
from quantmesh.portfolio.core.market import Quote
from quantmesh.portfolio.core.model import LotMethod, Portfolio
from quantmesh.portfolio.core.numbers import ZERO, exactly
from quantmesh.portfolio.core.ports import Ledger, Market, View


@dataclass(frozen=True, slots=True)
class Holdings:
    """A portfolio's state as the ledger has it, before anybody asks for prices."""

    portfolio: Portfolio
    positions: tuple[Position, ...]
    cash: Mapping[str, Decimal]


@dataclass(frozen=True, slots=True)
class Mark:
    """A position's price; `stale` also where there is none."""

    position: Position
    price: Decimal | None = None
    market_value: Decimal | None = None
    unrealized_pnl: Decimal | None = None
    priced_at: datetime | None = None
    stale: bool = True


@dataclass(frozen=True, slots=True)
class ValuedHoldings:
    """`total_value` is in the base currency, and None where a price or an exchange rate is missing."""

    portfolio: Portfolio
    marks: tuple[Mark, ...]
    cash: Mapping[str, Decimal]
    total_value: Decimal | None
    as_of: datetime


async def read_holdings(ledger: Ledger, portfolio_id: UUID, view: View) -> Holdings:
    portfolio = await ledger.portfolio(portfolio_id)
    view = replace(view, seq=portfolio.seq)
    movements = await ledger.movements(portfolio_id, view)
    positions = positions_of(movements, LotMethod(portfolio.lot_method))
    held = tuple(position for position in positions.values() if position.quantity)
    return Holdings(portfolio, held, await ledger.cash(portfolio_id, view))


async def value_holdings(market: Market, holdings: Holdings, as_of: datetime | None, now: datetime) -> ValuedHoldings:
    """Marked at the quotes true at `as_of`, or the live ones. `now` stands in for the time of a silent market."""
    symbols = [position.symbol for position in holdings.positions]
    quotes: Mapping[str, Quote] = {}
    at = as_of or now
    try:
        if as_of is None:
            at = (await market.clock()).time
        if symbols:
            quotes = await market.quotes(symbols, as_of)
    except Unavailable:
        # Positions without prices are worth more than no answer; each is flagged.
        quotes = {}
    marks = tuple(mark(position, quotes.get(position.symbol)) for position in holdings.positions)
    total = total_value(marks, holdings.cash, holdings.portfolio.base_currency)
    return ValuedHoldings(holdings.portfolio, marks, holdings.cash, total, at)


@exactly
def mark(position: Position, quote: Quote | None) -> Mark:
    if quote is None or quote.currency != position.currency:
        return Mark(position)
    value = round_cash(position.quantity * quote.price, position.currency)
    gain = round_cash(position.quantity * quote.price - position.cost, position.currency)
    return Mark(position, quote.price, value, gain, quote.time, quote.stale)


@exactly
def total_value(marks: Sequence[Mark], cash: Mapping[str, Decimal], base_currency: str) -> Decimal | None:
    total = round_cash(ZERO, base_currency)
    for currency, amount in cash.items():
        if amount and currency != base_currency:
            return None
        total += amount
    for marked in marks:
        if marked.market_value is None or marked.position.currency != base_currency:
            return None
        total += marked.market_value
    return total
