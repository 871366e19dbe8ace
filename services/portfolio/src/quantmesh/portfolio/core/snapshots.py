"""What the ledger came to at some point, kept so that a read need not fold all of it again."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal

from quantmesh.portfolio.core.lots import FoldedLots, Lot, Position
from quantmesh.portfolio.core.model import LotMethod

# Raised where the same movements come to something else than before: older snapshots are then not used any more.
_FOLD_VERSION = 1
_DENSE = 8


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
