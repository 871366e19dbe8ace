"""Amounts of a row of days in the base currency."""

import math
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from quantmesh.portfolio.core.errors import RateMissing
from quantmesh.portfolio.core.market import RateHistory
from quantmesh.portfolio.core.numbers import ZERO
from quantmesh.portfolio.core.performance import last_known
from quantmesh.portfolio.core.scaled import Scaled, scaled, zeros


class Translation:
    """At the last rate of each day. Raises RateMissing where one is needed that was not there yet, or never was.

    Amounts have the days last.
    """

    def __init__(self, base: str, rates: Mapping[str, RateHistory], days: Sequence[date]) -> None:
        self._base = base
        self._days = days
        # Zero where there was no rate yet.
        self._factors = {
            currency: scaled([rate or ZERO for rate in last_known(of_currency, days)])
            for currency, of_currency in rates.items()
        }

    def of(self, amount: Decimal, currency: str, index: int) -> Decimal:
        """On one day."""
        if not amount or currency == self._base:
            return amount
        needed = np.zeros(len(self._days), dtype=np.bool_)
        needed[index] = True
        return amount * self._needed(currency, needed)[index : index + 1].decimals()[0]

    def amounts(self, amounts: Scaled, currency: str) -> Scaled:
        """On each of the days."""
        if currency == self._base:
            return amounts
        return amounts * self._needed(currency, _any(amounts.units != 0))

    def moved(self, held: Scaled, currency: str) -> Scaled:
        """What the currency did by itself, on each of the days, to what was held on the one before."""
        gains = zeros(*held.units.shape)
        if currency == self._base or not len(self._days):
            return gains
        before = held[..., :-1]
        needed = _any(before.units != 0)
        now = self._needed(currency, np.append(False, needed))[1:]
        then = self._needed(currency, np.append(needed, False))[:-1]
        return gains.added_at((..., slice(1, None)), before * (now - then))

    def _needed(self, currency: str, needed: NDArray[np.bool_]) -> Scaled:
        factors = self._factors.get(currency, zeros(len(self._days)))
        missing = needed & (factors.units == 0)
        if missing.any():
            raise RateMissing(currency, self._base, self._days[int(missing.argmax())])
        return factors


def _any(chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """On which of the days, which are last."""
    *owners, days = chosen.shape
    found: NDArray[np.bool_] = np.logical_or.reduce(chosen.reshape(math.prod(owners), days), axis=0)
    return found
