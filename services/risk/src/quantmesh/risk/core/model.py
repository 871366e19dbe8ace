"""Books and what is asked of them, as values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from quantmesh.risk.core.errors import EmptyBook, MissingHistory, OutOfDomain, SeveralCurrencies

Floats = NDArray[np.float64]

DEFAULT_OBSERVATIONS = 500
TRADING_DAYS = 252
STALE_AFTER = timedelta(days=5)
_OBSERVATIONS = range(2, 10_001)


def checked_observations(count: int) -> int:
    """Daily returns to use; 0 asks for the default."""
    chosen = count or DEFAULT_OBSERVATIONS
    if chosen not in _OBSERVATIONS:
        raise OutOfDomain("observations", count, f"from {_OBSERVATIONS[0]} to {_OBSERVATIONS[-1]}")
    return chosen


@dataclass(frozen=True, slots=True)
class Terms:
    """What an order for an instrument must respect."""

    currency: str
    lot_size: Decimal
    is_raw: bool = False
    """Splits and dividends show in its closes as jumps."""


@dataclass(frozen=True, slots=True)
class Book:
    """Quantities by symbol, short ones negative, in one currency; `cash` is what lies beside them."""

    quantities: Mapping[str, Decimal]
    currency: str
    cash: Decimal = Decimal(0)
    stale: bool = False

    @classmethod
    def of(
        cls, positions: Mapping[str, tuple[Decimal, str]], *, cash: Mapping[str, Decimal], stale: bool = False
    ) -> "Book":
        """From quantity and currency per symbol; raises SeveralCurrencies."""
        held = {symbol: quantity for symbol, (quantity, _) in positions.items() if quantity}
        currencies = sorted({currency for quantity, currency in positions.values() if quantity})
        if len(currencies) > 1:
            raise SeveralCurrencies(currencies)
        currency = currencies[0] if currencies else next(iter(cash), "USD")
        return cls(held, currency, cash.get(currency, Decimal(0)), stale)

    def require_positions(self) -> "Book":
        if not self.quantities:
            raise EmptyBook("the book holds no positions")
        return self


@dataclass(frozen=True, slots=True)
class History:
    """Closes on the days that all symbols share (days by symbols); `as_of` is when the last became known."""

    symbols: tuple[str, ...]
    closes: Floats
    as_of: datetime
    returns: Floats = field(init=False)

    def __post_init__(self) -> None:
        if self.closes.shape[0] < 2:
            raise MissingHistory(self.symbols, self.closes.shape[0], 2)
        object.__setattr__(self, "returns", self.closes[1:] / self.closes[:-1] - 1.0)

    def require(self, observations: int) -> "History":
        if self.returns.shape[0] < observations:
            raise MissingHistory(self.symbols, self.closes.shape[0], observations + 1)
        return self

    def is_stale(self, now: datetime) -> bool:
        """Whether the last close that all symbols share lies further back than a long weekend."""
        return now - self.as_of > STALE_AFTER

    @property
    def last(self) -> Floats:
        last: Floats = self.closes[-1]
        return last
