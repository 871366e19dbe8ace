"""What a portfolio held, was worth and moved on each day on which there is something to tell."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from quantmesh.portfolio.core.currency import round_cash
from quantmesh.portfolio.core.daily_flows import FlowTable
from quantmesh.portfolio.core.daily_income import IncomeTable
from quantmesh.portfolio.core.day_steps import Standing, days_among, places_among, steps_of
from quantmesh.portfolio.core.held_days import Days, ordinals
from quantmesh.portfolio.core.held_table import HeldTable
from quantmesh.portfolio.core.market import Closes, RateHistory, closes_of
from quantmesh.portfolio.core.model import Portfolio
from quantmesh.portfolio.core.numbers import ZERO, exactly
from quantmesh.portfolio.core.performance import Valuation
from quantmesh.portfolio.core.scaled import Scaled, joined, scaled, zeros
from quantmesh.portfolio.core.translation import Translation

_NO_CLOSES = closes_of({})
# The calendar's first day is a Monday.
_WEEKDAYS, _DAYS_PER_WEEK = 5, 7


@dataclass(frozen=True, slots=True)
class History:
    """What a portfolio held day by day, and what flowed, summed and in order of time.

    What was held is known from before the end of `since` on, or from the beginning where that is None. `multipliers`
    are of the options; the last recording was at `recorded_at`.
    """

    portfolio: Portfolio
    recorded_at: datetime
    held: HeldTable
    flows: FlowTable
    income: IncomeTable
    since: date | None = None
    multipliers: Mapping[str, Decimal] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Prices:
    """Closes by symbol, of an option's contract, and by currency rates into the base currency."""

    closes: Mapping[str, Closes]
    rates: Mapping[str, RateHistory]


@dataclass(frozen=True, slots=True)
class MarkedDays:
    """At the end of each of `days`: of each instrument the step on which it stands, what of it is held, and its last
    close until then, which `closed` names by its place among `closes`; and the cash by currency.
    """

    days: Days
    standing: Standing
    quantities: Scaled
    closed: Standing
    closes: Scaled
    close_days: Days
    cash: Mapping[str, Scaled]

    @property
    def held(self) -> NDArray[np.bool_]:
        found: NDArray[np.bool_] = self.quantities.units != 0
        return found

    def chosen(self, key: "slice | NDArray[np.bool_]") -> "MarkedDays":
        return replace(
            self,
            days=self.days[key],
            standing=self.standing[:, key],
            quantities=self.quantities[:, key],
            closed=self.closed[:, key],
            cash={currency: balance[key] for currency, balance in self.cash.items()},
        )

    def closed_on(self, places: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Of the days at `places`: whether something that is held has a close of that very day."""
        has_close = np.append(self.close_days, 0)[self.closed[:, places]] == self.days[places]
        found: NDArray[np.bool_] = (has_close & (self.quantities.units[:, places] != 0)).any(axis=0)
        return found


@dataclass(frozen=True, slots=True)
class DailyBook:
    """`worth` (instruments, days) and `cash` by currency are at the end of each of `days`, in their own currency.

    Instruments are those of the history. A price that nobody knows, before a first close or purchase, makes a worth of
    zero.
    """

    history: History
    days: Sequence[date]
    standing: Standing
    worth: Scaled
    cash: Mapping[str, Scaled]
    translation: Translation


def held_between(held: HeldTable, first: date, last: date) -> list[str]:
    """What was held at the end of some day from `first` to `last`, with what was until something came late.

    No other close counts. A snapshot's own day is among the days of every instrument, also of one that is not held.
    """
    begin, end = first.toordinal(), last.toordinal()
    steps = held.steps
    found = (held.quantities.taken(steps.at(np.array([begin]))).units != 0).any(axis=1)
    for some in steps.stretches():
        if found.all():
            break
        moved = (steps.days[some] > begin) & (steps.days[some] <= end)
        found[steps.owners[some][moved & (held.quantities.units[some] != 0)]] = True
    return [symbol for symbol, is_held in zip(held.symbols, found.tolist(), strict=True) if is_held]


@exactly
def contract_closes(history: History, closes: Mapping[str, Closes]) -> Mapping[str, Closes]:
    """The market's closes of options are per unit of the underlying, of which a contract is about a multiple."""
    contracts = {
        symbol: replace(closes[symbol], prices=closes[symbol].prices * scaled([multiplier]))
        for symbol, multiplier in history.multipliers.items()
        if symbol in closes
    }
    return {**closes, **contracts}


def marked_on(history: History, prices: Prices, days: Days) -> MarkedDays:
    held = history.held
    rows = [prices.closes.get(symbol, _NO_CLOSES) for symbol in held.symbols]
    closing = steps_of([row.days for row in rows])
    standing = held.steps.at(days)
    return MarkedDays(
        days,
        standing,
        held.quantities.taken(standing),
        closing.at(days),
        joined([row.prices for row in rows]),
        closing.days,
        balances_on(history.flows, days),
    )


@exactly
def book_days(history: History, prices: Prices, first: date, last: date) -> MarkedDays:
    """From `first` to `last`: days on which cash moved, something held got a close or a rate, or was held no more."""
    rates = {currency: ordinals(of_currency) for currency, of_currency in prices.rates.items()}
    flowed = history.flows.days
    # Most of it was sold, and brought cash; options expire.
    gone = history.held.steps.days[history.held.quantities.units == 0]
    closed = (each.days for each in prices.closes.values())
    marked = marked_on(history, prices, days_among([flowed, gone, *closed, *rates.values()], first, last))
    told, held = np.isin(marked.days, flowed), marked.held
    still = np.flatnonzero(~told)
    told[still] = marked.closed_on(still)
    still = still[(still > 0) & ~told[still]]
    told[still] = (held[:, still - 1] & ~held[:, still]).any(axis=0)
    for currency, published in rates.items():
        needed = held[history.held.of_currency(currency)].any(axis=0)
        if currency in marked.cash:
            needed |= marked.cash[currency].units != 0
        told |= needed & np.isin(marked.days, published)
    return marked if told.all() else marked.chosen(told)


def idle_days(history: History, marked: MarkedDays, first: date, last: date) -> Days:
    """Weekdays from `first` to `last` that are none of the marked ones, and on which there was cash alone that no rate
    moves.
    """
    is_cash: NDArray[np.bool_] = ~np.logical_or.reduce(marked.held, axis=0)
    for currency, balance in marked.cash.items():
        is_cash &= (balance.units != 0) == (currency == history.portfolio.base_currency)
    if history.portfolio.base_currency not in marked.cash or not is_cash.any():
        return ordinals(())
    days = np.arange(first.toordinal(), last.toordinal() + 1)
    days = days[((days - 1) % _DAYS_PER_WEEK < _WEEKDAYS) & (places_among(marked.days, days) < 0)]
    standing = np.searchsorted(marked.days, days, side="right") - 1
    found: Days = days[(standing >= 0) & is_cash[standing]]
    return found


def unpriced(history: History, marked: MarkedDays) -> list[str]:
    """What is held on some of the days before its first close."""
    found: NDArray[np.bool_] = np.logical_or.reduce(marked.held & (marked.closed < 0), axis=1)
    return [symbol for symbol, is_unpriced in zip(history.held.symbols, found.tolist(), strict=True) if is_unpriced]


@exactly
def daily_book(history: History, prices: Prices, marked: MarkedDays) -> DailyBook:
    days = [*map(date.fromordinal, marked.days.tolist())]
    # The last close, and before the first of them what was last paid.
    marks = marked.closes.taken(marked.closed)
    if (marked.closed < 0).any():
        marks = marks.where(marked.closed >= 0, history.held.paid.taken(marked.standing))
    translation = Translation(history.portfolio.base_currency, prices.rates, days)
    return DailyBook(history, days, marked.standing, marked.quantities * marks, marked.cash, translation)


@exactly
def daily_values(book: DailyBook) -> list[Valuation]:
    """In the base currency."""
    base, translation, count = book.history.portfolio.base_currency, book.translation, len(book.days)
    values = zeros(count)
    for currency in sorted({*book.cash, *book.history.held.currencies}):
        total = book.cash.get(currency, zeros(count)) + book.worth[book.history.held.of_currency(currency)].sum(axis=0)
        values += translation.amounts(total, currency)
    deposits, withdrawals = [ZERO] * count, [ZERO] * count
    flows = book.history.flows
    has_place = places_among(ordinals(book.days), flows.days) >= 0
    of_owner = (flows.deposits.units != 0) | (flows.withdrawals.units != 0)
    places = {day: place for place, day in enumerate(book.days)}
    for flow in flows.chosen(has_place & of_owner).items():
        place = places[flow.day]
        deposits[place] += translation.of(flow.deposits, flow.currency, place)
        withdrawals[place] += translation.of(flow.withdrawals, flow.currency, place)
    return [
        Valuation(day, *(round_cash(amount, base) for amount in of_day))
        for day, *of_day in zip(book.days, values.decimals(), deposits, withdrawals, strict=True)
    ]


def balances_on(flows: FlowTable, days: Days) -> dict[str, Scaled]:
    """Per currency the balance at the end of each of `days`."""
    found = {}
    for currency in sorted(flows.moved()):
        of_currency = flows.of(currency)
        last = np.searchsorted(of_currency.days, days, side="right") - 1
        found[currency] = of_currency.cash.accumulated().taken(last)
    return found
