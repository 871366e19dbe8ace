"""What is held or wanted of an instrument, the lots to trade of it, and what trading them brings or costs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal

from quantmesh.portfolio.core.currency import round_cash
from quantmesh.portfolio.core.numbers import ZERO, to_stored


@dataclass(frozen=True, slots=True)
class Candidate:
    """An instrument that is held or wanted. Prices are per unit: the last one, and what a purchase or sale would get.

    Amounts are in `currency`, of which one unit is `rate` in the base currency. `sellable` is what is held and not kept
    for open orders; `gain` is what a sale of so many units would realise by the account's lots, before its fee;
    `fee_of` is a trade's fee by its gross amount.
    """

    symbol: str
    currency: str
    rate: Decimal
    target: Decimal
    held: Decimal
    sellable: Decimal
    lot_size: Decimal
    price: Decimal
    buy_price: Decimal
    sell_price: Decimal
    gain: Callable[[Decimal], Decimal]
    fee_of: Callable[[Decimal], Decimal]

    @property
    def lot_value(self) -> Decimal:
        """At the last price, in the base currency."""
        return self.lot_size * self.price * self.rate


@dataclass(frozen=True, slots=True)
class Position:
    """`lots` are traded, negative to sell; `remainder` is what whole lots cut off from the target, in lots."""

    candidate: Candidate
    lots: int
    remainder: Decimal = ZERO

    @property
    def quantity(self) -> Decimal:
        return self.lots * self.candidate.lot_size

    @property
    def fill_price(self) -> Decimal:
        return self.candidate.buy_price if self.lots > 0 else self.candidate.sell_price

    @property
    def gross(self) -> Decimal:
        """Not rounded."""
        return abs(self.quantity) * self.fill_price

    @property
    def paid(self) -> Decimal:
        """As it is posted for a sale, and reserved for a purchase."""
        return round_cash(self.gross, self.candidate.currency, ROUND_CEILING if self.lots > 0 else None)

    @property
    def fee(self) -> Decimal:
        return self.candidate.fee_of(self.gross) if self.lots else ZERO

    @property
    def flow(self) -> Decimal:
        """What the trade brings, negative where it costs."""
        if not self.lots:
            return ZERO
        return (self.paid if self.lots < 0 else -self.paid) - self.fee

    @property
    def slippage(self) -> Decimal:
        """What the price costs against the last one."""
        return to_stored(abs(self.gross - abs(self.quantity) * self.candidate.price))

    @property
    def gain(self) -> Decimal:
        return to_stored(self.candidate.gain(-self.quantity)) if self.lots < 0 else ZERO

    @property
    def value(self) -> Decimal:
        """Of what is held afterwards, in the base currency."""
        return (self.candidate.held + self.quantity) * self.candidate.price * self.candidate.rate

    def in_base(self, amount: Decimal) -> Decimal:
        return amount * self.candidate.rate


def cash_after(cash: Decimal, positions: Sequence[Position]) -> Decimal:
    """What trading them makes of `cash`, in the base currency."""
    return cash + sum((position.in_base(position.flow) for position in positions), ZERO)
