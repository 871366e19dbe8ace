"""Where a period's change in value came from: as a table that sums, and by holding.

On a day an instrument whose currency has rate f gained `(worth - worth before - bought + sold + income - fees) f`,
and `worth before (f - f before)` by the currency alone; cash gains interest, less fees, and by its currency likewise.
What an instrument gained splits by the account's lot method: what its sales realised, and what its lots gained
unrealised.
So start + deposits - withdrawals + income - fees + realised + unrealised + currency = end, day by day and in sum.

A day's contribution is its gain over what was invested that day (the value before it and its deposits), which add up
to the day's return; over days they are linked by the growth up to each day, as Frongello (2002, "Linking single period
attribution results") links against a benchmark of nothing: they add up to the time-weighted return.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import reduce
from operator import add

import numpy as np
from numpy.typing import NDArray

from quantmesh.portfolio.core.currency import round_cash
from quantmesh.portfolio.core.daily_book import DailyBook
from quantmesh.portfolio.core.day_steps import places_among
from quantmesh.portfolio.core.held_days import ordinals
from quantmesh.portfolio.core.numbers import ZERO, exactly
from quantmesh.portfolio.core.performance import Performance, Valuation
from quantmesh.portfolio.core.scaled import Scaled, total


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """In the base currency, rounded so that it sums: what rounding leaves is in `unrealized_gains`."""

    start_value: Decimal
    deposits: Decimal
    withdrawals: Decimal
    income: Decimal
    fees: Decimal
    realized_gains: Decimal
    unrealized_gains: Decimal
    currency_gains: Decimal
    end_value: Decimal


@dataclass(frozen=True, slots=True)
class Contribution:
    """Of an instrument; of cash, account fees and rounding where `symbol` is empty. `gain` is in the base currency."""

    symbol: str
    gain: Decimal
    contribution: float


@dataclass(frozen=True, slots=True)
class _Gains:
    """In the base currency on each of the book's days: of all together, and in `by_name` (names, days) all of each."""

    income: Scaled
    fees: Scaled
    realized: Scaled
    unrealized: Scaled
    by_currency: Scaled
    by_name: Scaled


@exactly
def explain(
    book: DailyBook, period: Sequence[Valuation], opening: Decimal, performance: Performance
) -> tuple[Reconciliation | None, list[Contribution]]:
    """Of the days of `period`, which follow those before it in the book; None where there is none."""
    if not period:
        return None, []
    base = book.history.portfolio.base_currency
    names = _names(book)
    earned_on = places_among(ordinals(book.days), book.history.income.days)
    # What was earned on other days goes to a day after the last.
    earned_on[earned_on < 0] = len(book.days)
    # What sales realised less what is left has cost: together with what that is worth, all that was gained.
    settled = book.history.held.realized - book.history.held.costs
    of_currencies = [_gains(book, names, settled, earned_on, currency) for currency in _currencies(book)]
    first = len(book.days) - len(period)

    def summed(parts: Iterable[Scaled]) -> Decimal:
        return round_cash(total(each[first:] for each in parts), base)

    reconciliation = _reconciled(
        Reconciliation(
            start_value=opening,
            deposits=sum((valuation.deposits for valuation in period), ZERO),
            withdrawals=sum((valuation.withdrawals for valuation in period), ZERO),
            income=summed(each.income for each in of_currencies),
            fees=summed(each.fees for each in of_currencies),
            realized_gains=summed(each.realized for each in of_currencies),
            unrealized_gains=summed(each.unrealized for each in of_currencies),
            currency_gains=summed(each.by_currency for each in of_currencies),
            end_value=period[-1].value,
        )
    )
    gained = reduce(add, (each.by_name[:, first:] for each in of_currencies))
    return reconciliation, _contributions(book, names, gained, period, opening, performance)


def _reconciled(told: Reconciliation) -> Reconciliation:
    flowed = told.start_value + told.deposits - told.withdrawals
    earned = told.income - told.fees + told.realized_gains + told.unrealized_gains + told.currency_gains
    rounding = told.end_value - flowed - earned
    return replace(told, unrealized_gains=told.unrealized_gains + rounding)


def _contributions(
    book: DailyBook,
    names: Sequence[str],
    gains: Scaled,
    period: Sequence[Valuation],
    opening: Decimal,
    performance: Performance,
) -> list[Contribution]:
    """`gains` (names, days of the period), in the base currency."""
    base = book.history.portfolio.base_currency
    shares = _shares(period, opening, performance)
    gained = gains.sum(axis=1).decimals()
    # Row by row, so that no instrument's figure depends on which others there are.
    contributed = (gains.floats() * shares).sum(axis=1).tolist()
    told = [
        Contribution(symbol, round_cash(amount, base), contribution)
        for symbol, amount, contribution in sorted(zip(names, gained, contributed, strict=True))
        if symbol and amount
    ]
    flowed = sum((valuation.deposits - valuation.withdrawals for valuation in period), ZERO)
    gain = period[-1].value - opening - flowed
    rest = Contribution(
        "",
        gain - sum((each.gain for each in told), ZERO),
        performance.time_weighted_return - sum(each.contribution for each in told),
    )
    return [*told, rest]


def _shares(period: Sequence[Valuation], opening: Decimal, performance: Performance) -> NDArray[np.float64]:
    """What a gain of one on each day contributes to the return: the growth until then over what was invested."""
    shares = []
    growth, previous = 1.0, opening
    for valuation, point in zip(period, performance.series, strict=True):
        invested = previous + valuation.deposits
        shares.append(growth / float(invested) if invested > ZERO else 0.0)
        growth, previous = 1.0 + point.time_weighted_return, valuation.value
    return np.array(shares)


def _names(book: DailyBook) -> list[str]:
    """The instruments, those that only earned last, and nothing for the account."""
    held = book.history.held.symbols
    return [*held, *sorted({each.symbol for each in book.history.income.earners} - {*held, ""}), ""]


def _currencies(book: DailyBook) -> list[str]:
    earned = {each.currency for each in book.history.income.earners}
    return sorted({*book.cash, *book.history.held.currencies, *earned})


def _gains(
    book: DailyBook, names: Sequence[str], settled: Scaled, earned_on: NDArray[np.intp], currency: str
) -> _Gains:
    """Of what is in the currency; `earned_on` are the places in the book of the days of all income."""
    translation, held = book.translation, book.history.held
    instruments = held.of_currency(currency)
    standing, worth = book.standing[instruments], book.worth[instruments]
    gained = worth + settled.taken(standing)
    # A lot's cost is what was spent on it, until a sale realises the rest of what that brought.
    realized = held.realized.taken(standing).sum()
    by_currency = translation.moved(worth.sum(), currency)
    income, fees = _earned(book, names, earned_on, currency)
    by_name = translation.amounts((income - fees).added_at(instruments, gained.changes()), currency)
    if currency != book.history.portfolio.base_currency:
        by_name = by_name.added_at(instruments, translation.moved(worth, currency))
    if currency in book.cash:
        of_cash = translation.moved(book.cash[currency], currency)
        by_name, by_currency = by_name.added_at(-1, of_cash), by_currency + of_cash
    return _Gains(
        translation.amounts(income.sum(), currency),
        translation.amounts(fees.sum(), currency),
        translation.amounts(realized.changes(), currency),
        translation.amounts((gained.sum() - realized).changes(), currency),
        by_currency,
        by_name,
    )


def _earned(book: DailyBook, names: Sequence[str], earned_on: NDArray[np.intp], currency: str) -> tuple[Scaled, Scaled]:
    """What was earned in the currency, and fees: each (names, days)."""
    told = book.history.income
    places = {name: place for place, name in enumerate(names)}
    # What is in other currencies goes to a name after the last.
    rows = np.array(
        [places[each.symbol] if each.currency == currency else len(names) for each in told.earners], np.intp
    )
    at, shape = (rows.take(told.owners), earned_on), (len(names) + 1, len(book.days) + 1)
    income, fees = (amounts.summed_at(at, shape)[:-1, :-1] for amounts in (told.income, told.fees))
    return income, fees
