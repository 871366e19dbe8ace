"""What was held of an instrument day by day, as a fold of its movements leaves it at the end of each."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import groupby
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from quantmesh.portfolio.core.numbers import ZERO
from quantmesh.portfolio.core.scaled import Scaled, joined, scaled

# Ordinals of dates.
Days: TypeAlias = NDArray[np.int64]


class HeldDay(NamedTuple):
    """An instrument at the end of a UTC day: what is held, its cost, what was realised so far, and the last price paid.

    `paid` is per unit, and zero where nothing was paid yet.
    """

    day: date
    quantity: Decimal
    cost: Decimal
    realized: Decimal
    paid: Decimal


@dataclass(frozen=True, slots=True)
class HeldDays:
    """The same in columns, of days that ascend."""

    days: Days
    quantities: Scaled
    costs: Scaled
    realized: Scaled
    paid: Scaled

    @property
    def columns(self) -> tuple[Scaled, ...]:
        return self.quantities, self.costs, self.realized, self.paid

    def before(self, day: date) -> "HeldDays":
        end = int(self.days.searchsorted(day.toordinal()))
        return HeldDays(self.days[:end], *(column[:end] for column in self.columns))

    def then(self, later: "HeldDays") -> "HeldDays":
        columns = zip(self.columns, later.columns, strict=True)
        return HeldDays(np.concatenate((self.days, later.days)), *(joined(both) for both in columns))

    def tells_the_same(self, other: "HeldDays") -> bool:
        columns = zip(self.columns, other.columns, strict=True)
        return np.array_equal(self.days, other.days) and not any((mine - its).units.any() for mine, its in columns)

    def as_days(self) -> list[HeldDay]:
        amounts = (column.decimals() for column in self.columns)
        return [
            HeldDay(date.fromordinal(day), *of_day) for day, *of_day in zip(self.days.tolist(), *amounts, strict=True)
        ]


def ordinals(days: Iterable[date]) -> Days:
    return np.array([day.toordinal() for day in days], dtype=np.int64)


def in_columns(days: Sequence[HeldDay]) -> HeldDays:
    return HeldDays(
        ordinals(each.day for each in days),
        scaled([each.quantity for each in days]),
        scaled([each.cost for each in days]),
        scaled([each.realized for each in days]),
        scaled([each.paid for each in days]),
    )


def by_quarter(days: Iterable[HeldDay]) -> dict[date, list[HeldDay]]:
    """By the first day of each quarter, what is of it."""
    return {quarter: [*of_quarter] for quarter, of_quarter in groupby(days, key=lambda each: quarter_of(each.day))}


def quarter_of(day: date) -> date:
    return date(day.year, day.month - (day.month - 1) % 3, 1)


def changes(days: Iterable[HeldDay]) -> list[HeldDay]:
    """The days that differ from the one before them; of equal days the last."""
    last_of_each = {each.day: each for each in days}
    found: list[HeldDay] = []
    for each in last_of_each.values():
        before = found[-1][1:] if found else (ZERO,) * 4
        if each[1:] != before:
            found.append(each)
    return found
