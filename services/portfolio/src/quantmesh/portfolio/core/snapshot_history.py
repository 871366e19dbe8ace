"""Many snapshots in one pass over what was executed since the newest: a fold that is looked at every so often."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import accumulate
from typing import NamedTuple

from quantmesh.portfolio.core.lots import FoldedLots, LotFold, Position, SecurityMovement
from quantmesh.portfolio.core.model import LotMethod
from quantmesh.portfolio.core.numbers import ZERO, exactly
from quantmesh.portfolio.core.snapshots import Snapshot, lay_untouched_apart


class Executed(NamedTuple):
    """What a transaction means to the snapshots between which it lies."""

    executed_at: datetime
    seq: int
    currency: str
    cash_effect: Decimal


@dataclass(frozen=True, slots=True)
class Stretch:
    """What was executed after `base` (from the beginning where that is None), in order of execution and recording.

    `lots` are the base's, whole, of what moved. What was executed later begins at number `following` of the log, whose
    last is `last_seq`.
    """

    base: Snapshot | None
    lots: Mapping[str, FoldedLots]
    transactions: Sequence[Executed]
    movements: Sequence[SecurityMovement]
    following: int
    last_seq: int


@dataclass(frozen=True, slots=True)
class Look:
    """A snapshot of the pass: the same for each number of the log from `first_seq` on."""

    executed_until: datetime
    first_seq: int
    cash: Mapping[str, Decimal]


@dataclass(frozen=True, slots=True)
class HeldRow:
    """An instrument as it was from one look until another, by their places: from the base on where `first` is None.

    To the end of the pass where `last` is None; else its lots are those that were taken before `last`, and the rest.
    """

    first: int | None
    last: int | None
    held: Position
    folded: FoldedLots


@dataclass(frozen=True, slots=True)
class History:
    """`moved` is what moved in the pass, as it is at its end, with each day of it."""

    looks: Sequence[Look]
    rows: Sequence[HeldRow]
    moved: Mapping[str, FoldedLots]


@exactly
def make_history(stretch: Stretch, looks: Sequence[Look], method: LotMethod) -> History:
    """`looks` are those at the stretch."""
    fold = LotFold(method, stretch.lots)
    standing: dict[str, tuple[int | None, FoldedLots, Position]] = {
        symbol: (None, lots, lots.position()) for symbol, lots in stretch.lots.items()
    }
    rows = []
    movements, moved_until = stretch.movements, 0
    for place, look in enumerate(looks):
        first = moved_until
        while moved_until < len(movements) and movements[moved_until].executed_at <= look.executed_until:
            moved_until += 1
        for symbol in fold.apply(movements[first:moved_until]):
            after = fold.folded(symbol)
            if symbol in standing:
                since, before, held = standing[symbol]
                rows.append(HeldRow(since, place, held, lay_untouched_apart(before, held, after, method)))
            standing[symbol] = place, after, fold.position(symbol)
    rows += [HeldRow(since, None, held, lots) for since, lots, held in standing.values() if since is not None]
    moved = {symbol: lots for symbol, (since, lots, _) in standing.items() if since is not None}
    return History(looks, rows, moved)


@exactly
def looks_at(stretch: Stretch, step: int) -> list[Look]:
    """One every `step` transactions, and one at the end.

    Between two transactions of different times, so that what is dated alike, such as a reversal, is not parted.
    """
    base, transactions = stretch.base, stretch.transactions
    cash = {} if base is None else dict(base.cash)
    highest = 0 if base is None else base.first_seq
    lowest_left = list(accumulate((each.seq for each in reversed(transactions)), min, initial=stretch.following))[::-1]
    looks, since = [], 0
    for place, each in enumerate(transactions, start=1):
        if each.cash_effect:
            cash[each.currency] = cash.get(each.currency, ZERO) + each.cash_effect
        highest = max(highest, each.seq)
        last = place == len(transactions)
        if last or (place - since >= step and transactions[place].executed_at != each.executed_at):
            first_seq = highest if highest < lowest_left[place] else stretch.last_seq
            looks.append(Look(each.executed_at, first_seq, dict(sorted(cash.items()))))
            since = place
    return looks
