"""Record a file of transactions in one step: read, checked against the market and the books, posted, logged."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from uuid import UUID

from quantmesh.chassis.errors import InvalidInput, RuleBroken
from quantmesh.portfolio.core.admission import Books, Holding, currency_of, touched
from quantmesh.portfolio.core.fingerprints import Fingerprint, Unused, row_fingerprints
from quantmesh.portfolio.core.import_csv import ReadRows, RejectedRow, Row, read_rows, refused
from quantmesh.portfolio.core.ledger_errors import file_exceeds_margin
from quantmesh.portfolio.core.margin import short_of_margin
from quantmesh.portfolio.core.market import Asset
from quantmesh.portfolio.core.model import (
    Entry,
    LotMethod,
    Portfolio,
    Transaction,
    TransactionInput,
    TransactionType,
)
from quantmesh.portfolio.core.named_lots import NamedLots, named_lots
from quantmesh.portfolio.core.numbers import exactly
from quantmesh.portfolio.core.option_rules import with_terms
from quantmesh.portfolio.core.ports import Ledger, Market, View
from quantmesh.portfolio.core.posting_rules import SECURITIES
from quantmesh.portfolio.core.record_transactions import NewId, changed, ended_later, exercised_lots
from quantmesh.portfolio.core.split_orders import RestingOrders

# How far it is, from 0 to 1, and what is being done.
Progress = Callable[[float, str], None]
_READ, _CHECKED, _WRITTEN = 0.1, 0.3, 0.95


def no_progress(fraction: float, message: str) -> None:
    """For files that are done before anybody would look."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """What was asked, the currency that it is in, and what it is known by when the file comes again."""

    line: int
    input: TransactionInput
    currency: str
    fingerprint: Fingerprint


@dataclass(frozen=True, slots=True)
class ReadImport:
    """A file about whose rows the market has been asked, before the ledger is. Of one instant they are in order."""

    columns: Sequence[str]
    rows: Sequence[Resolved]
    rejected: Sequence[RejectedRow]


@dataclass(frozen=True, slots=True)
class DuplicateRow:
    """A row that an earlier import recorded as `transaction_id`."""

    line: int
    transaction_id: UUID


@dataclass(frozen=True, slots=True)
class AcceptedRow:
    """`transaction` is None on a dry run, which records nothing."""

    line: int
    entry: Entry
    transaction: Transaction | None = None


@dataclass(frozen=True, slots=True)
class ImportOutcome:
    """All in the order of the file; `import_id` is None where nothing was recorded, as on a dry run."""

    dry_run: bool
    import_id: UUID | None
    columns: Sequence[str]
    accepted: Sequence[AcceptedRow]
    rejected: Sequence[RejectedRow]
    duplicates: Sequence[DuplicateRow]


@dataclass(frozen=True, slots=True)
class _Verdict:
    """A file against the books: entries in order of execution, what they leave, and the orders that splits end."""

    entries: Sequence[tuple[Resolved, Entry]]
    rejected: Sequence[RejectedRow]
    duplicates: Sequence[DuplicateRow]
    balances: dict[Holding, Decimal]
    resting: RestingOrders


async def read_import(
    market: Market, portfolio: Portfolio, content: bytes, progress: Progress = no_progress
) -> ReadImport:
    """Each symbol is asked for once. Raises UnreadableImport for the file as a whole."""
    read = await asyncio.to_thread(read_rows, content)
    if not read.rows:
        return ReadImport(read.columns, (), read.rejected)
    assets = await market.assets({row.input.symbol for row in read.rows if row.input.symbol})
    market_now = await market.now(max(row.input.executed_at for row in read.rows))
    resolved = await asyncio.to_thread(_resolve, read, assets, market_now, portfolio.base_currency)
    progress(_READ, f"{len(read.rows)} rows read")
    return resolved


async def import_transactions(
    ledger: Ledger,
    portfolio_id: UUID,
    read: ReadImport,
    now: datetime,
    new_id: NewId,
    *,
    dry_run: bool,
    progress: Progress = no_progress,
) -> ImportOutcome:
    """Record the rows that can be, and say what is wrong with the others; a dry run tells the same and writes nothing.

    What an earlier import recorded is a duplicate, by its fingerprint.
    """
    portfolio, recorded_at = (
        (await ledger.portfolio(portfolio_id), now) if dry_run else await ledger.advance(portfolio_id, 0, now)
    )
    verdict = await _check(ledger, portfolio, read)
    progress(_CHECKED, f"{len(read.rows)} rows checked")
    count = len(verdict.entries)
    if dry_run or not count:
        accepted = [AcceptedRow(row.line, entry) for row, entry in verdict.entries]
        return _outcome(read, verdict, accepted, None, dry_run=dry_run)
    import_id = new_id()
    await verdict.resting.cancel_ended(ledger, portfolio, recorded_at, new_id)
    portfolio, recorded_at = await ledger.advance(portfolio_id, count, now)
    first = portfolio.seq - count + 1
    transactions = [
        Transaction(new_id(), portfolio_id, seq, entry, recorded_at, import_id=import_id)
        for seq, (_, entry) in enumerate(verdict.entries, start=first)
    ]

    def written(rows: int) -> None:
        progress(_CHECKED + (_WRITTEN - _CHECKED) * rows / count, f"{rows} of {count} rows written, not committed yet")

    await ledger.append(transactions, verdict.balances, written)
    rows = [row for row, _ in verdict.entries]
    await ledger.remember_imported(
        portfolio_id, {row.fingerprint.own: item.id for row, item in zip(rows, transactions, strict=True)}
    )
    accepted = [AcceptedRow(row.line, item.entry, item) for row, item in zip(rows, transactions, strict=True)]
    return _outcome(read, verdict, accepted, import_id, dry_run=False)


async def _check(ledger: Ledger, portfolio: Portfolio, read: ReadImport) -> _Verdict:
    """Of a currency in which the file leaves too much owed, no row is recorded; the others are looked at without."""
    verdict = await _admitted(ledger, portfolio, read)
    entries = [entry for _, entry in verdict.entries]
    short = await short_of_margin(ledger, portfolio, entries, verdict.balances)
    if not short:
        return verdict
    reasons = {
        currency: file_exceeds_margin(currency, required=margin.required, equity=margin.equity)
        for currency, margin in short.items()
    }
    rejected = [
        RejectedRow(row.line, "", reasons[entry.currency])
        for row, entry in verdict.entries
        if entry.currency in reasons
    ]
    left = {row.line: row for row, entry in verdict.entries if entry.currency not in reasons}
    again = {row.line for row in verdict.duplicates}
    rows = [left.get(row.line, row) for row in read.rows if row.line in left or row.line in again]
    return await _check(ledger, portfolio, ReadImport(read.columns, rows, [*verdict.rejected, *rejected]))


async def _admitted(ledger: Ledger, portfolio: Portfolio, read: ReadImport) -> _Verdict:
    if not read.rows:
        return _Verdict((), read.rejected, (), {}, RestingOrders())
    known = await ledger.imported(portfolio.id, [row.fingerprint.own for row in read.rows])
    holdings = {holding for row in read.rows for holding in touched(row.input, row.currency)}
    books = await ledger.books(portfolio.id, holdings, min(row.input.executed_at for row in read.rows))
    asked = [row.input for row in read.rows]
    books.exercised = await exercised_lots(ledger, portfolio, asked)
    books.ended = await ended_later(ledger, portfolio, books, asked)
    books.named = await _named_lots(ledger, portfolio, books)
    split = {row.input.symbol for row in read.rows if row.input.type is TransactionType.SPLIT}
    resting = RestingOrders(await ledger.open_orders(portfolio.id, split) if split else ())
    return await asyncio.to_thread(_judge, read, known, books, resting)


async def _named_lots(ledger: Ledger, portfolio: Portfolio, books: Books) -> dict[str, NamedLots]:
    """Of what goes on after the first row, and names lots."""
    if portfolio.lot_method is not LotMethod.SPECIFIC:
        return {}
    symbols = {
        commodity
        for (account, commodity), balance in books.balances.items()
        if account == SECURITIES and balance.goes_on
    }
    movements = await ledger.movements(portfolio.id, View(), symbols) if symbols else ()
    return await asyncio.to_thread(named_lots, movements)


@exactly
def _judge(read: ReadImport, known: Mapping[bytes, UUID], books: Books, resting: RestingOrders) -> _Verdict:
    """Which rows the books take, one after the other in order of execution."""
    entries, rejected, duplicates, unused = [], list(read.rejected), [], Unused()
    for row in sorted(read.rows, key=_executed_at):
        if row.fingerprint.own in known:
            duplicates.append(DuplicateRow(row.line, known[row.fingerprint.own]))
            continue
        try:
            entry = resting.admit(row.input, row.currency, books)
        except (InvalidInput, RuleBroken) as error:
            rejected.extend(refused(row.line, error))
            unused.add(row.fingerprint)
            continue
        fingerprint = unused.instead_of(row.fingerprint)
        entries.append((row if fingerprint is row.fingerprint else replace(row, fingerprint=fingerprint), entry))
    return _Verdict(entries, rejected, duplicates, changed(books, (entry for _, entry in entries)), resting)


@exactly
def _resolve(read: ReadRows, assets: Mapping[str, Asset], market_now: datetime, base_currency: str) -> ReadImport:
    rejected = list(read.rejected)
    resolved = []
    for row in _as_they_happened(read.rows):
        try:
            currency = currency_of(row.input, assets, market_now) or base_currency
            asked = with_terms(row.input, assets)
        except (InvalidInput, RuleBroken) as error:
            rejected.extend(refused(row.line, error))
        else:
            resolved.append((row, currency, asked))
    fingerprints = row_fingerprints((row.input, currency) for row, currency, _ in resolved)
    return ReadImport(
        read.columns,
        [
            Resolved(row.line, asked, currency, fingerprint)
            for (row, currency, asked), fingerprint in zip(resolved, fingerprints, strict=True)
        ],
        rejected,
    )


def _as_they_happened(rows: Sequence[Row]) -> Sequence[Row]:
    """A file that comes newest first does so within an instant, too: there the last of its rows was the first."""
    instants = [row.input.executed_at for row in rows]
    newest_first = instants[0] > instants[-1] and all(earlier >= later for earlier, later in pairwise(instants))
    return rows[::-1] if newest_first else rows


def _outcome(
    read: ReadImport, verdict: _Verdict, accepted: Sequence[AcceptedRow], import_id: UUID | None, *, dry_run: bool
) -> ImportOutcome:
    return ImportOutcome(
        dry_run,
        import_id,
        read.columns,
        sorted(accepted, key=_line),
        sorted(verdict.rejected, key=_line),
        sorted(verdict.duplicates, key=_line),
    )


def _executed_at(row: Resolved) -> datetime:
    return row.input.executed_at


def _line(row: AcceptedRow | RejectedRow | DuplicateRow) -> int:
    return row.line
