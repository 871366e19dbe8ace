"""What becomes of an option that is still held at its expiry, as the clearing house has it.

In the money by a cent or more it is exercised without being asked (OCC Rule 805, "exercise by exception"), a written
one is assigned; anything else expires. A holder who cannot pay for the delivery, or has not what is to be delivered, is
sold out at the intrinsic value, as a broker would before the close.
"""

from dataclasses import dataclass, replace
from decimal import Decimal
from uuid import UUID

from quantmesh.portfolio.core.model import TransactionInput, TransactionType
from quantmesh.portfolio.core.numbers import ZERO
from quantmesh.portfolio.core.option_terms import OptionTerms, Settlement

IN_THE_MONEY = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class ExpiredOption:
    """So many contracts, negative where written, that an account held when they expired."""

    owner_id: UUID
    portfolio_id: UUID
    symbol: str
    quantity: Decimal
    terms: OptionTerms


def settlement_of(held: ExpiredOption, price: Decimal) -> TransactionInput:
    """What is recorded at the instant of expiry, where the underlying stood at `price`."""
    terms = held.terms
    asked = TransactionInput(
        TransactionType.OPTION_EXPIRY, terms.expiry, symbol=held.symbol, quantity=abs(held.quantity)
    )
    if terms.intrinsic(price) < IN_THE_MONEY:
        return asked
    kind = TransactionType.OPTION_EXERCISE if held.quantity > ZERO else TransactionType.OPTION_ASSIGNMENT
    return replace(asked, type=kind, price=price if terms.settlement is Settlement.CASH else None)


def sale_of(held: ExpiredOption, price: Decimal) -> TransactionInput:
    """In place of an exercise that the account cannot bear."""
    return TransactionInput(
        TransactionType.OPTION_CLOSE,
        held.terms.expiry,
        symbol=held.symbol,
        quantity=abs(held.quantity),
        price=held.terms.intrinsic(price),
        note="closed at its intrinsic value: the account could not take part in the delivery",
    )
