"""What instruments earned and cost day by day, in columns."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quantmesh.portfolio.core.held_days import Days, ordinals
from quantmesh.portfolio.core.scaled import Scaled, joined, scaled


class DailyIncome(NamedTuple):
    """What an instrument, or without one the account, earned and cost in one currency on one UTC day; signed.

    Of some transactions of that day, to be added up.
    """

    day: date
    symbol: str
    currency: str
    income: Decimal
    fees: Decimal


class Earner(NamedTuple):
    """An instrument, or where `symbol` is empty the account, in one currency."""

    symbol: str
    currency: str


@dataclass(frozen=True, slots=True)
class IncomeTable:
    """Row by row what the one of `earners` at place `owners[i]` earned and cost on `days[i]`, to be added up."""

    earners: Sequence[Earner]
    owners: NDArray[np.intp]
    days: Days
    income: Scaled
    fees: Scaled

    def items(self) -> list[DailyIncome]:
        rows = zip(self.owners.tolist(), self.days.tolist(), self.income.decimals(), self.fees.decimals(), strict=True)
        return [DailyIncome(date.fromordinal(day), *self.earners[owner], *amounts) for owner, day, *amounts in rows]


def income_table(items: Iterable[DailyIncome]) -> IncomeTable:
    told = list(items)
    places: dict[Earner, int] = {}
    owners = [places.setdefault(Earner(item.symbol, item.currency), len(places)) for item in told]
    return IncomeTable(
        tuple(places),
        np.array(owners, dtype=np.intp),
        ordinals(item.day for item in told),
        scaled([item.income for item in told]),
        scaled([item.fees for item in told]),
    )


def all_income(tables: Sequence[IncomeTable]) -> IncomeTable:
    tables = [each for each in tables if len(each.days)]
    if len(tables) == 1:
        return tables[0]
    places: dict[Earner, int] = {}
    owners = [
        np.array([places.setdefault(earner, len(places)) for earner in each.earners], dtype=np.intp)[each.owners]
        for each in tables
    ]
    return IncomeTable(
        tuple(places),
        np.concatenate([np.zeros(0, dtype=np.intp), *owners]),
        np.concatenate([ordinals(()), *(each.days for each in tables)]),
        joined([each.income for each in tables]),
        joined([each.fees for each in tables]),
    )
