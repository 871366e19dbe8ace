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

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from quantmesh.portfolio.core.currency import round_cash
from quantmesh.portfolio.core.daily_book import DailyBook
from quantmesh.portfolio.core.held_days import Amounts, nothing
from quantmesh.portfolio.core.numbers import ZERO, exactly
from quantmesh.portfolio.core.performance import Performance, Valuation


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


@dataclass(slots=True)
class _Gains:
    """Of one instrument on each of the book's days, in the base currency."""

    income: Amounts
    fees: Amounts
    realized: Amounts
    unrealized: Amounts
    by_currency: Amounts

    def total(self) -> Amounts:
        return self.income - self.fees + self.by_currency + self.realized + self.unrealized


@exactly
def explain(
    book: DailyBook, period: Sequence[Valuation], opening: Decimal, performance: Performance
) -> tuple[Reconciliation | None, list[Contribution]]:
    """Of the days of `period`, which follow those before it in the book; None where there is none."""
    if not period:
        return None, []
    base = book.history.portfolio.base_currency
    gains = _gains(book)
    places = [book.place(valuation.day) for valuation in period]

    def summed(series: Iterable[Amounts]) -> Decimal:
        return round_cash(sum((days[places].sum() for days in series), ZERO), base)

    reconciliation = _reconciled(
        Reconciliation(
            start_value=opening,
            deposits=sum((valuation.deposits for valuation in period), ZERO),
            withdrawals=sum((valuation.withdrawals for valuation in period), ZERO),
            income=summed(each.income for each in gains.values()),
            fees=summed(each.fees for each in gains.values()),
            realized_gains=summed(each.realized for each in gains.values()),
            unrealized_gains=summed(each.unrealized for each in gains.values()),
            currency_gains=summed(each.by_currency for each in gains.values()),
            end_value=period[-1].value,
        )
    )
    return reconciliation, _contributions(book, gains, period, opening, performance)


def _reconciled(told: Reconciliation) -> Reconciliation:
    flowed = told.start_value + told.deposits - told.withdrawals
    earned = told.income - told.fees + told.realized_gains + told.unrealized_gains + told.currency_gains
    rounding = told.end_value - flowed - earned
    return Reconciliation(
        told.start_value,
        told.deposits,
        told.withdrawals,
        told.income,
        told.fees,
        told.realized_gains,
        told.unrealized_gains + rounding,
        told.currency_gains,
        told.end_value,
    )


def _contributions(
    book: DailyBook,
    gains: Mapping[str, _Gains],
    period: Sequence[Valuation],
    opening: Decimal,
    performance: Performance,
) -> list[Contribution]:
    base = book.history.portfolio.base_currency
    places = [book.place(valuation.day) for valuation in period]
    shares = _shares(period, opening, performance)
    of_days = {symbol: each.total()[places] for symbol, each in gains.items()}
    gained = {symbol: days.sum() for symbol, days in of_days.items()}
    told = [
        Contribution(symbol, round_cash(gained[symbol], base), float(shares @ of_days[symbol].astype(np.float64)))
        for symbol in sorted(gained)
        if symbol and gained[symbol]
    ]
    flowed = sum((valuation.deposits - valuation.withdrawals for valuation in period), ZERO)
    total = period[-1].value - opening - flowed
    rest = Contribution(
        "",
        total - sum((each.gain for each in told), ZERO),
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


def _gains(book: DailyBook) -> dict[str, _Gains]:
    """By symbol; of cash under the empty one."""
    count, translation = len(book.days), book.translation
    gains: dict[str, _Gains] = defaultdict(lambda: _Gains(*(nothing(count) for _ in range(5))))
    for item in book.history.income:
        if item.day in translation.places:
            index = book.place(item.day)
            gains[item.symbol].income[index] += translation.of(item.income, item.currency, index)
            gains[item.symbol].fees[index] += translation.of(item.fees, item.currency, index)
    for currency, balances in book.cash.items():
        gains[""].by_currency += translation.moved(balances, currency)
    for symbol, worth in book.worth.items():
        currency, each = book.history.instruments[symbol].currency, gains[symbol]
        each.by_currency = translation.moved(worth, currency)
        realized = book.on_days(book.steps[symbol].realized)
        # A lot's cost is what was spent on it, until a sale realises the rest of what that brought.
        unrealized = worth - book.on_days(book.steps[symbol].costs)
        each.realized = translation.amounts(_daily(realized), currency)
        each.unrealized = translation.amounts(_daily(unrealized), currency)
    return gains


def _daily(amounts: Amounts) -> Amounts:
    """What came to them on each day."""
    came = amounts.copy()
    came[1:] -= amounts[:-1]
    return came
