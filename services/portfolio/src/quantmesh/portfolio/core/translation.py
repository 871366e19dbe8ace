"""Amounts of a row of days in the base currency."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from quantmesh.portfolio.core.errors import RateMissing
from quantmesh.portfolio.core.held_days import Amounts, nothing
from quantmesh.portfolio.core.market import RateHistory
from quantmesh.portfolio.core.numbers import ZERO
from quantmesh.portfolio.core.performance import last_known


class Translation:
    """At the last rate of each day. Raises RateMissing where one is needed that was not there yet, or never was."""

    def __init__(self, base: str, rates: Mapping[str, RateHistory], days: Sequence[date]) -> None:
        self._base = base
        self._days = days
        # Zero where there was no rate yet.
        self._factors = {
            currency: np.array([rate or ZERO for rate in last_known(of_currency, days)], dtype=object)
            for currency, of_currency in rates.items()
        }
        self.places = {day: index for index, day in enumerate(days)}

    def of(self, amount: Decimal, currency: str, index: int) -> Decimal:
        """On one day."""
        if not amount or currency == self._base:
            return amount
        factors = self._factors.get(currency)
        factor: Decimal = ZERO if factors is None else factors[index]
        if not factor:
            raise RateMissing(currency, self._base, self._days[index])
        return amount * factor

    def amounts(self, amounts: Amounts, currency: str) -> Amounts:
        """On each of the days."""
        return amounts if currency == self._base else amounts * self._needed(currency, amounts.astype(bool))

    def moved(self, held: Amounts, currency: str) -> Amounts:
        """What the currency did by itself, on each of the days, to what was held on the one before."""
        gains = nothing(len(held))
        if currency != self._base and len(held):
            before = held[:-1]
            now = self._needed(currency, np.append(False, before.astype(bool)))[1:]
            then = self._needed(currency, np.append(before.astype(bool), False))[:-1]
            gains[1:] = before * (now - then)
        return gains

    def _needed(self, currency: str, needed: NDArray[np.bool_]) -> Amounts:
        factors = self._factors.get(currency, nothing(len(self._days)))
        missing = needed & ~factors.astype(bool)
        if missing.any():
            raise RateMissing(currency, self._base, self._days[int(missing.argmax())])
        return factors
