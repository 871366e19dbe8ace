"""Positions and realised gains, derived from what was recorded, by average cost or first in, first out.

A cost is exact to 18 places and conserved: what is relieved from the lots plus what remains is what was paid.
Fees are expenses and in no cost. A buy's gross amount is its cost, a sell's gross amount its proceeds.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from quantmesh.portfolio.core.currency import round_cash
from quantmesh.portfolio.core.model import LotMethod, TransactionType
from quantmesh.portfolio.core.numbers import ZERO, exactly, to_stored


@dataclass(frozen=True, slots=True)
class SecurityMovement:
    """What one transaction did to a holding: `quantity` signed, `gross` positive cash without the fee.

    For a split `quantity` is what was gained and `ratio` how many new units one old unit became.
    """

    type: TransactionType
    symbol: str
    currency: str
    executed_at: datetime
    quantity: Decimal
    gross: Decimal
    ratio: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Lot:
    quantity: Decimal
    cost: Decimal
    opened_at: datetime


@dataclass(frozen=True, slots=True)
class Position:
    """What is held of one instrument; `average_cost` per unit is zero where nothing is held."""

    symbol: str
    currency: str
    quantity: Decimal
    cost: Decimal
    average_cost: Decimal
    realized_pnl: Decimal


@dataclass(frozen=True, slots=True)
class FoldedLots:
    """An instrument's movements so far, from which a fold goes on.

    `realized` is not rounded yet; `moved_at` is when the last of the movements was executed.
    """

    symbol: str
    currency: str
    lots: tuple[Lot, ...]
    realized: Decimal
    moved_at: datetime

    @exactly
    def position(self) -> Position:
        quantity = sum((lot.quantity for lot in self.lots), ZERO)
        cost = sum((lot.cost for lot in self.lots), ZERO)
        return Position(
            symbol=self.symbol,
            currency=self.currency,
            quantity=quantity,
            cost=cost,
            average_cost=to_stored(cost / quantity) if quantity else ZERO,
            realized_pnl=round_cash(self.realized, self.currency),
        )


def positions_of(movements: Iterable[SecurityMovement], method: LotMethod) -> dict[str, Position]:
    """Every instrument ever held, by symbol; as `fold_lots`."""
    return {symbol: folded.position() for symbol, folded in sorted(fold_lots(movements, method).items())}


@exactly
def fold_lots(
    movements: Iterable[SecurityMovement], method: LotMethod, before: Mapping[str, FoldedLots] | None = None
) -> dict[str, FoldedLots]:
    """The instruments that moved, by symbol. `movements` come in order of execution, then of recording, after `before`.

    Raises ValueError where more is sold than held, which admission never lets into the books.
    """
    books: dict[str, _OpenLots] = {}
    for movement in movements:
        book = books.get(movement.symbol)
        if book is None:
            known = before.get(movement.symbol) if before else None
            nothing = FoldedLots(movement.symbol, movement.currency, (), ZERO, movement.executed_at)
            book = books[movement.symbol] = _OpenLots(known or nothing, method)
        book.apply(movement)
    return {symbol: book.folded() for symbol, book in books.items()}


class _OpenLots:
    def __init__(self, before: FoldedLots, method: LotMethod) -> None:
        self._symbol = before.symbol
        self._currency = before.currency
        self._pooled = method is LotMethod.AVERAGE
        self._lots = list(before.lots)
        self._realized = before.realized
        self._moved_at = before.moved_at

    def apply(self, movement: SecurityMovement) -> None:
        self._moved_at = movement.executed_at
        match movement.type:
            case TransactionType.BUY:
                self._open(Lot(movement.quantity, movement.gross, movement.executed_at))
            case TransactionType.SELL:
                self._realized += movement.gross - self._relieve(-movement.quantity)
            case TransactionType.SPLIT:
                self._split(movement)
            case _:
                msg = f"a {movement.type} moves no security"
                raise ValueError(msg)

    def folded(self) -> FoldedLots:
        return FoldedLots(self._symbol, self._currency, tuple(self._lots), self._realized, self._moved_at)

    def _open(self, lot: Lot) -> None:
        if self._pooled and self._lots:
            pool = self._lots[0]
            self._lots[0] = replace(pool, quantity=pool.quantity + lot.quantity, cost=pool.cost + lot.cost)
        else:
            self._lots.append(lot)

    def _relieve(self, quantity: Decimal) -> Decimal:
        """The cost of the first `quantity` units, which leave the lots."""
        relieved = ZERO
        emptied = 0
        for lot in self._lots:
            if not quantity:
                break
            if lot.quantity <= quantity:
                quantity -= lot.quantity
                relieved += lot.cost
                emptied += 1
            else:
                cost = to_stored(lot.cost * quantity / lot.quantity)
                self._lots[emptied] = replace(lot, quantity=lot.quantity - quantity, cost=lot.cost - cost)
                relieved += cost
                quantity = ZERO
        if quantity:
            msg = f"{self._symbol}: {quantity} more sold than held"
            raise ValueError(msg)
        del self._lots[:emptied]
        return relieved

    def _split(self, movement: SecurityMovement) -> None:
        """Costs stay, quantities multiply; the last lot takes what rounding leaves, for the sum that was posted."""
        ratio = movement.ratio or Decimal(1)
        held = sum((lot.quantity for lot in self._lots), ZERO)
        self._lots = [replace(lot, quantity=to_stored(lot.quantity * ratio)) for lot in self._lots]
        rest = held + movement.quantity - sum((lot.quantity for lot in self._lots), ZERO)
        if rest:
            self._lots[-1] = replace(self._lots[-1], quantity=self._lots[-1].quantity + rest)
