"""Positions and realised gains, derived from what was recorded, by the account's lot method.

A cost is exact to 18 places and conserved: what is relieved from the lots plus what remains is what was paid.
Fees are expenses and in no cost. A purchase's gross amount is its cost, a sale's gross amount its proceeds. What is
sold without being held opens a short lot, whose quantity and cost (the proceeds) are negative; a purchase closes it.
Realised is what came in less what was relieved, on either side.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from quantmesh.portfolio.core.currency import round_cash
from quantmesh.portfolio.core.held_days import HeldDay
from quantmesh.portfolio.core.ledger_errors import LotNotOpen
from quantmesh.portfolio.core.model import LotChoice, LotMethod, TransactionType
from quantmesh.portfolio.core.numbers import ZERO, exactly, to_stored


class SecurityMovement(NamedTuple):
    """What one transaction did to a holding: `quantity` signed, `gross` the cash that it was exchanged for, no fee.

    A tuple, as a Lot, since a thousand of each are made for one answer.
    `gross` is positive in a purchase's cost and in a sale's proceeds. For a split `quantity` is what was gained and
    `ratio` how many new units one old unit became. A reversal has the signs of what it `reverses` turned.
    """

    type: TransactionType
    symbol: str
    currency: str
    executed_at: datetime
    quantity: Decimal
    gross: Decimal
    ratio: Decimal | None = None
    transaction_id: UUID | None = None
    reverses: UUID | None = None
    lots: tuple[LotChoice, ...] = ()


class Lot(NamedTuple):
    """What is left of what `transaction_id` opened; of a pool the first of them."""

    quantity: Decimal
    cost: Decimal
    opened_at: datetime
    transaction_id: UUID | None = None


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

    `realized` is not rounded yet; `moved_at` is when the last of the movements was executed, `paid` as in a HeldDay.
    `days` are those on which it moved in this fold, after the one that the fold began on.
    """

    symbol: str
    currency: str
    lots: tuple[Lot, ...]
    realized: Decimal
    moved_at: datetime
    paid: Decimal = ZERO
    days: tuple[HeldDay, ...] = field(default=(), compare=False)

    @exactly
    def position(self) -> Position:
        return _position(self, *summed(self.lots))

    @exactly
    def cost_of(self, quantity: Decimal, method: LotMethod) -> Decimal:
        """What `quantity` units (of either sign, as held) cost that would be closed now."""
        return _OpenLots(self, method).relieve(-quantity)


def positions_of(movements: Iterable[SecurityMovement], method: LotMethod) -> dict[str, Position]:
    """Every instrument ever held, by symbol; as `fold_lots`."""
    return {symbol: folded.position() for symbol, folded in sorted(fold_lots(movements, method).items())}


@exactly
def fold_lots(
    movements: Iterable[SecurityMovement],
    method: LotMethod,
    before: Mapping[str, FoldedLots] | None = None,
    *,
    strict: bool = False,
) -> dict[str, FoldedLots]:
    """The instruments that moved, by symbol. `movements` come in order of execution, then of recording, after `before`.

    A reversal, and what it reverses, count as if they had never been; both have to be among `movements`. Strictly, a
    sale's named lots must be open then (else LotNotOpen); otherwise the method's own order stands in for those that
    are not.
    """
    books = LotFold(method, before, strict=strict)
    return {symbol: books.folded(symbol) for symbol in books.apply(movements)}


class LotFold:
    """A fold that goes on from where it is, so that it can be looked at on its way; see `fold_lots`."""

    def __init__(
        self, method: LotMethod, before: Mapping[str, FoldedLots] | None = None, *, strict: bool = False
    ) -> None:
        self._method = method
        self._before = before or {}
        self._strict = strict
        self._books: dict[str, _OpenLots] = {}

    @exactly
    def apply(self, movements: Iterable[SecurityMovement]) -> list[str]:
        """The symbols that moved. What a reversal among `movements` takes back has to be among them too."""
        movements = list(movements)
        undone = {movement.reverses for movement in movements if movement.reverses is not None}
        moved = dict.fromkeys(movement.symbol for movement in movements)
        for movement in movements:
            book = self._books.get(movement.symbol)
            if book is None:
                known = self._before.get(movement.symbol) or _nothing_before(movement)
                book = self._books[movement.symbol] = _OpenLots(known, self._method, strict=self._strict)
            if not undone or (movement.reverses is None and movement.transaction_id not in undone):
                book.apply(movement)
        return list(moved)

    @exactly
    def close(self, symbol: str, quantity: Decimal) -> Decimal:
        """The cost of `quantity` units (of either sign, as held), which leave the lots at no gain."""
        book = self._books.get(symbol)
        return ZERO if book is None else book.relieve(-quantity)

    @exactly
    def folded(self, symbol: str) -> FoldedLots:
        return self._books[symbol].folded()

    @exactly
    def position(self, symbol: str) -> Position:
        """As that of `folded`, without going through its lots."""
        book = self._books[symbol]
        return _position(book, book.held, book.cost)


def _nothing_before(movement: SecurityMovement) -> FoldedLots:
    return FoldedLots(movement.symbol, movement.currency, (), ZERO, movement.executed_at)


def summed(lots: Iterable[Lot]) -> tuple[Decimal, Decimal]:
    """What is held in them, and its cost."""
    quantity = cost = ZERO
    for lot in lots:
        quantity += lot.quantity
        cost += lot.cost
    return quantity, cost


def _position(state: "FoldedLots | _OpenLots", quantity: Decimal, cost: Decimal) -> Position:
    return Position(
        symbol=state.symbol,
        currency=state.currency,
        quantity=quantity,
        cost=cost,
        average_cost=to_stored(cost / quantity) if quantity else ZERO,
        realized_pnl=round_cash(state.realized, state.currency),
    )


class _OpenLots:
    def __init__(self, before: FoldedLots, method: LotMethod, *, strict: bool = False) -> None:
        self.symbol = before.symbol
        self.currency = before.currency
        self._pooled = method is LotMethod.AVERAGE
        self._newest_first = method is LotMethod.LIFO
        self._strict = strict
        self._lots = deque(before.lots)
        self.held, self.cost = summed(before.lots)
        self.realized = before.realized
        self._moved_at = before.moved_at
        self._day = before.moved_at.date()
        self._days: list[HeldDay] = []
        self._paid = before.paid
        self._last_trade: SecurityMovement | None = None

    def apply(self, movement: SecurityMovement) -> None:
        day = movement.executed_at.date()
        if day != self._day:
            self._days.append(self._today())
            self._day = day
        self._moved_at = movement.executed_at
        if movement.gross:
            self._last_trade = movement
        if movement.type is TransactionType.SPLIT:
            self._split(movement)
        else:
            self._exchange(movement)

    def folded(self) -> FoldedLots:
        today = self._today()
        return FoldedLots(
            self.symbol,
            self.currency,
            tuple(self._lots),
            self.realized,
            self._moved_at,
            self._paid,
            (*self._days, today),
        )

    def _today(self) -> HeldDay:
        if self._last_trade is not None:
            self._paid = to_stored(abs(self._last_trade.gross / self._last_trade.quantity))
            self._last_trade = None
        return HeldDay(self._day, self.held, self.cost, self.realized, self._paid)

    def _exchange(self, movement: SecurityMovement) -> None:
        """Closes what is held on the other side, opens what is left over; the cash is divided by quantity."""
        quantity = movement.quantity
        paid = movement.gross if quantity > ZERO else -movement.gross
        if self.held and (self.held > ZERO) is not (quantity > ZERO):
            closing = quantity if abs(quantity) <= abs(self.held) else -self.held
            share = paid if closing == quantity else to_stored(paid * closing / quantity)
            self.realized -= share + self.relieve(closing, movement.lots)
            quantity -= closing
            paid -= share
        elif movement.lots and self._strict:
            raise LotNotOpen(movement.lots[0].transaction_id, self.symbol, movement.executed_at)
        if quantity:
            self._open(Lot(quantity, paid, movement.executed_at, movement.transaction_id))

    def relieve(self, closing: Decimal, chosen: Iterable[LotChoice] = ()) -> Decimal:
        """The cost of as many units as close what is held on the other side; they leave the lots, `chosen` first."""
        relieved = ZERO
        left = abs(closing)
        for choice in chosen:
            place = self._place_of(choice.transaction_id)
            taken, cost = (ZERO, ZERO) if place is None else self._take(place, min(left, choice.quantity))
            if self._strict and taken < choice.quantity:
                raise LotNotOpen(choice.transaction_id, self.symbol, self._moved_at)
            left -= taken
            relieved += cost
        while left and self._lots:
            taken, cost = self._take(-1 if self._newest_first else 0, left)
            left -= taken
            relieved += cost
        self.held += closing
        self.cost -= relieved
        return relieved

    def _open(self, lot: Lot) -> None:
        self.held += lot.quantity
        self.cost += lot.cost
        if self._pooled and self._lots:
            pool = self._lots[0]
            self._lots[0] = Lot(pool.quantity + lot.quantity, pool.cost + lot.cost, pool.opened_at, pool.transaction_id)
        else:
            self._lots.append(lot)

    def _place_of(self, transaction_id: UUID) -> int | None:
        return next((place for place, lot in enumerate(self._lots) if lot.transaction_id == transaction_id), None)

    def _take(self, place: int, wanted: Decimal) -> tuple[Decimal, Decimal]:
        """At most `wanted` units of a lot: how many, and their cost. A lot that is used up is gone."""
        lot = self._lots[place]
        size = abs(lot.quantity)
        if size <= wanted:
            del self._lots[place]
            return size, lot.cost
        cost = to_stored(lot.cost * wanted / size)
        rest = (size - wanted).copy_sign(lot.quantity)
        self._lots[place] = Lot(rest, lot.cost - cost, lot.opened_at, lot.transaction_id)
        return wanted, cost

    def _split(self, movement: SecurityMovement) -> None:
        """Costs stay, quantities multiply; the last lot takes what rounding leaves, for the sum that was posted."""
        ratio = movement.ratio or Decimal(1)
        self.held += movement.quantity
        self._lots = deque(lot._replace(quantity=to_stored(lot.quantity * ratio)) for lot in self._lots)
        rest = self.held - sum((lot.quantity for lot in self._lots), ZERO)
        if rest and self._lots:
            self._lots[-1] = self._lots[-1]._replace(quantity=self._lots[-1].quantity + rest)
