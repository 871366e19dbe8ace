"""What the rows of a file leave to what was recorded for later and names its lots; they name none themselves."""

from collections import deque
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from heapq import heappop, heappush
from itertools import accumulate
from operator import attrgetter
from typing import NamedTuple
from uuid import UUID

from quantmesh.portfolio.core.ledger_errors import LotNotOpen
from quantmesh.portfolio.core.lots import FoldedLots, LotFold, SecurityMovement, fold_lots
from quantmesh.portfolio.core.model import LotMethod, TransactionInput, TransactionType
from quantmesh.portfolio.core.numbers import ZERO, exactly, plain

_REVERSE_FIRST = "reverse that first, and record it again after the import"


class _Claim(NamedTuple):
    """A trade's, on the oldest of the lots that it names: `spare` is what it leaves of that lot and of older ones.

    What names no lot takes the oldest units. So many of them may go before, and the trade still finds what it names:
    its other lots are younger, and have no less to spare.
    """

    spare: Decimal
    claimed_at: datetime
    opened_at: datetime
    lot_id: UUID

    def with_more(self, units: Decimal) -> "_Claim":
        return self._replace(spare=self.spare + units)


class _Claims:
    """On the lots of one side, as time goes on."""

    def __init__(self, claims: Iterable[_Claim]) -> None:
        # The next lot to open is the last. What opens a lot now adds to what these have to spare, not to the others.
        self._to_come = sorted(claims, key=attrgetter("opened_at"), reverse=True)
        # Of the first, of the first two, and so on.
        self._least_to_come = list(accumulate(self._to_come, min))
        self._more_to_come = ZERO
        self._open: list[_Claim] = []
        self._more_open = ZERO

    def reach(self, instant: datetime) -> None:
        while self._to_come and self._to_come[-1].opened_at <= instant:
            self._least_to_come.pop()
            heappush(self._open, self._to_come.pop().with_more(self._more_to_come - self._more_open))
        while self._open and self._open[0].claimed_at <= instant:
            heappop(self._open)

    def least(self) -> _Claim | None:
        """The one with the least to spare of those that are made later."""
        to_come = [claim.with_more(self._more_to_come) for claim in self._least_to_come[-1:]]
        return min([*to_come, *(claim.with_more(self._more_open) for claim in self._open[:1])], default=None)

    def open(self, units: Decimal) -> None:
        self._more_to_come += units

    def take(self, units: Decimal) -> None:
        self._more_to_come -= units
        self._more_open -= units


def named_lots(movements: Iterable[SecurityMovement]) -> dict[str, "NamedLots"]:
    """By symbol, of those whose lots are named at all."""
    by_symbol: dict[str, list[SecurityMovement]] = {}
    for movement in movements:
        by_symbol.setdefault(movement.symbol, []).append(movement)
    return {
        symbol: NamedLots(of_symbol)
        for symbol, of_symbol in by_symbol.items()
        if any(movement.lots for movement in of_symbol)
    }


class NamedLots:
    """Of one instrument. Rows come in order of execution; of one instant what was recorded is before them.

    Its lots are folded as far as to the last split, since nothing else asks for them.
    """

    @exactly
    def __init__(self, recorded: Iterable[SecurityMovement]) -> None:
        movements = list(recorded)
        undone = {movement.reverses for movement in movements}
        standing = [each for each in movements if each.reverses is None and each.transaction_id not in undone]
        last = max((place for place, movement in enumerate(standing) if movement.lots), default=-1)
        self._symbol, self._currency = movements[0].symbol, movements[0].currency
        self._lots = FoldedLots(self._symbol, self._currency, (), ZERO, movements[0].executed_at)
        self._passed: list[SecurityMovement] = []
        # As far as anything is named; what comes after that takes from nobody.
        self._later = deque(standing[: last + 1])
        self._claim()

    def require(self, asked: TransactionInput, quantity: Decimal) -> None:
        """Raises LotNotOpen where `quantity` more units, fewer where it is negative, leave too little to a claim."""
        while self._later and self._later[0].executed_at <= asked.executed_at:
            self._passed.append(self._later.popleft())
        if asked.type is TransactionType.SPLIT:
            self._require_split(asked, quantity)
            return
        for claims in (self._on_long, self._on_short):
            claims.reach(asked.executed_at)
        least = (self._on_short if quantity > ZERO else self._on_long).least()
        if least is not None and least.spare < abs(quantity):
            remedy = f" unless at most {plain(least.spare)} is taken before; or {_REVERSE_FIRST}"
            raise LotNotOpen(least.lot_id, self._symbol, least.claimed_at, field="quantity", remedy=remedy)

    def count(self, asked: TransactionInput, quantity: Decimal) -> None:
        """What was required last is recorded."""
        if not self._later:
            return
        self._passed.append(self._row(asked, quantity))
        if asked.type is TransactionType.SPLIT:
            self._fold()
            self._claim()
            return
        opening, closing = (self._on_long, self._on_short) if quantity > ZERO else (self._on_short, self._on_long)
        opening.open(abs(quantity))
        closing.take(abs(quantity))

    def _require_split(self, asked: TransactionInput, quantity: Decimal) -> None:
        if not self._later:
            return
        self._fold()
        movements = [self._row(asked, quantity), *self._later]
        try:
            fold_lots(movements, LotMethod.SPECIFIC, {self._symbol: self._lots}, strict=True)
        except LotNotOpen as error:
            remedy = f" after this split; {_REVERSE_FIRST}"
            raise LotNotOpen(
                error.transaction_id, self._symbol, error.at, field="split_ratio", remedy=remedy
            ) from error

    def _fold(self) -> None:
        """What was passed."""
        if self._passed:
            folded = fold_lots(self._passed, LotMethod.SPECIFIC, {self._symbol: self._lots})
            self._lots = replace(folded[self._symbol], days=())
            self._passed.clear()

    def _claim(self) -> None:
        """From the lots that are there; one that is not is nobody's."""
        found: dict[bool, list[_Claim]] = {True: [], False: []}
        fold = LotFold(LotMethod.SPECIFIC, {self._symbol: self._lots})
        for place, movement in enumerate(self._later):
            if movement.lots:
                lots = fold.folded(self._symbol) if place else self._lots
                found[movement.quantity < ZERO] += _oldest_claim(movement, lots)
            fold.apply([movement])
        self._on_long, self._on_short = _Claims(found[True]), _Claims(found[False])

    def _row(self, asked: TransactionInput, quantity: Decimal) -> SecurityMovement:
        """What it cost does not matter here."""
        return SecurityMovement(
            asked.type, self._symbol, self._currency, asked.executed_at, quantity, ZERO, asked.split_ratio
        )


def _oldest_claim(movement: SecurityMovement, before: FoldedLots) -> list[_Claim]:
    taken = {choice.transaction_id: choice.quantity for choice in movement.lots}
    older = ZERO
    for lot in before.lots:
        older += abs(lot.quantity)
        if lot.transaction_id in taken:
            spare = older - taken[lot.transaction_id]
            return [_Claim(spare, movement.executed_at, lot.opened_at, lot.transaction_id)]
    return []
