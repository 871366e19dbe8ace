"""Options whose end was recorded: closed, exercised, assigned or expired.

An end took what was held on one side. Without it there, the same entry would open the other side, of contracts that
nobody ever bought or wrote: whatever is dated before an end, or taken back from there, leaves it what it ended.
"""

from collections.abc import Collection, Iterable
from datetime import datetime
from decimal import Decimal
from itertools import accumulate
from typing import NamedTuple
from uuid import UUID

from quantmesh.portfolio.core.errors import InsufficientHolding
from quantmesh.portfolio.core.lots import SecurityMovement
from quantmesh.portfolio.core.model import TransactionInput, TransactionType
from quantmesh.portfolio.core.numbers import ZERO, exactly, plain
from quantmesh.portfolio.core.times import rfc3339

_ENDS = frozenset(
    {
        TransactionType.OPTION_CLOSE,
        TransactionType.OPTION_EXERCISE,
        TransactionType.OPTION_ASSIGNMENT,
        TransactionType.OPTION_EXPIRY,
    }
)


class End(NamedTuple):
    """`left` is what it leaves of the side that it ended, less than zero where it found too little."""

    left: Decimal
    at: datetime
    transaction_id: UUID | None
    type: TransactionType
    of_long: bool


@exactly
def ends_of(recorded: Iterable[SecurityMovement], going: Collection[UUID] = ()) -> list[End]:
    """Of one option, all of whose movements come in order of execution, then of recording; without those `going`."""
    movements = list(recorded)
    undone = {movement.reverses for movement in movements} | {*going}
    found, held = [], ZERO
    for movement in movements:
        if movement.reverses is None and movement.transaction_id not in undone:
            held += movement.quantity
            if movement.type in _ENDS:
                of_long = movement.quantity < ZERO
                left = held if of_long else -held
                found.append(End(left, movement.executed_at, movement.transaction_id, movement.type, of_long))
    return found


class EndedLater:
    """Of one option, while entries are admitted in order of execution; of one instant what was recorded is before."""

    def __init__(self, symbol: str, recorded: Iterable[SecurityMovement]) -> None:
        self._symbol = symbol
        self._added = ZERO
        ends = ends_of(recorded)[::-1]
        # By side, the next one is the last; and of it and those after it the one that leaves least.
        self._to_come = {side: [end for end in ends if end.of_long is side] for side in (True, False)}
        self._least = {side: list(accumulate(of_side, min)) for side, of_side in self._to_come.items()}

    @exactly
    def require(self, asked: TransactionInput, quantity: Decimal) -> None:
        """Raises InsufficientHolding where `quantity` more, fewer where it is negative, leave too little to an end."""
        of_long = quantity < ZERO
        to_come, least = self._to_come[of_long], self._least[of_long]
        while to_come and to_come[-1].at <= asked.executed_at:
            to_come.pop()
            least.pop()
        if least:
            left = least[-1].left + (self._added if of_long else -self._added)
            _require_left(self._symbol, least[-1], taken=abs(quantity), left=left)

    @exactly
    def count(self, _: TransactionInput, quantity: Decimal) -> None:
        """What was required last is recorded."""
        self._added += quantity


@exactly
def require_ends(symbol: str, recorded: Collection[SecurityMovement], going: Collection[UUID]) -> None:
    """Raises InsufficientHolding where an end that stays would find less than it ended without what is `going`."""
    before = {end.transaction_id: end.left for end in ends_of(recorded)}
    for end in ends_of(recorded, going):
        left = before[end.transaction_id]
        _require_left(symbol, end, taken=left - end.left, left=left)


def _require_left(symbol: str, end: End, *, taken: Decimal, left: Decimal) -> None:
    available = max(left, ZERO)
    if taken <= available:
        return
    raise InsufficientHolding(
        symbol,
        needed=taken,
        available=available,
        at=end.at,
        later=True,
        field="quantity",
        description=(
            f"takes {plain(taken)} {symbol}, but the {end.type} on {rfc3339(end.at)} leaves only {plain(available)} of"
            f" what was held then: reverse that first, and record it again afterwards"
        ),
    )
