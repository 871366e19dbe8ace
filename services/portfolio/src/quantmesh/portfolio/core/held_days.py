"""What was held of an instrument day by day, as a fold of its movements leaves it at the end of each."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cached_property
from itertools import groupby
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from quantmesh.portfolio.core.numbers import ZERO

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


class Column:
    """Amounts in a row. Those that come as text become decimals once they are asked for, since most may never be."""

    def __init__(self, parts: Iterable[tuple[str | Sequence[Decimal], int]] = ()) -> None:
        """Of each part so many from its first on; a text's are parted by commas."""
        self.parts = tuple(parts)

    def until(self, count: int) -> "Column":
        parts = []
        for part, size in self.parts:
            parts.append((part, min(size, count)))
            count -= parts[-1][1]
        return Column(parts)

    def then(self, later: "Column") -> "Column":
        return Column((*self.parts, *later.parts))

    def amounts(self) -> list[Decimal]:
        found: list[Decimal] = []
        for part, size in self.parts:
            found += map(Decimal, part.split(",")[:size]) if isinstance(part, str) else part[:size]
        return found


class Steps:
    """An amount that stays the same from one of `days` until the next, and is zero before the first.

    Of equal days the last counts.
    """

    def __init__(self, days: Days, column: Column) -> None:
        self._days = days
        self._column = column

    @cached_property
    def _amounts(self) -> Amounts:
        told = self._column.amounts()
        amounts = np.empty(len(told) + 1, dtype=object)
        amounts[0] = ZERO
        amounts[1:] = told
        return amounts

    def on(self, days: Days) -> Amounts:
        """At the end of each of `days`."""
        found: Amounts = self._amounts[self._days.searchsorted(days, side="right")]
        return found

    def own(self, first: date, last: date) -> Days:
        """Those of its days that lie between."""
        begin, end = self._days.searchsorted([first.toordinal(), last.toordinal() + 1])
        return self._days[begin:end]

    def begun(self, days: Days) -> NDArray[np.bool_]:
        """On which of `days` the first of its own has come."""
        return days >= (self._days[0] if len(self._days) else date.max.toordinal() + 1)


def nothing(count: int) -> Amounts:
    """Zero on each of so many days."""
    return np.full(count, ZERO, dtype=object)


def ordinals(days: Iterable[date]) -> Days:
    return np.array([day.toordinal() for day in days], dtype=np.int64)


def steps_of(amounts: Mapping[date, Decimal]) -> Steps:
    days = sorted(amounts)
    return Steps(ordinals(days), Column([([amounts[day] for day in days], len(days))]))


NO_STEPS = steps_of({})


@dataclass(frozen=True, slots=True)
class HeldDays:
    """Columns of an instrument's days, of which of equal ones the last counts."""

    days: Days
    quantities: Column
    costs: Column
    realized: Column
    paid: Column

    def steps(self) -> "HeldSteps":
        return HeldSteps(*(Steps(self.days, column) for column in self.columns()))

    def before(self, day: date) -> "HeldDays":
        end = int(self.days.searchsorted(day.toordinal()))
        return HeldDays(self.days[:end], *(column.until(end) for column in self.columns()))

    def then(self, later: "HeldDays") -> "HeldDays":
        """What a fold says of the days from its first on takes the place of what was known of them."""
        end = int(self.days.searchsorted(later.days[0]))
        columns = zip(self.columns(), later.columns(), strict=True)
        days = np.concatenate((self.days[:end], later.days))
        return HeldDays(days, *(mine.until(end).then(its) for mine, its in columns))

    def as_days(self) -> list[HeldDay]:
        amounts = (column.amounts() for column in self.columns())
        return [
            HeldDay(date.fromordinal(day), *of_day) for day, *of_day in zip(self.days.tolist(), *amounts, strict=True)
        ]

    def columns(self) -> tuple[Column, ...]:
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


NOTHING_HELD = HeldDays(ordinals(()), Column(), Column(), Column(), Column())


def in_columns(days: Sequence[HeldDay]) -> HeldDays:
    at, *amounts = zip(*days, strict=True)
    return HeldDays(ordinals(at), *(Column([(column, len(days))]) for column in amounts))


def by_quarter(days: Iterable[HeldDay]) -> dict[date, list[HeldDay]]:
    """By the first day of each quarter, what is of it."""
    return {quarter: [*of_quarter] for quarter, of_quarter in groupby(days, key=lambda each: quarter_of(each.day))}


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
