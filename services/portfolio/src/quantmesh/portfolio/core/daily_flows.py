"""What cash moved day by day, in columns."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quantmesh.portfolio.core.held_days import Days, ordinals
from quantmesh.portfolio.core.scaled import Scaled, joined, scaled


class DailyFlow(NamedTuple):
    """What moved in one currency on one UTC day: all cash, and of it what the owner paid in and took out.

    Of some transactions of that day, to be added up. `entries` counts sides of theirs, a reversal's negative: where the
    sum is zero, nothing stands that moved anything.
    """

    day: date
    currency: str
    cash: Decimal
    deposits: Decimal
    withdrawals: Decimal
    entries: int = 1


@dataclass(frozen=True, slots=True)
class FlowTable:
    """Row by row the amounts of a DailyFlow, in the one of `currencies` that is at place `owners[i]`."""

    currencies: Sequence[str]
    owners: NDArray[np.intp]
    days: Days
    cash: Scaled
    deposits: Scaled
    withdrawals: Scaled
    entries: NDArray[np.int64]

    def moved(self) -> set[str]:
        """The currencies that have rows."""
        return {self.currencies[place] for place in np.unique(self.owners).tolist()}

    def of(self, currency: str) -> "FlowTable":
        return self.chosen(np.array([each == currency for each in self.currencies], dtype=np.bool_)[self.owners])

    def chosen(self, rows: NDArray[np.bool_]) -> "FlowTable":
        amounts = self.cash[rows], self.deposits[rows], self.withdrawals[rows]
        return FlowTable(self.currencies, self.owners[rows], self.days[rows], *amounts, self.entries[rows])

    def items(self) -> list[DailyFlow]:
        amounts = (column.decimals() for column in (self.cash, self.deposits, self.withdrawals))
        rows = zip(self.owners.tolist(), self.days.tolist(), *amounts, self.entries.tolist(), strict=True)
        return [DailyFlow(date.fromordinal(day), self.currencies[owner], *told) for owner, day, *told in rows]


def flow_table(items: Iterable[DailyFlow]) -> FlowTable:
    told = list(items)
    return in_flow_columns(
        [item.currency for item in told],
        ordinals(item.day for item in told),
        scaled([item.cash for item in told]),
        scaled([item.deposits for item in told]),
        scaled([item.withdrawals for item in told]),
        [item.entries for item in told],
    )


def in_flow_columns(
    currencies: Sequence[str], days: Days, cash: Scaled, deposits: Scaled, withdrawals: Scaled, entries: Sequence[int]
) -> FlowTable:
    """With the currency of each row."""
    places = {currency: place for place, currency in enumerate(dict.fromkeys(currencies))}
    owners = np.array([places[currency] for currency in currencies], dtype=np.intp)
    return FlowTable([*places], owners, days, cash, deposits, withdrawals, np.array(entries, dtype=np.int64))


def summed_flows(tables: Sequence[FlowTable]) -> FlowTable:
    """One per day and currency in which something stands, in their order."""
    currencies = sorted({currency for table in tables for currency in table.currencies})
    places = {currency: place for place, currency in enumerate(currencies)}
    nothing = np.zeros(0, dtype=np.int64)
    owners = [np.array([places[each] for each in table.currencies], dtype=np.intp)[table.owners] for table in tables]
    days = np.concatenate((nothing, *(table.days for table in tables)))
    told, row = np.unique(days * len(currencies) + np.concatenate((nothing, *owners)), return_inverse=True)
    entries = np.zeros(len(told), dtype=np.int64)
    np.add.at(entries, row, np.concatenate((nothing, *(table.entries for table in tables))))
    return FlowTable(
        currencies,
        told % max(len(currencies), 1),
        told // max(len(currencies), 1),
        joined([table.cash for table in tables]).summed_at((row,), told.shape),
        joined([table.deposits for table in tables]).summed_at((row,), told.shape),
        joined([table.withdrawals for table in tables]).summed_at((row,), told.shape),
        entries,
    ).chosen(entries != 0)
