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

import numpy as np
from numpy.typing import NDArray

from quantmesh.portfolio.core.currency import round_cash
from quantmesh.portfolio.core.daily_book import DailyBook
from quantmesh.portfolio.core.day_steps import places_among
from quantmesh.portfolio.core.held_days import ordinals
from quantmesh.portfolio.core.numbers import ZERO, exactly
from quantmesh.portfolio.core.performance import Performance, Valuation
from quantmesh.portfolio.core.scaled import Scaled, total, zeros


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
    """Of what `rows` name (instruments, and the account under the empty name) on each of the book's days, in the base
    currency.
    """

    rows: NDArray[np.intp]
    income: Scaled
    fees: Scaled
    realized: Scaled
    unrealized: Scaled
    by_currency: Scaled

    def total(self) -> Scaled:
        return self.income - self.fees + self.by_currency + self.realized + self.unrealized


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
    of_currencies = [_gains(book, names, earned_on, currency) for currency in _currencies(book)]
    first = len(book.days) - len(period)

    def summed(parts: Iterable[Scaled]) -> Decimal:
        return round_cash(total(each[:, first:].sum(axis=1) for each in parts), base)

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
    gained = zeros(len(names), len(period))
    for each in of_currencies:
        gained = gained.added_at(each.rows, each.total()[:, first:])
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


def _gains(book: DailyBook, names: Sequence[str], earned_on: NDArray[np.intp], currency: str) -> _Gains:
    """Of what is in the currency; `earned_on` are the places in the book of the days of all income."""
    translation, held, count = book.translation, book.history.held, len(book.days)
    instruments = held.of_currency(currency)
    standing, worth = book.standing[instruments], book.worth[instruments]
    # A lot's cost is what was spent on it, until a sale realises the rest of what that brought.
    realized = held.realized.taken(standing).changes()
    unrealized = (worth - held.costs.taken(standing)).changes()
    income, fees = _earned(book, names, earned_on, currency)
    earners = np.flatnonzero((income.units != 0).any(axis=1) | (fees.units != 0).any(axis=1))
    rows = np.unique(np.concatenate((instruments, earners, [len(names) - 1])))
    places = np.searchsorted(rows, instruments)

    def spread(of_instruments: Scaled) -> Scaled:
        return zeros(len(rows), count).added_at(places, of_instruments)

    by_currency = spread(translation.moved(worth, currency))
    if currency in book.cash:
        by_currency = by_currency.added_at(-1, translation.moved(book.cash[currency], currency))
    return _Gains(
        rows,
        translation.amounts(income[rows], currency),
        translation.amounts(fees[rows], currency),
        spread(translation.amounts(realized, currency)),
        spread(translation.amounts(unrealized, currency)),
        by_currency,
    )


def _earned(book: DailyBook, names: Sequence[str], earned_on: NDArray[np.intp], currency: str) -> tuple[Scaled, Scaled]:
    """Income and fees (names, days) in the currency."""
    told, shape = book.history.income, (len(names), len(book.days))
    places = {name: place for place, name in enumerate(names)}
    rows = np.array([places[each.symbol] if each.currency == currency else -1 for each in told.earners], dtype=np.intp)
    row = rows[told.owners]
    counts = (row >= 0) & (earned_on >= 0)
    at = row[counts], earned_on[counts]
    return told.income[counts].summed_at(at, shape), told.fees[counts].summed_at(at, shape)
