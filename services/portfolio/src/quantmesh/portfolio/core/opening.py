"""How much of a trade in stock an account with margin carries."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from quantmesh.portfolio.core.currency import round_cash
from quantmesh.portfolio.core.model import TransactionInput
from quantmesh.portfolio.core.numbers import ZERO, exactly

# Of what a position costs, what the equity must be at its opening (Regulation T, 12 CFR 220.12).
INITIAL = Decimal("0.5")


@dataclass(frozen=True, slots=True)
class Opening:
    """A trade that leaves the account with `shortfall` too little equity; `closes` of its units only close."""

    asked: TransactionInput
    currency: str
    shortfall: Decimal
    closes: Decimal

    @exactly
    def largest(self, step: Decimal, fee: Callable[[Decimal], Decimal]) -> Decimal | None:
        """The most of it that is carried, in whole steps, where a quantity costs `fee`; what only closes always is.

        None where that is no step. What rounding to cents leaves may be one step more.
        """
        quantity = self.asked.quantity or ZERO
        spared_of_all = self._burden(quantity, fee) - self.shortfall
        carried = int((self.closes / step).to_integral_value(ROUND_FLOOR))
        too_many = int((quantity / step).to_integral_value(ROUND_CEILING))
        while too_many - carried > 1:
            middle = (carried + too_many) // 2
            if self._burden(middle * step, fee) <= spared_of_all:
                carried = middle
            else:
                too_many = middle
        return carried * step if carried else None

    def _burden(self, quantity: Decimal, fee: Callable[[Decimal], Decimal]) -> Decimal:
        """What it takes of the equity beyond what is required, but for what closing realises, which stays."""
        gross = round_cash(quantity * (self.asked.price or ZERO), self.currency)
        return INITIAL * gross + fee(quantity)
