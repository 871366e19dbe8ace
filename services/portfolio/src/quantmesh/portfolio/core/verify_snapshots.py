"""Snapshots against the journal: each is rebuilt from the one before it as that was rebuilt, the first from nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from quantmesh.portfolio.core.fold_ledger import late_among, sum_of
from quantmesh.portfolio.core.lots import FoldedLots, Position, fold_lots
from quantmesh.portfolio.core.model import LotMethod
from quantmesh.portfolio.core.ports import Journal, View
from quantmesh.portfolio.core.snapshots import Snapshot, tells_of


@dataclass(frozen=True, slots=True)
class LedgerBreak:
    """Where the ledger first differs from what its journal says; empty parts do not apply."""

    portfolio_id: UUID
    account: str
    commodity: str
    seq: int
    expected: str
    found: str

    def __str__(self) -> str:
        where = " ".join(part for part in (self.account, self.commodity) if part)
        return f"portfolio {self.portfolio_id}, {where}, at {self.seq}: expected {self.expected}, found {self.found}"


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What the journal comes to at a snapshot, or on the way to it; `lots` are of all instruments, and whole."""

    at: Snapshot | None
    lots: Mapping[str, FoldedLots]
    positions: Mapping[str, Position]


NOTHING_REBUILT = Rebuilt(None, {}, {})


async def rebuild(
    journal: Journal, portfolio_id: UUID, method: LotMethod, before: Rebuilt, snapshot: Snapshot, until: datetime
) -> Rebuilt:
    """From `before` on to `until`, on the way to `snapshot`, whose content is not looked at.

    From nothing where `before` is of a later time, since then the snapshot was made so.
    """
    if before.at is not None and before.at.executed_until > until:
        before = NOTHING_REBUILT
    view = View(as_of=until, seq=snapshot.seq)
    movements = await journal.movements(portfolio_id, view, (), before.at)
    late = late_among(movements, before.lots)
    timely = (movement for movement in movements if movement.symbol not in late)
    folded = fold_lots(timely, method, before.lots)
    if late:
        folded |= fold_lots(await journal.movements(portfolio_id, view, late), method)
    moved = await journal.cash(portfolio_id, view, before.at)
    cash = moved if before.at is None else sum_of(before.at.cash, moved)
    at = replace(snapshot, executed_until=until, cash=cash)
    positions = {symbol: lots.position() for symbol, lots in folded.items()}
    return Rebuilt(at, {**before.lots, **folded}, {**before.positions, **positions})


def first_difference(
    portfolio_id: UUID,
    snapshot: Snapshot,
    kept: Mapping[str, tuple[Position, FoldedLots | None]],
    rebuilt: Rebuilt,
) -> LedgerBreak | None:
    """Of what a snapshot keeps (lots where they were written since the one before) from what was rebuilt."""
    cash: Mapping[str, Decimal] = {} if rebuilt.at is None else rebuilt.at.cash
    name = f"snapshot {snapshot.number}"
    for currency in sorted({*cash, *snapshot.cash}):
        expected, found = cash.get(currency), snapshot.cash.get(currency)
        if expected != found:
            return LedgerBreak(portfolio_id, f"{name} cash", currency, snapshot.seq, str(expected), str(found))
    for symbol in sorted({*rebuilt.lots, *kept}):
        lots = rebuilt.lots.get(symbol)
        position, written = kept.get(symbol, (None, None))
        wanted = rebuilt.positions.get(symbol)
        if wanted != position:
            return LedgerBreak(portfolio_id, f"{name} position", symbol, snapshot.seq, str(wanted), str(position))
        if written is not None and (lots is None or not tells_of(written, lots)):
            return LedgerBreak(portfolio_id, f"{name} lots", symbol, snapshot.seq, str(lots), str(written))
    return None
