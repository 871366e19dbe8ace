"""What is held, at what it cost, and what it is worth; without prices, and saying so, where the market is silent."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from quantmesh.chassis.errors import Unavailable
from quantmesh.portfolio.core.currency import round_cash
from quantmesh.portfolio.core.errors import TooManyLots
from quantmesh.portfolio.core.fold_ledger import fold_ledger, fold_lots_of, fold_open_lots
from quantmesh.portfolio.core.lots import Lot, Position
from quantmesh.portfolio.core.market import ExchangeRate, Quote
from quantmesh.portfolio.core.model import Portfolio
from quantmesh.portfolio.core.numbers import ZERO, exactly
from quantmesh.portfolio.core.ports import Ledger, Market, View
from quantmesh.portfolio.core.snapshots import fold_name

# In one answer.
MOST_LOTS = 5_000


@dataclass(frozen=True, slots=True)
class Holdings:
    """A portfolio's state as the ledger has it, or a part of that, before anybody asks for prices.

    It is true at the number `seq` of the account's log. `multipliers` are of the options; `lots`, by symbol, are there
    where they were asked for. The last recording was at `recorded_at`.
    """

    portfolio: Portfolio
    recorded_at: datetime
    seq: int
    positions: tuple[Position, ...]
    cash: Mapping[str, Decimal]
    multipliers: Mapping[str, Decimal] = field(default_factory=dict)
    lots: Mapping[str, Sequence[Lot]] = field(default_factory=dict)


class Mark(NamedTuple):
    """A position's price; `stale` also where there is none. `base_value` is in the portfolio's base currency.

    A tuple, since ten thousand of them are made for one answer.
    """

    position: Position
    price: Decimal | None = None
    market_value: Decimal | None = None
    unrealized_pnl: Decimal | None = None
    priced_at: datetime | None = None
    stale: bool = True
    base_value: Decimal | None = None


@dataclass(frozen=True, slots=True)
class ValuedHoldings:
    """`cash_value` and `total_value` are in the base currency, and None where a price or an exchange rate is missing.

    `rates` are those into the base currency, by currency; `as_of` is None where a silent market does not say what time
    it is there.
    """

    portfolio: Portfolio
    marks: tuple[Mark, ...]
    cash: Mapping[str, Decimal]
    rates: Mapping[str, ExchangeRate]
    cash_value: Decimal | None
    total_value: Decimal | None
    as_of: datetime | None


async def read_holdings(ledger: Ledger, portfolio_id: UUID, view: View, *, lots: bool = False) -> Holdings:
    """Raises TooManyLots."""
    portfolio, recorded_at = await ledger.recorded(portfolio_id)
    view = replace(view, seq=portfolio.seq)
    if view.known_at is not None:
        view = await ledger.known(portfolio_id, view, fold_name(portfolio.lot_method))
    if lots:
        state, folded = await fold_open_lots(ledger, portfolio_id, portfolio.lot_method, view)
    else:
        state, folded = await fold_ledger(ledger, portfolio_id, portfolio.lot_method, view), {}
    multipliers = await multipliers_of(ledger, portfolio_id, [position.symbol for position in state.positions])
    open_lots = {symbol: book.lots for symbol, book in folded.items()}
    count = sum(map(len, open_lots.values()))
    if count > MOST_LOTS:
        raise TooManyLots(count, MOST_LOTS)
    seq = portfolio.seq if view.seq is None else view.seq
    return Holdings(portfolio, recorded_at, seq, state.positions, state.cash, multipliers, open_lots)


async def read_lots(ledger: Ledger, portfolio_id: UUID, symbol: str, view: View) -> Holdings:
    """One instrument, with its lots; nothing where it is not held."""
    portfolio, recorded_at = await ledger.recorded(portfolio_id)
    seq = portfolio.seq if view.seq is None else view.seq
    view = replace(view, seq=seq)
    folded = await fold_lots_of(ledger, portfolio_id, portfolio.lot_method, view, symbol)
    if folded is None or not folded.lots:
        return Holdings(portfolio, recorded_at, seq, (), {})
    multipliers = await multipliers_of(ledger, portfolio_id, [symbol])
    return Holdings(portfolio, recorded_at, seq, (folded.position(),), {}, multipliers, {symbol: folded.lots})


async def multipliers_of(ledger: Ledger, portfolio_id: UUID, symbols: Collection[str]) -> dict[str, Decimal]:
    """Of those that are options."""
    terms = await ledger.option_terms(portfolio_id, symbols)
    return {symbol: option.multiplier for symbol, option in terms.items()}


async def value_holdings(
    market: Market, holdings: Holdings, as_of: datetime | None, known_at: datetime | None
) -> ValuedHoldings:
    """Marked at the quotes true at `as_of`, or the live ones."""
    base = holdings.portfolio.base_currency
    symbols = [position.symbol for position in holdings.positions]
    currencies = {currency for currency, amount in holdings.cash.items() if amount}
    currencies |= {position.currency for position in holdings.positions}
    quotes: Mapping[str, Quote] = {}
    rates: Mapping[str, ExchangeRate] = {}
    at = as_of
    try:
        if as_of is None:
            at = (await market.clock()).time
        if symbols:
            quotes = await market.quotes(symbols, as_of, known_at)
        if currencies - {base}:
            rates = await market.exchange_rates(currencies - {base}, base, as_of)
    except Unavailable:
        # Positions without prices are worth more than no answer; each is flagged.
        quotes = {}
    return value_at(holdings, quotes, rates, at)


@exactly
def value_at(
    holdings: Holdings, quotes: Mapping[str, Quote], rates: Mapping[str, ExchangeRate], at: datetime | None
) -> ValuedHoldings:
    base = holdings.portfolio.base_currency
    factors = {position.currency: factor_of(position.currency, base, rates) for position in holdings.positions}
    marks = tuple(
        _mark(
            position,
            quotes.get(position.symbol),
            base,
            factors[position.currency],
            holdings.multipliers.get(position.symbol),
        )
        for position in holdings.positions
    )
    cash = cash_value(holdings.cash, base, rates)
    total = total_value([cash, *(marked.base_value for marked in marks)])
    return ValuedHoldings(holdings.portfolio, marks, holdings.cash, rates, cash, total, at)


def _mark(
    position: Position, quote: Quote | None, base: str, factor: Decimal | None, multiplier: Decimal | None
) -> Mark:
    """`factor` is what one unit of the position's currency is in the base currency."""
    currency = position.currency
    if quote is None or quote.currency != currency:
        return Mark(position)
    worth = position.quantity * quote.price
    if multiplier is not None:
        worth *= multiplier
    value = round_cash(worth, currency)
    gain = round_cash(worth - position.cost, currency)
    if currency == base:
        base_value: Decimal | None = value
    else:
        base_value = None if factor is None else round_cash(worth * factor, base)
    return Mark(position, quote.price, value, gain, quote.time, quote.stale, base_value)


@exactly
def unrealized(quantity: Decimal, cost: Decimal, price: Decimal, multiplier: Decimal | None, currency: str) -> Decimal:
    """What units that cost so much would gain at a price."""
    return round_cash(quantity * price * (multiplier or Decimal(1)) - cost, currency)


@exactly
def cash_value(cash: Mapping[str, Decimal], base: str, rates: Mapping[str, ExchangeRate]) -> Decimal | None:
    total = ZERO
    for currency, amount in cash.items():
        factor = factor_of(currency, base, rates) if amount else ZERO
        if factor is None:
            return None
        total += amount * factor
    return round_cash(total, base)


@exactly
def total_value(values: Sequence[Decimal | None]) -> Decimal | None:
    """None where one of them is."""
    known = [value for value in values if value is not None]
    return sum(known, ZERO) if len(known) == len(values) else None


def factor_of(currency: str, base: str, rates: Mapping[str, ExchangeRate]) -> Decimal | None:
    """What one unit of `currency` is in `base`."""
    if currency == base:
        return Decimal(1)
    rate = rates.get(currency)
    return None if rate is None else rate.rate
