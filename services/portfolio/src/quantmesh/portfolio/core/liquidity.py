"""How much of a quote's size an order gets."""

from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal

from quantmesh.portfolio.core.market import Quote
from quantmesh.portfolio.core.numbers import ZERO, exactly
from quantmesh.portfolio.core.orders import Order, OrderSide


def offered(quote: Quote, side: OrderSide) -> Decimal | None:
    """What a quote is good for to one who buys or sells; None where it does not say."""
    return quote.ask_size if side is OrderSide.BUY else quote.bid_size


@dataclass(frozen=True, slots=True)
class LiquidityRequest:
    """`quantity` of a quote's size for an order; with `whole` all of it or none.

    `behind_resting`: orders that rest and can trade at this quote too have theirs first.
    """

    order: Order
    quote: Quote
    quantity: Decimal
    lot: Decimal
    whole: bool
    behind_resting: bool

    @property
    def size(self) -> Decimal | None:
        """What the quote is good for; None where it does not say, which is any size."""
        return offered(self.quote, self.order.request.side)

    @property
    def at_most(self) -> Decimal:
        """What it gets of a quote that nobody else uses."""
        return self.quantity if self.size is None else self.granted(self.size, used=ZERO, ahead=ZERO)

    @exactly
    def granted(self, size: Decimal, used: Decimal, ahead: Decimal) -> Decimal:
        """Of what is left of `size`, in whole lots unless it is all of the order, once those `ahead` have theirs."""
        part = min(max(size - used - ahead, ZERO), self.quantity)
        if self.whole:
            return part if part == self.quantity else ZERO
        if part == self.order.open_quantity or self.lot <= ZERO:
            return part
        return (part / self.lot).to_integral_value(ROUND_FLOOR) * self.lot
