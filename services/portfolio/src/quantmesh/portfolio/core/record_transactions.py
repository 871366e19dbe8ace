"""Record one transaction, or a file of them, in one step each: locked, checked, posted, logged."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from quantmesh.chassis.errors import InvalidInput, RuleBroken
from quantmesh.portfolio.core.admission import Books, Holding, admit, currency_of, touched
from quantmesh.portfolio.core.import_csv import RejectedRow, read_rows, refused
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


@dataclass(frozen=True, slots=True)
class Resolved:
    """What was asked, and the currency that the market's answer gave it."""

    line: int
    input: TransactionInput
    currency: str


@dataclass(frozen=True, slots=True)
class ReadImport:
    """A file about whose rows the market has been asked, before the ledger is."""

    rows: tuple[Resolved, ...]
    rejected: tuple[RejectedRow, ...]


@dataclass(frozen=True, slots=True)
class Checked:
    """A file against the books: entries in order of execution, each with its line, and the books after them."""

    entries: tuple[tuple[int, Entry], ...]
    rejected: tuple[RejectedRow, ...]
    books: Books


async def resolve_currency(market: Market, asked: TransactionInput) -> str:
    """What the market has to say about a transaction, before the ledger is touched."""
    assets = await market.assets([asked.symbol]) if asked.symbol else {}
    return currency_of(asked, assets, await market.now(asked.executed_at))


async def record_transaction(
    ledger: Ledger, portfolio_id: UUID, asked: TransactionInput, currency: str, now: datetime, new_id: NewId
) -> Recorded:
    portfolio, recorded_at = await ledger.advance(portfolio_id, 1, now)
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


async def read_import(market: Market, content: bytes) -> ReadImport:
    """Each symbol is asked for once. Raises UnreadableImport for the file as a whole."""
    rows, rejected = read_rows(content)
    if not rows:
        return ReadImport((), tuple(rejected))
    assets = await market.assets({row.input.symbol for row in rows if row.input.symbol})
    market_now = await market.now(max(row.input.executed_at for row in rows))
    resolved = []
    for row in rows:
        try:
            resolved.append(Resolved(row.line, row.input, currency_of(row.input, assets, market_now)))
        except (InvalidInput, RuleBroken) as error:
            rejected.extend(refused(row.line, error))
    return ReadImport(tuple(resolved), tuple(rejected))


async def check_import(ledger: Ledger, portfolio_id: UUID, read: ReadImport) -> Checked:
    """Which rows the books would take, one after the other in order of execution (in the file's order on a tie)."""
    books = Books()
    if read.rows:
        holdings = {holding for row in read.rows for holding in touched(row.input, row.currency)}
        books = await ledger.books(portfolio_id, holdings, min(row.input.executed_at for row in read.rows))
    entries = []
    rejected = list(read.rejected)
    for row in sorted(read.rows, key=_executed_at):
        try:
            entries.append((row.line, admit(row.input, row.currency, books)))
        except (InvalidInput, RuleBroken) as error:
            rejected.extend(refused(row.line, error))
    return Checked(tuple(entries), tuple(sorted(rejected, key=_line)), books)


async def import_transactions(
    ledger: Ledger, portfolio_id: UUID, read: ReadImport, now: datetime, new_id: NewId
) -> tuple[UUID, Checked, dict[int, Transaction]]:
    """Record the rows that can be; the import's id, the verdicts, and the transactions by line."""
    import_id = new_id()
    await ledger.advance(portfolio_id, 0, now)
    checked = await check_import(ledger, portfolio_id, read)
    if not checked.entries:
        return import_id, checked, {}
    portfolio, recorded_at = await ledger.advance(portfolio_id, len(checked.entries), now)
    first = portfolio.seq - len(checked.entries) + 1
    by_line = {
        line: Transaction(new_id(), portfolio_id, seq, entry, recorded_at, import_id=import_id)
        for seq, (line, entry) in enumerate(checked.entries, start=first)
    }
    await ledger.append(list(by_line.values()), changed(checked.books, [entry for _, entry in checked.entries]))
    return import_id, checked, by_line


def changed(books: Books, entries: Iterable[Entry]) -> dict[Holding, Decimal]:
    """The balances after `entries` of all they touched."""
    holdings = {holding for entry in entries for holding in touched(entry.input, entry.currency)}
    return {holding: books.balance(holding).latest() for holding in sorted(holdings)}


def _executed_at(row: Resolved) -> datetime:
    return row.input.executed_at


def _line(row: RejectedRow) -> int:
    return row.line
