"""What the ledger came to at some point, kept so that a read need not fold all of it again."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from decimal import Decimal

from quantmesh.portfolio.core.lots import FoldedLots, Lot, Position
from quantmesh.portfolio.core.model import LotMethod
from quantmesh.portfolio.core.numbers import ZERO, exactly

# Raised where the same movements come to something else than before: older snapshots are then not used any more.
_FOLD_VERSION = 2
_DENSE = 8
# So many lots at either end are at hand; an instrument with more than the other number has those between laid apart.
_EDGE, _MOST = 4, 16


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Of every transaction up to the log's `seq` that was executed until `executed_until`.

    `number` counts a portfolio's snapshots; each follows from the one before.
    """

    number: int
    seq: int
    executed_until: datetime
    cash: Mapping[str, Decimal]


@dataclass(frozen=True, slots=True)
class LedgerState:
    """`positions` are those that are held, in order of symbol; `folded` what moved since `snapshot`."""

    snapshot: Snapshot | None
    folded: Mapping[str, FoldedLots]
    positions: tuple[Position, ...]
    cash: Mapping[str, Decimal]


def fold_name(method: LotMethod) -> str:
    """By which rules a snapshot was folded; those of others are not used."""
    return f"{method} {_FOLD_VERSION} {' '.join(each.name for each in (*fields(FoldedLots), *fields(Lot)))}"


def worth_keeping(numbers: Collection[int]) -> set[int]:
    """Of ascending numbers the newest ones and, the further back, the fewer: some eight per doubling of the age.

    So a view of the past begins from a snapshot not much older than it, at a cost that grows with the logarithm.
    """
    newest = max(numbers, default=0)
    return {number for number in numbers if number % (1 << ((newest - number) // _DENSE).bit_length()) == 0}


@dataclass(frozen=True, slots=True)
class LotsBetween(Lot):
    """Many lots as one, by their sums: most folds go on at the ends and need not know them."""


@exactly
def lay_apart(folded: FoldedLots) -> tuple[FoldedLots, tuple[Lot, ...]]:
    """With the lots between the ends as one, and those lots, where they are many."""
    if len(folded.lots) <= _MOST:
        return folded, ()
    between = folded.lots[_EDGE:-_EDGE]
    quantity, cost = (
        sum(numbers, ZERO) for numbers in zip(*((lot.quantity, lot.cost) for lot in between), strict=True)
    )
    one = LotsBetween(quantity, cost, between[0].opened_at)
    return replace(folded, lots=(*folded.lots[:_EDGE], one, *folded.lots[-_EDGE:])), between


def left_apart(before: FoldedLots, after: FoldedLots) -> bool:
    """Whether a fold did without the lots that are laid apart, if any are; else it has to be done with all of them."""
    between = next((lot for lot in before.lots if isinstance(lot, LotsBetween)), None)
    return between is None or (len(after.lots) <= _MOST and any(lot is between for lot in after.lots))
