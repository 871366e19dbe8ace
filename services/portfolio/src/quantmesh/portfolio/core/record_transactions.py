"""Record one transaction in one step: locked, checked, posted, logged."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from quantmesh.chassis.errors import Violation
from quantmesh.portfolio.core.admission import MOVES_NO_UNITS, Books, Holding, admit, currency_of, touched
from quantmesh.portfolio.core.ended_options import EndedLater
from quantmesh.portfolio.core.errors import InvalidTransaction
from quantmesh.portfolio.core.exercised_lots import ExercisedLots
from quantmesh.portfolio.core.fold_ledger import fold_instruments
from quantmesh.portfolio.core.lots import FoldedLots, Position, SecurityMovement, fold_lots
from quantmesh.portfolio.core.margin import require_margin
from quantmesh.portfolio.core.model import Entry, LotMethod, Portfolio, Transaction, TransactionInput
from quantmesh.portfolio.core.numbers import ZERO
from quantmesh.portfolio.core.option_rules import with_terms
from quantmesh.portfolio.core.ports import Ledger, Market, View
from quantmesh.portfolio.core.posting_rules import ASSETS, CASH, SECURITIES, delivers

NewId = Callable[[], UUID]


@dataclass(frozen=True, slots=True)
class Recorded:
    """A transaction, with what it left: the position it touched, and the cash in its currency."""

    transaction: Transaction
    position: Position | None
    cash: Decimal


async def resolve(market: Market, asked: TransactionInput) -> tuple[TransactionInput, str]:
    """What the market has to say about a transaction, before the ledger is touched.

    With the terms of an option, and the currency; an empty one is the portfolio's base currency.
    """
    assets = await market.assets([asked.symbol]) if asked.symbol else {}
    currency = currency_of(asked, assets, await market.now(asked.executed_at))
    return with_terms(asked, assets), currency


def needs_only_books(asked: TransactionInput) -> bool:
    """Whether it can be recorded, where nothing is owed, without reading the lots of what it moves."""
    return not asked.symbol or asked.type in MOVES_NO_UNITS


async def record_transaction(
    ledger: Ledger, portfolio_id: UUID, asked: TransactionInput, currency: str, now: datetime, new_id: NewId
) -> Recorded:
    portfolio, recorded_at = await ledger.advance(portfolio_id, 1, now)
    if asked.lots and portfolio.lot_method is not LotMethod.SPECIFIC:
        description = f"are named where the portfolio's lot_method is specific; it is {portfolio.lot_method}"
        raise InvalidTransaction([Violation("lots", description)])
    currency = currency or portfolio.base_currency
    books = await ledger.books(portfolio_id, touched(asked, currency), asked.executed_at)
    books.exercised = await exercised_lots(ledger, portfolio, [asked])
    books.ended = await ended_later(ledger, portfolio, books, [asked])
    entry = admit(asked, currency, books)
    transaction = Transaction(new_id(), portfolio_id, portfolio.seq, entry, recorded_at)
    return await post(ledger, portfolio, transaction, changed(books, [entry]))


async def post(
    ledger: Ledger, portfolio: Portfolio, transaction: Transaction, balances: dict[Holding, Decimal]
) -> Recorded:
    """Write one admitted transaction, and tell what it left.

    Raises LotNotOpen where lots that were named, now or before, are not there any more, and MarginExceeded.
    """
    await ledger.append([transaction], balances)
    folded = await fold_touched(ledger, portfolio, balances)
    await require_margin(ledger, portfolio, [transaction.entry], balances, before=transaction.seq - 1)
    lots = folded.get(transaction.entry.input.symbol)
    cash = balances.get((CASH, transaction.entry.currency))
    if cash is None:
        cash = (await ledger.cash(portfolio.id, View())).get(transaction.entry.currency, ZERO)
    return Recorded(transaction, None if lots is None else lots.position(), cash)


async def fold_touched(ledger: Ledger, portfolio: Portfolio, holdings: Iterable[Holding]) -> dict[str, FoldedLots]:
    """The lots of what was just touched, as they are now; where sales name lots, all of them have to be there."""
    symbols = [commodity for account, commodity in holdings if account == SECURITIES]
    if not symbols:
        return {}
    if portfolio.lot_method is LotMethod.SPECIFIC:
        return fold_lots(await ledger.movements(portfolio.id, View(), symbols), portfolio.lot_method, strict=True)
    return await fold_instruments(ledger, portfolio.id, portfolio.lot_method, View(seq=portfolio.seq), symbols)


def changed(books: Books, entries: Iterable[Entry]) -> dict[Holding, Decimal]:
    """The balances after `entries` of all they touched."""
    return {holding: books.balance(holding).latest() for holding in sorted(holdings_of(entries))}


def holdings_of(entries: Iterable[Entry]) -> set[Holding]:
    return {(side.account, side.commodity) for entry in entries for side in entry.postings if side.account in ASSETS}


async def exercised_lots(
    ledger: Ledger, portfolio: Portfolio, asked: Iterable[TransactionInput]
) -> dict[str, ExercisedLots]:
    """Of the options that are exercised by delivery, as recorded until the last of the exercises."""
    exercises = [each for each in asked if delivers(each)]
    if not exercises:
        return {}
    view = View(as_of=max(each.executed_at for each in exercises))
    symbols = sorted({each.symbol for each in exercises})
    recorded = await movements_by_symbol(ledger, portfolio.id, symbols, view)
    return {symbol: ExercisedLots(movements, portfolio.lot_method) for symbol, movements in recorded.items()}


async def ended_later(
    ledger: Ledger, portfolio: Portfolio, books: Books, asked: Iterable[TransactionInput]
) -> dict[str, EndedLater]:
    """Of the options of which something is dated after what is asked; most often there are none."""
    options = {each.symbol for each in asked if each.option is not None}
    symbols = [symbol for symbol in sorted(options) if books.balance((SECURITIES, symbol)).goes_on]
    movements = await movements_by_symbol(ledger, portfolio.id, symbols, View())
    return {symbol: EndedLater(symbol, movements[symbol]) for symbol in symbols}


async def movements_by_symbol(
    ledger: Ledger, portfolio_id: UUID, symbols: Sequence[str], view: View
) -> dict[str, list[SecurityMovement]]:
    """Of each of `symbols`, in order of execution, then of recording."""
    recorded: dict[str, list[SecurityMovement]] = {symbol: [] for symbol in symbols}
    for movement in await ledger.movements(portfolio_id, view, symbols) if symbols else ():
        recorded[movement.symbol].append(movement)
    return recorded
