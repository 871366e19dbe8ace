"""Record one transaction in one step: locked, checked, posted, logged."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from quantmesh.portfolio.core.admission import Books, Holding, admit, currency_of, touched
from quantmesh.portfolio.core.lots import Position, positions_of
from quantmesh.portfolio.core.model import Entry, Portfolio, Transaction, TransactionInput
from quantmesh.portfolio.core.ports import Ledger, Market, View
from quantmesh.portfolio.core.posting_rules import CASH

NewId = Callable[[], UUID]


@dataclass(frozen=True, slots=True)
class Recorded:
    """A transaction, with what it left: the position it touched, and the cash in its currency."""

    transaction: Transaction
    position: Position | None
    cash: Decimal


async def resolve_currency(market: Market, asked: TransactionInput) -> str:
    """What the market has to say about a transaction, before the ledger is touched; empty: the base currency."""
    assets = await market.assets([asked.symbol]) if asked.symbol else {}
    return currency_of(asked, assets, await market.now(asked.executed_at))


async def record_transaction(
    ledger: Ledger, portfolio_id: UUID, asked: TransactionInput, currency: str, now: datetime, new_id: NewId
) -> Recorded:
    portfolio, recorded_at = await ledger.advance(portfolio_id, 1, now)
    currency = currency or portfolio.base_currency
    books = await ledger.books(portfolio_id, touched(asked, currency), asked.executed_at)
    entry = admit(asked, currency, books)
    transaction = Transaction(new_id(), portfolio_id, portfolio.seq, entry, recorded_at)
    return await post(ledger, portfolio, transaction, books)


async def post(ledger: Ledger, portfolio: Portfolio, transaction: Transaction, books: Books) -> Recorded:
    """Write one admitted transaction, and tell what it left."""
    entry = transaction.entry
    await ledger.append([transaction], changed(books, [entry]))
    position = None
    if entry.input.symbol:
        movements = await ledger.movements(portfolio.id, View(), [entry.input.symbol])
        position = positions_of(movements, portfolio.lot_method).get(entry.input.symbol)
    return Recorded(transaction, position, books.balance((CASH, entry.currency)).latest())


def changed(books: Books, entries: Iterable[Entry]) -> dict[Holding, Decimal]:
    """The balances after `entries` of all they touched."""
    holdings = {holding for entry in entries for holding in touched(entry.input, entry.currency)}
    return {holding: books.balance(holding).latest() for holding in sorted(holdings)}
