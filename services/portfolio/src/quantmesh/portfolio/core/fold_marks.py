"""Where the fold of an instrument goes on again, once something is recorded that belongs before its end."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from operator import attrgetter
from typing import NamedTuple
from uuid import UUID

from quantmesh.portfolio.core.lots import FoldedLots, LotFold
from quantmesh.portfolio.core.model import LotMethod
from quantmesh.portfolio.core.ports import Journal, View
from quantmesh.portfolio.core.snapshots import Snapshot, worth_keeping


class FoldMark(NamedTuple):
    """The lots, whole, of all that is known of what was executed by when the last of it was."""

    number: int
    lots: FoldedLots

    @property
    def at(self) -> datetime:
        return self.lots.moved_at


def marks_before(marks: Sequence[FoldMark], instant: datetime) -> list[FoldMark]:
    """Those that stand, where more is known now of what was executed then."""
    return [mark for mark in marks if mark.at < instant]


def with_mark(marks: Sequence[FoldMark], lots: FoldedLots) -> list[FoldMark]:
    """The older they are the fewer stay, since most of what comes late is not very late."""
    number = marks[-1].number + 1 if marks else 1
    kept = worth_keeping([*(mark.number for mark in marks), number])
    return [*(mark for mark in marks if mark.number in kept), FoldMark(number, replace(lots, days=()))]


async def fold_again(
    journal: Journal,
    portfolio_id: UUID,
    method: LotMethod,
    view: View,
    known: Snapshot,
    symbol: str,
    marks: Sequence[FoldMark],
    late_at: datetime,
) -> tuple[FoldedLots, list[FoldMark]]:
    """From the last mark before `late_at` on, when the first was executed of what was recorded since `known`.

    The marks that it passes are laid anew, one where `known` ends, and one at the end.
    """
    found = marks_before(marks, late_at)
    since = replace(known, executed_until=found[-1].at) if found else None
    movements = await journal.movements(portfolio_id, view, [symbol], since)
    fold = LotFold(method, {symbol: found[-1].lots} if found else {})
    ends = [mark.at for mark in marks if mark.at >= late_at]
    done = 0
    for end in [*ends, known.executed_until, movements[-1].executed_at]:
        passed = bisect_right(movements, end, key=attrgetter("executed_at"))
        if passed > done:
            fold.apply(movements[done:passed])
            found = with_mark(found, fold.folded(symbol))
            done = passed
    return fold.folded(symbol), found
