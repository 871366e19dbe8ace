"""What contracts cost that are exercised or assigned by delivery, which goes with what they deliver."""

from collections import deque
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from quantmesh.portfolio.core.lots import LotFold, SecurityMovement
from quantmesh.portfolio.core.model import Entry, LotMethod, TransactionInput, TransactionType
from quantmesh.portfolio.core.movements import movements_of
from quantmesh.portfolio.core.numbers import ZERO


class ExercisedLots:
    """The lots of one option on their way through time: what was recorded of it, and what is admitted now.

    Both come in order of execution; of one instant what was recorded is first, as its numbers are lower.
    """

    def __init__(self, recorded: Iterable[SecurityMovement], method: LotMethod) -> None:
        self._recorded = deque(recorded)
        self._fold = LotFold(method)

    def exercise(self, asked: TransactionInput) -> Decimal:
        """The cost of the contracts, negative of written ones; they leave the lots, at no gain."""
        self._reach(asked.executed_at)
        contracts = asked.quantity or ZERO
        held = contracts if asked.type is TransactionType.OPTION_EXERCISE else -contracts
        return self._fold.close(asked.symbol, held)

    def add(self, entry: Entry) -> None:
        """What else moves the option."""
        self._reach(entry.input.executed_at)
        self._fold.apply(movement for movement in movements_of(entry) if movement.symbol == entry.input.symbol)

    def _reach(self, instant: datetime) -> None:
        """All of an instant at once, since a reversal is dated where that is which it takes back."""
        reached = []
        while self._recorded and self._recorded[0].executed_at <= instant:
            reached.append(self._recorded.popleft())
        self._fold.apply(reached)
