"""The account that limits are measured on, and what orders make of it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from quantmesh.risk.core.errors import NotMeasurable

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Instrument:
    """`quantity` is negative where short; `price` is in `currency`, `exchange_rate` turns that into the base currency.

    Either is None where nobody knows it; the currency is empty of what the market does not know. An option's quantity
    and price are of contracts, which stand for `multiplier` units of the underlying each.
    """

    symbol: str
    quantity: Decimal
    currency: str
    price: Decimal | None
    exchange_rate: Decimal | None
    lot_size: Decimal = Decimal(1)
    stale: bool = False
    is_option: bool = False
    multiplier: Decimal = Decimal(1)

    @property
    def is_known(self) -> bool:
        """Whether the market has such an instrument."""
        return bool(self.currency)

    @property
    def is_written(self) -> bool:
        """An option that is owed."""
        return self.is_option and self.quantity < ZERO

    @property
    def unit_value(self) -> Decimal:
        """Of one unit, in the base currency. Raises NotMeasurable."""
        if self.price is None:
            msg = f"{self.symbol} has no price"
            raise NotMeasurable(msg)
        return self.price * self.rate

    @property
    def rate(self) -> Decimal:
        """What one unit of its currency is in the base currency. Raises NotMeasurable."""
        if self.exchange_rate is None:
            msg = f"there is no exchange rate of {self.currency}"
            raise NotMeasurable(msg)
        return self.exchange_rate

    @property
    def value(self) -> Decimal:
        return self.quantity * self.unit_value if self.quantity else ZERO


@dataclass(frozen=True, slots=True)
class Order:
    """`quantity` is positive to buy and negative to sell; `price` is a limit's or a stop's, in the instrument's
    currency and as it is quoted, which is for one unit; None for the last quote's. `rests`: it may stay open."""

    symbol: str
    quantity: Decimal
    price: Decimal | None = None
    rests: bool = False


@dataclass(frozen=True, slots=True)
class Account:
    """At one instant: `cash` and `day_profit` in the base currency, None where a price or an exchange rate is missing.

    `open_orders` are what may still fill of them. `may_owe`: cash and units may be less than zero.
    """

    currency: str
    cash: Decimal | None
    instruments: Mapping[str, Instrument]
    as_of: datetime
    open_orders: Sequence[Order] = ()
    day_profit: Decimal | None = ZERO
    seq: int = 0
    may_owe: bool = False

    def instrument(self, symbol: str) -> Instrument:
        """Raises NotMeasurable for one that the account was not asked to price."""
        found = self.instruments.get(symbol)
        if found is None:
            msg = f"{symbol} is not among what the account was priced with"
            raise NotMeasurable(msg)
        return found

    @property
    def held(self) -> list[Instrument]:
        return [each for each in self.instruments.values() if each.quantity]

    @property
    def equity(self) -> Decimal:
        """Net liquidating value. Raises NotMeasurable."""
        if self.cash is None:
            msg = "a price or an exchange rate of the cash is missing"
            raise NotMeasurable(msg)
        return self.cash + sum((each.value for each in self.held), ZERO)

    def notional(self, order: Order) -> Decimal:
        """What the order trades for, in the base currency. Raises NotMeasurable."""
        instrument = self.instrument(order.symbol)
        unit = instrument.unit_value if order.price is None else order.price * instrument.multiplier * instrument.rate
        return abs(order.quantity) * unit

    def after(self, orders: Iterable[Order]) -> "Account":
        """Filled at the last quotes, whatever their limits are, so that the equity stays. Raises NotMeasurable.

        Without a quote of one of them the cash is not known.
        """
        instruments, cash = dict(self.instruments), self.cash
        for order in orders:
            instrument = self.instrument(order.symbol)
            held = instruments[order.symbol].quantity
            instruments[order.symbol] = replace(instrument, quantity=held + order.quantity)
            is_known = instrument.price is not None and instrument.exchange_rate is not None
            cash = cash - order.quantity * instrument.unit_value if cash is not None and is_known else None
        return replace(self, instruments=instruments, cash=cash)

    def closes(self, orders: Iterable[Order]) -> bool:
        """Whether every order takes from a position and none turns it around."""
        left = {symbol: each.quantity for symbol, each in self.instruments.items()}
        for order in orders:
            held = left.get(order.symbol, ZERO)
            if not held or (held > ZERO) == (order.quantity > ZERO) or abs(order.quantity) > abs(held):
                return False
            left[order.symbol] = held + order.quantity
        return True
