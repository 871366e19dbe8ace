"""What the ledger came to at some points, kept so that a read need not fold all of it again."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from decimal import Decimal

from quantmesh.portfolio.core.lots import FoldedLots, Lot, Position, summed
from quantmesh.portfolio.core.model import LotMethod
from quantmesh.portfolio.core.numbers import exactly

# Raised where the same movements come to something else than before, or lie beside a snapshot in another form: older
# snapshots are then not used any more.
_FOLD_VERSION = 4
_DENSE = 8
_LAST_SEQ = 2**63 - 1
# So many lots at either end are at hand; an instrument with more than the other number has those between laid apart.
_EDGE, _MOST = 4, 16


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Of every transaction up to the log's `seq` that was executed until `executed_until`.

    It is the same of every transaction up to `first_seq`, and to any number in between. `number` counts a portfolio's
    snapshots; each follows from the one before, or from nothing. `late` are the stretches of the log, after one number
    until another, that may have more that was executed by then.
    """

    number: int
    first_seq: int
    seq: int
    executed_until: datetime
    cash: Mapping[str, Decimal]
    late: Sequence[tuple[int, int]]


def merged(stretches: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same numbers, none of them twice."""
    found: list[tuple[int, int]] = []
    for after, until in sorted(stretches):
        if found and after <= found[-1][1]:
            found[-1] = found[-1][0], max(until, found[-1][1])
        else:
            found.append((after, until))
    return found


def all_after(seq: int) -> Sequence[tuple[int, int]]:
    """The log from there on as one stretch."""
    return ((seq, _LAST_SEQ),)


@dataclass(frozen=True, slots=True)
class LedgerState:
    """`positions` are those that are held, in order of symbol; `folded` what moved since `snapshot`."""

    snapshot: Snapshot | None
    folded: Mapping[str, FoldedLots]
    positions: tuple[Position, ...]
    cash: Mapping[str, Decimal]


def fold_name(method: LotMethod) -> str:
    """By which rules a snapshot was folded; those of others are not used."""
    return f"{method} {_FOLD_VERSION} {' '.join((*(each.name for each in fields(FoldedLots)), *Lot._fields))}"


def worth_keeping(numbers: Collection[int]) -> set[int]:
    """Of ascending numbers the newest ones and, the further back, the fewer: some eight per doubling of the age."""
    newest = max(numbers, default=0)
    return {number for number in numbers if number % (1 << ((newest - number) // _DENSE).bit_length()) == 0}


class LotsBetween(Lot):
    """Many lots as one, by their sums: most folds go on at the ends and need not know them."""

    __slots__ = ()


@exactly
def lay_apart(folded: FoldedLots) -> tuple[FoldedLots, tuple[Lot, ...]]:
    """With the lots between the ends as one, and those lots, where they are many."""
    if len(folded.lots) <= _MOST:
        return folded, ()
    between = folded.lots[_EDGE:-_EDGE]
    one = LotsBetween(*summed(between), between[0].opened_at)
    return replace(folded, lots=(*folded.lots[:_EDGE], one, *folded.lots[-_EDGE:])), between


@exactly
def tells_of(kept: FoldedLots, lots: FoldedLots) -> bool:
    """Whether `kept` is `lots`, some of which it may have as one."""
    place = next((place for place, lot in enumerate(kept.lots) if isinstance(lot, LotsBetween)), None)
    if place is None:
        return kept == lots
    end = len(lots.lots) - (len(kept.lots) - place - 1)
    quantity, cost = summed(lots.lots[place:end])
    one = kept.lots[place]._replace(quantity=quantity, cost=cost)
    return kept == replace(lots, lots=(*lots.lots[:place], one, *lots.lots[end:]))


# Whether what was known of an instrument's lots before was enough to fold them; else it is done with all of them.
Suffices = Callable[[FoldedLots, FoldedLots], bool]


def is_whole(before: FoldedLots, _: FoldedLots) -> bool:
    return not any(isinstance(lot, LotsBetween) for lot in before.lots)


def left_apart(before: FoldedLots, after: FoldedLots) -> bool:
    """The lots that are laid apart, if any are, were not needed."""
    between = next((lot for lot in before.lots if isinstance(lot, LotsBetween)), None)
    return between is None or any(lot is between for lot in after.lots)


def left_apart_to_stay(before: FoldedLots, after: FoldedLots) -> bool:
    """Nor are there so many others that more of them are to be laid apart, as for a next snapshot."""
    return is_whole(before, after) or (left_apart(before, after) and len(after.lots) <= _MOST)


@exactly
def lay_untouched_apart(before: FoldedLots, held: Position, after: FoldedLots, method: LotMethod) -> FoldedLots:
    """`before`, which came to `held`, with those of its many lots as one that are whole in `after`, what followed.

    Whatever is folded on the way from one to the other finds the lots that it takes.
    """
    lots = before.lots
    if len(lots) <= _MOST or method is LotMethod.SPECIFIC:
        return before
    if method is LotMethod.LIFO:
        common = range(min(len(lots), len(after.lots)), 0, -1)
        first, last = 0, next((end for end in common if lots[end - 1] is after.lots[end - 1]), 0)
    else:
        # One of the two is the first that nothing was taken of; the other may be what is left of the one before it.
        oldest = {id(lot) for lot in after.lots[:2]}
        first, last = next((place for place, lot in enumerate(lots) if id(lot) in oldest), len(lots)), len(lots)
    if last - first < 2:
        return before
    quantity, cost = summed((*lots[:first], *lots[last:]))
    one = LotsBetween(held.quantity - quantity, held.cost - cost, lots[first].opened_at)
    return replace(before, lots=(*lots[:first], one, *lots[last:]))
