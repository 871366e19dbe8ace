"""Books and what is asked of them, as values."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from quantmesh.risk.core.errors import EmptyBook, MissingHistory, OutOfDomain, require_one_currency
from quantmesh.risk.core.options import Contract, Listed, Option

Floats = NDArray[np.float64]

DEFAULT_OBSERVATIONS = 500
TRADING_DAYS = 252
_OBSERVATIONS = range(2, 10_001)


def checked_observations(count: int) -> int:
    """Daily returns to use; 0 asks for the default."""
    chosen = count or DEFAULT_OBSERVATIONS
    if chosen not in _OBSERVATIONS:
        raise OutOfDomain("observations", count, f"from {_OBSERVATIONS[0]} to {_OBSERVATIONS[-1]}")
    return chosen


@dataclass(frozen=True, slots=True)
class Terms:
    """What an order for an instrument must respect, and what it is priced by."""

    currency: str
    lot_size: Decimal
    is_raw: bool = False
    """Splits and dividends show in its closes as jumps."""
    contract: Contract | None = None
    """Of a listed option."""


@dataclass(frozen=True, slots=True)
class Position:
    """Of the asset `symbol`, or of an option on it; short ones are negative."""

    symbol: str
    quantity: Decimal
    option: Option | None = None


@dataclass(frozen=True, slots=True)
class Book:
    """Positions in one currency; `cash` is what lies beside them, by currency.

    `rates`: what one unit of a currency is in a currency that all of them have in common; without those that nobody
    knows. `stale`: symbols whose prices are old, or unknown.
    """

    positions: tuple[Position, ...]
    currency: str
    cash: Mapping[str, Decimal] = field(default_factory=dict)
    rates: Mapping[str, Decimal] = field(default_factory=dict)
    stale: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls,
        positions: Mapping[str, tuple[Decimal, str]],
        *,
        cash: Mapping[str, Decimal],
        rates: Mapping[str, Decimal] = MappingProxyType({}),
        stale: frozenset[str] = frozenset(),
    ) -> "Book":
        """From quantity and currency per symbol; raises SeveralCurrencies."""
        held = ((Position(symbol, quantity), currency) for symbol, (quantity, currency) in positions.items())
        return cls.in_one_currency(held, cash=cash, rates=rates, stale=stale)

    @classmethod
    def in_one_currency(
        cls,
        positions: Iterable[tuple[Position, str]],
        *,
        cash: Mapping[str, Decimal],
        rates: Mapping[str, Decimal] = MappingProxyType({}),
        stale: frozenset[str] = frozenset(),
    ) -> "Book":
        """Of positions and their currencies; empty ones are left out. Raises SeveralCurrencies."""
        held = [(position, currency) for position, currency in positions if position.quantity]
        currency = require_one_currency(currency for _, currency in held) or next(iter(cash), "USD")
        return cls(tuple(position for position, _ in held), currency, cash, rates, stale)

    @property
    def all_cash(self) -> Decimal | None:
        """In the book's currency; None where an exchange rate is missing."""
        held = {currency: amount for currency, amount in self.cash.items() if amount}
        if held.keys() <= {self.currency}:
            return held.get(self.currency, Decimal(0))
        if not held.keys() | {self.currency} <= self.rates.keys():
            return None
        return sum((amount * self.rates[code] for code, amount in held.items()), Decimal(0)) / self.rates[self.currency]

    @property
    def quantities(self) -> dict[str, Decimal]:
        """Of the assets themselves, by symbol."""
        return {position.symbol: position.quantity for position in self.positions if position.option is None}

    def held(self, symbols: Sequence[str]) -> list[Decimal]:
        """Of the assets themselves, in the order of `symbols`; 0 where there is none."""
        quantities = self.quantities
        return [quantities.get(symbol, Decimal(0)) for symbol in symbols]

    @property
    def symbols(self) -> list[str]:
        """Assets and underlyings, each once."""
        return list(dict.fromkeys(position.symbol for position in self.positions))

    @property
    def has_options(self) -> bool:
        return any(position.option is not None for position in self.positions)

    def with_listed(self, listed: Mapping[str, Listed]) -> "Book":
        """The contracts among its symbols as options on their underlyings; those are as stale as their volatilities."""
        positions = tuple(
            replace(position, symbol=found.underlying, option=found.option)
            if (found := listed.get(position.symbol)) is not None
            else position
            for position in self.positions
        )
        stale = (self.stale - listed.keys()) | {symbol for symbol, found in listed.items() if found.stale}
        return replace(self, positions=positions, stale=stale)

    def require_positions(self) -> "Book":
        if not self.positions:
            raise EmptyBook("the book holds no positions")
        return self


@dataclass(frozen=True, slots=True)
class History:
    """Closes on the `days` that all symbols share (days by symbols); `as_of` is when the last became known.

    `listed`: contracts on these symbols, by their own. `is_stale`: the last close is of long before it was asked for.
    """

    symbols: tuple[str, ...]
    closes: Floats
    as_of: datetime
    days: tuple[date, ...] = ()
    listed: Mapping[str, Listed] = field(default_factory=dict)
    is_stale: bool = False
    returns: Floats = field(init=False)

    def __post_init__(self) -> None:
        if self.closes.shape[0] < 2:
            raise MissingHistory(self.symbols, self.closes.shape[0], 2)
        object.__setattr__(self, "returns", self.closes[1:] / self.closes[:-1] - 1.0)

    def require(self, observations: int) -> "History":
        if self.returns.shape[0] < observations:
            raise MissingHistory(self.symbols, self.closes.shape[0], observations + 1)
        return self

    @property
    def last(self) -> Floats:
        last: Floats = self.closes[-1]
        return last
