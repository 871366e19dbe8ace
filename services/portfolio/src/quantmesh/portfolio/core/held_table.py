"""What was held of many instruments day by day, in columns."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quantmesh.portfolio.core.day_steps import DaySteps, steps_of
from quantmesh.portfolio.core.held_days import HeldDay, ordinals
from quantmesh.portfolio.core.scaled import Scaled, joined, scaled


@dataclass(frozen=True, slots=True)
class HeldTable:
    """Of each step in `steps`, whose owners are `symbols`: the amounts of a HeldDay.

    `costs` and `realized` are empty where nobody asked for them.
    """

    symbols: Sequence[str]
    currencies: Sequence[str]
    steps: DaySteps
    quantities: Scaled
    paid: Scaled
    costs: Scaled
    realized: Scaled

    def of_currency(self, currency: str) -> NDArray[np.intp] | slice:
        """The places of its instruments; a slice where they are all, which spares a copy of what is taken there."""
        chosen = np.array([each == currency for each in self.currencies], dtype=np.bool_)
        return slice(len(chosen)) if chosen.all() else np.flatnonzero(chosen)


def tables_in_turn(tables: Sequence[HeldTable]) -> HeldTable:
    """From the first day of each instrument in a table on, that takes the place of what those before say of it."""
    places: dict[str, int] = {}
    currencies: dict[str, str] = {}
    owners = [np.zeros(0, dtype=np.intp)]
    for table in tables:
        currencies.update(zip(table.symbols, table.currencies, strict=True))
        of_table = [places.setdefault(symbol, len(places)) for symbol in table.symbols]
        owners.append(np.array(of_table, dtype=np.intp).take(table.steps.owners))
    days = np.concatenate([ordinals(()), *(table.steps.days for table in tables)])
    return HeldTable(
        tuple(places),
        [currencies[symbol] for symbol in places],
        DaySteps(len(places), np.concatenate(owners), days),
        joined([table.quantities for table in tables]),
        joined([table.paid for table in tables]),
        joined([table.costs for table in tables]),
        joined([table.realized for table in tables]),
    )


def held_table(instruments: Iterable[tuple[str, str, Sequence[HeldDay]]], *, explained: bool) -> HeldTable:
    """Of symbols, their currencies and days."""
    symbols, currencies, rows = [], [], []
    for symbol, currency, days in instruments:
        symbols.append(symbol)
        currencies.append(currency)
        rows.append(days)
    held = [each for days in rows for each in days]
    return HeldTable(
        symbols,
        currencies,
        steps_of([ordinals(each.day for each in days) for days in rows]),
        scaled([each.quantity for each in held]),
        scaled([each.paid for each in held]),
        scaled([each.cost for each in held if explained]),
        scaled([each.realized for each in held if explained]),
    )
