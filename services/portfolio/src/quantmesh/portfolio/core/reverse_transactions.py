"""Corrections: an entry that takes another one back, dated where that one is, or all that an import recorded.

Both stay in the journal. Who asks what was known before the correction still sees the entry that was wrong.
"""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from itertools import islice
from uuid import UUID

from quantmesh.chassis.errors import QuantmeshError
from quantmesh.portfolio.core.admission import Holding, already_counted
from quantmesh.portfolio.core.balance import BalanceHistory
from quantmesh.portfolio.core.ended_options import require_ends
from quantmesh.portfolio.core.errors import InsufficientCash, InsufficientHolding
from quantmesh.portfolio.core.fingerprints import equal_rows
from quantmesh.portfolio.core.import_transactions import Progress, no_progress
from quantmesh.portfolio.core.ledger_errors import AlreadyReversed, FillNotReversed, ReversalNotReversed
from quantmesh.portfolio.core.margin import require_margin
from quantmesh.portfolio.core.model import (
    Entry,
    LotMethod,
    Portfolio,
    Posting,
    Transaction,
    TransactionInput,
    TransactionType,
)
from quantmesh.portfolio.core.numbers import ZERO, exactly, plain
from quantmesh.portfolio.core.orders import OrderSide
from quantmesh.portfolio.core.ports import Ledger, View
from quantmesh.portfolio.core.posting_rules import CASH, SECURITIES
from quantmesh.portfolio.core.record_transactions import (
    NewId,
    Recorded,
    fold_touched,
    holdings_of,
    movements_by_symbol,
    post,
)

_EQUAL_ROWS_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class ReversedImport:
    """The reversals have the log's numbers from `first_seq` to `last_seq`."""

    import_id: UUID
    rows: int
    first_seq: int
    last_seq: int


async def reverse_transaction(
    ledger: Ledger, portfolio_id: UUID, transaction_id: UUID, note: str, now: datetime, new_id: NewId
) -> Recorded:
    """A row of a file may come again then.

    Raises InsufficientCash or InsufficientHolding where a later balance or an option's end needs what is taken back,
    BeforeSplit or BeforeExercise where a later entry was made out of it, LotNotOpen where a sale names its lot,
    FillNotReversed where an order traded it.
    """
    portfolio, recorded_at = await ledger.advance(portfolio_id, 1, now)
    original = await ledger.standing(portfolio_id, transaction_id)
    if original.reverses is not None:
        raise ReversalNotReversed(transaction_id)
    if original.reversed_by is not None:
        raise AlreadyReversed(f"Transaction {transaction_id}", original.reversed_by)
    if original.order_id is not None:
        raise FillNotReversed(transaction_id, original.order_id, _opposite(original.entry.input))
    with _refusing("transaction_id"):
        balances = await _balances_without(ledger, portfolio, [original])
        if original.import_id is not None:
            await _forget_row(ledger, original)
        return await post(ledger, portfolio, _reversal_of(original, portfolio.seq, note, recorded_at, new_id), balances)


async def reverse_import(
    ledger: Ledger,
    portfolio_id: UUID,
    import_id: UUID,
    note: str,
    now: datetime,
    new_id: NewId,
    progress: Progress = no_progress,
) -> ReversedImport:
    """What of it stands, as a whole; its rows are forgotten, so that the file may come again."""
    await ledger.advance(portfolio_id, 0, now)
    recorded = await ledger.standing_of_import(portfolio_id, import_id)
    standing = [item for item in recorded if item.reversed_by is None]
    if not standing:
        raise AlreadyReversed(f"All of import {import_id}")
    portfolio, recorded_at = await ledger.advance(portfolio_id, len(standing), now)
    with _refusing("import_id"):
        balances = await _balances_without(ledger, portfolio, standing)
        first_seq = portfolio.seq - len(standing) + 1
        reversals = [
            _reversal_of(item, seq, note, recorded_at, new_id) for seq, item in enumerate(standing, start=first_seq)
        ]
        count = len(reversals)

        def written(rows: int) -> None:
            progress(rows / count, f"{rows} of {count} rows reversed, not committed yet")

        await ledger.append(reversals, balances, written)
        await ledger.forget_imported(portfolio_id, [item.id for item in recorded])
        if portfolio.lot_method is LotMethod.SPECIFIC:
            await fold_touched(ledger, portfolio, balances)
        await require_margin(ledger, portfolio, [item.entry for item in reversals], balances, before=first_seq - 1)
    return ReversedImport(import_id, len(standing), first_seq, portfolio.seq)


async def _forget_row(ledger: Ledger, original: Transaction) -> None:
    """Of equal rows the last occurrence, whichever is taken back.

    Else a file that has one less of them would count one that stands as an earlier occurrence, which nobody knows.
    """
    fingerprints = equal_rows(original.entry.input, original.entry.currency)
    known: dict[bytes, UUID] = {}
    while True:
        some = list(islice(fingerprints, _EQUAL_ROWS_AT_ONCE))
        found = await ledger.imported(original.portfolio_id, some)
        known |= {own: found[own] for own in some if own in found}
        if len(found) < len(some):
            break
    own = next((own for own, recorded in known.items() if recorded == original.id), None)
    last = original.id if own is None else next(reversed(known.values()))
    await ledger.forget_imported(original.portfolio_id, [original.id, last])
    if own is not None and last != original.id:
        await ledger.remember_imported(original.portfolio_id, {own: last})


@contextmanager
def _refusing(field: str) -> Iterator[None]:
    """Whatever stands against a reversal: what was asked for is the entries that `field` names."""
    try:
        yield
    except QuantmeshError as error:
        error.violations = tuple(replace(item, field=field) for item in error.violations)
        raise


def _opposite(filled: TransactionInput) -> str:
    side = OrderSide.SELL if filled.type is TransactionType.BUY else OrderSide.BUY
    return f"{side} {plain(filled.quantity or ZERO)} {filled.symbol}"


@exactly
def _reversal_of(original: Transaction, seq: int, note: str, recorded_at: datetime, new_id: NewId) -> Transaction:
    entry = original.entry
    asked = TransactionInput(
        TransactionType.REVERSAL,
        entry.input.executed_at,
        currency=entry.currency,
        symbol=entry.input.symbol,
        note=note,
        option=entry.input.option,
    )
    sides = tuple(Posting(side.account, side.commodity, -side.amount) for side in entry.postings)
    undone = Entry(asked, entry.currency, -entry.cash_effect, sides)
    return Transaction(new_id(), original.portfolio_id, seq, undone, recorded_at, reverses=original.id)


async def _balances_without(
    ledger: Ledger, portfolio: Portfolio, originals: Sequence[Transaction]
) -> dict[Holding, Decimal]:
    """Today's balances of what `originals` touched, once they are taken back together."""
    holdings = sorted(holdings_of(item.entry for item in originals))
    await _require_uncounted(ledger, portfolio, originals)
    await _require_ends(ledger, portfolio, originals)
    since = min(item.entry.input.executed_at for item in originals)
    books = await ledger.books(portfolio.id, holdings, since)
    changes = await asyncio.to_thread(_changes, originals)
    without = {holding: books.balance(holding).changed(changes[holding]) for holding in holdings}
    if not books.may_owe:
        for holding, balance in without.items():
            _require_no_debt(holding, books.balance(holding), balance, since)
    return {holding: balance.latest() for holding, balance in without.items()}


@exactly
def _changes(originals: Sequence[Transaction]) -> dict[Holding, list[tuple[datetime, Decimal]]]:
    found: dict[Holding, list[tuple[datetime, Decimal]]] = {}
    for item in originals:
        for side in item.entry.postings:
            found.setdefault((side.account, side.commodity), []).append((item.entry.input.executed_at, -side.amount))
    return found


async def _require_uncounted(ledger: Ledger, portfolio: Portfolio, originals: Sequence[Transaction]) -> None:
    """A later split or exercise that stays was made out of what would not have been."""
    moved = [
        (side.commodity, item)
        for item in originals
        for side in item.entry.postings
        if side.account == SECURITIES and side.amount
    ]
    if not moved:
        return
    going = {item.id for item in originals}
    last: dict[str, tuple[datetime, int]] = {}
    for counted_id, symbol, at, seq in await ledger.counted(portfolio.id, {symbol for symbol, _ in moved}):
        if counted_id not in going:
            last[symbol] = max((at, seq), last.get(symbol, (at, seq)))
    for symbol, item in moved:
        asked = item.entry.input
        if symbol in last and (asked.executed_at, item.seq) < last[symbol]:
            is_option = asked.option is not None and symbol == asked.symbol
            raise already_counted(symbol, last[symbol][0], is_option=is_option)


async def _require_ends(ledger: Ledger, portfolio: Portfolio, originals: Sequence[Transaction]) -> None:
    """A later end of an option that stays still finds what it ended."""
    options = sorted({item.entry.input.symbol for item in originals if item.entry.input.option is not None})
    going = {item.id for item in originals}
    for symbol, movements in (await movements_by_symbol(ledger, portfolio.id, options, View())).items():
        require_ends(symbol, movements, going)


@exactly
def _require_no_debt(holding: Holding, before: BalanceHistory, without: BalanceHistory, since: datetime) -> None:
    lowest = without.headroom(since)
    if lowest.amount >= ZERO:
        return
    account, commodity = holding
    available = before.at(lowest.at) - lowest.reserved
    refusal = InsufficientCash if account == CASH else InsufficientHolding
    raise refusal(
        commodity,
        needed=available - lowest.amount,
        available=available,
        at=lowest.at,
        later=lowest.later,
        field="amount" if account == CASH else "quantity",
        reserved=lowest.reserved,
    )
