"""What was held of an instrument day by day, as a fold of its movements leaves it at the end of each."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cached_property
from itertools import groupby
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from quantmesh.portfolio.core.numbers import EXACT, ZERO

# Ordinals of dates, ascending.
Days: TypeAlias = NDArray[np.int64]
# Of Decimal.
Amounts: TypeAlias = NDArray[Any]


class HeldDay(NamedTuple):
    """An instrument at the end of a UTC day: what is held, its cost, what was realised so far, and the last price paid.

    `paid` is per unit, and zero where nothing was paid yet.
    """

    day: date
    quantity: Decimal
    cost: Decimal
    realized: Decimal
    paid: Decimal


class Steps:
    """An amount that stays the same from one of `days` until the next, and is zero before the first.

    Of equal days the last counts. Texts become decimals once they are asked for, since most may never be.
    """

    def __init__(self, days: Days, amounts: Sequence[Decimal | str]) -> None:
        self._days = days
        self._told = amounts

    @cached_property
    def _amounts(self) -> Amounts:
        amounts = np.empty(len(self._told) + 1, dtype=object)
        amounts[0] = ZERO
        amounts[1:] = [*map(Decimal, self._told)]
        return amounts

    def on(self, days: Days) -> Amounts:
        """At the end of each of `days`."""
        found: Amounts = self._amounts[np.searchsorted(self._days, days, side="right")]
        return found

    def begun(self, days: Days) -> NDArray[np.bool_]:
        """On which of `days` the first of its own has come."""
        return days >= (self._days[0] if len(self._days) else date.max.toordinal() + 1)


def ordinals(days: Iterable[date]) -> Days:
    return np.array([day.toordinal() for day in days], dtype=np.int64)


def steps_of(amounts: Mapping[date, Decimal]) -> Steps:
    days = sorted(amounts)
    return Steps(ordinals(days), [amounts[day] for day in days])


@dataclass(frozen=True, slots=True)
class HeldDays:
    """Columns of an instrument's days: their ordinals, ascending, of which of equal ones the last counts, and amounts.

    Amounts may be texts, as they are kept.
    """

    days: Sequence[int]
    quantities: Sequence[Decimal | str]
    costs: Sequence[Decimal | str]
    realized: Sequence[Decimal | str]
    paid: Sequence[Decimal | str]

    def steps(self) -> "HeldSteps":
        at = np.array(self.days, dtype=np.int64)
        return HeldSteps(*(Steps(at, amounts) for amounts in self.columns()))

    def before(self, day: date) -> "HeldDays":
        end = bisect_left(self.days, day.toordinal())
        return self.between(0, end)

    def then(self, later: "HeldDays") -> "HeldDays":
        """What a fold says of the days from its first on takes the place of what was known of them."""
        end = bisect_left(self.days, later.days[0])
        columns = zip(self.columns(), later.columns(), strict=True)
        return HeldDays([*self.days[:end], *later.days], *([*mine[:end], *its] for mine, its in columns))

    def between(self, first: int, end: int) -> "HeldDays":
        return HeldDays(self.days[first:end], *(amounts[first:end] for amounts in self.columns()))

    def by_quarter(self) -> dict[date, "HeldDays"]:
        """By the first day of each quarter, what is of it."""
        places = groupby(range(len(self.days)), key=lambda place: quarter_of(date.fromordinal(self.days[place])))
        parts = {quarter: [*of_quarter] for quarter, of_quarter in places}
        return {quarter: self.between(part[0], part[-1] + 1) for quarter, part in parts.items()}

    def as_text(self) -> "HeldDays":
        """With each number as its shortest text, so that those that are equal are alike."""
        return HeldDays(
            self.days, *([str(Decimal(amount).normalize(EXACT)) for amount in amounts] for amounts in self.columns())
        )

    def as_days(self) -> list[HeldDay]:
        amounts = (map(Decimal, column) for column in self.columns())
        return [HeldDay(date.fromordinal(day), *of_day) for day, *of_day in zip(self.days, *amounts, strict=True)]

    def columns(self) -> tuple[Sequence[Decimal | str], ...]:
        return self.quantities, self.costs, self.realized, self.paid


@dataclass(frozen=True, slots=True)
class HeldSteps:
    """The same as steps of each amount."""

    quantities: Steps
    costs: Steps
    realized: Steps
    paid: Steps


class HeldInstrument(NamedTuple):
    currency: str
    held: HeldDays


NOTHING_HELD = HeldDays((), (), (), (), ())


def in_columns(days: Iterable[HeldDay]) -> HeldDays:
    columns = [[*column] for column in zip(*days, strict=True)]
    return HeldDays([day.toordinal() for day in columns[0]], *columns[1:]) if columns else NOTHING_HELD


def quarter_of(day: date) -> date:
    return date(day.year, day.month - (day.month - 1) % 3, 1)


def changes(held: HeldDays) -> list[HeldDay]:
    """The days that differ from the one before them; of equal days the last."""
    last_of_each = {each.day: each for each in held.as_days()}
    found: list[HeldDay] = []
    for each in last_of_each.values():
        before = found[-1][1:] if found else (ZERO,) * 4
        if each[1:] != before:
            found.append(each)
    return found
