"""What a portfolio held, was worth and moved on each day on which there is something to tell."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cached_property

from quantmesh.portfolio.core.currency import round_cash
from quantmesh.portfolio.core.held_days import (
    NO_STEPS,
    Amounts,
    Days,
    HeldInstrument,
    HeldSteps,
    Steps,
    nothing,
    ordinals,
    steps_of,
)
from quantmesh.portfolio.core.market import Closes, RateHistory
from quantmesh.portfolio.core.model import Portfolio
from quantmesh.portfolio.core.numbers import ZERO, exactly
from quantmesh.portfolio.core.performance import Valuation
from quantmesh.portfolio.core.ports import DailyFlow, DailyIncome
from quantmesh.portfolio.core.translation import Translation


@dataclass(frozen=True, slots=True)
class History:
    """What a portfolio held day by day, by symbol, and what flowed, in order of time.

    What was held is known from before the end of `since` on, or from the beginning where that is None.
    """

    portfolio: Portfolio
    instruments: Mapping[str, HeldInstrument]
    flows: Sequence[DailyFlow]
    income: Sequence[DailyIncome]
    since: date | None = None


@dataclass(frozen=True)
class Prices:
    """Closes by symbol, and by currency rates into the base currency."""

    closes: Mapping[str, Closes]
    rates: Mapping[str, RateHistory]

    @cached_property
    def steps(self) -> dict[str, Steps]:
        return {symbol: steps_of(of_symbol) for symbol, of_symbol in self.closes.items()}


@dataclass(frozen=True, slots=True)
class DailyBook:
    """`worth` by symbol and `cash` by currency are at the end of each of `days`, in their own currency.

    A price that nobody knows, before a first close or purchase, makes a worth of zero.
    """

    history: History
    prices: Prices
    days: Sequence[date]
    steps: Mapping[str, HeldSteps]
    worth: Mapping[str, Amounts]
    cash: Mapping[str, Amounts]
    translation: Translation

    def place(self, day: date) -> int:
        return self.translation.places[day]

    def on_days(self, steps: Steps) -> Amounts:
        return steps.on(ordinals(self.days))


def steps_of_history(history: History) -> dict[str, HeldSteps]:
    return {symbol: instrument.held.steps() for symbol, instrument in history.instruments.items()}


@exactly
def book_days(history: History, steps: Mapping[str, HeldSteps], prices: Prices, first: date, last: date) -> list[date]:
    """From `first` to `last`: days on which cash moved, or something held got a close or a rate."""
    rates = {currency: steps_of(history_of).own(first, last) for currency, history_of in prices.rates.items()}
    days = {flow.day.toordinal() for flow in history.flows if first <= flow.day <= last}
    for symbol, of_symbol in steps.items():
        days |= _held_days(of_symbol.quantities, _closed(prices, symbol).own(first, last))
        published = rates.get(history.instruments[symbol].currency)
        if published is not None:
            days |= _held_days(of_symbol.quantities, published)
    for currency, balance in _balances(history.flows).items():
        if currency in rates:
            days |= _held_days(balance, rates[currency])
    return [*map(date.fromordinal, sorted(days))]


@exactly
def daily_book(history: History, steps: Mapping[str, HeldSteps], prices: Prices, days: Sequence[date]) -> DailyBook:
    at = ordinals(days)
    worth = {
        symbol: of_symbol.quantities.on(at) * _marks(of_symbol.paid, _closed(prices, symbol), at)
        for symbol, of_symbol in steps.items()
    }
    cash = {currency: balance.on(at) for currency, balance in _balances(history.flows).items()}
    translation = Translation(history.portfolio.base_currency, prices.rates, days)
    return DailyBook(history, prices, days, steps, worth, cash, translation)


@exactly
def daily_values(book: DailyBook) -> list[Valuation]:
    """In the base currency."""
    base, translation = book.history.portfolio.base_currency, book.translation
    totals = dict(book.cash)
    for symbol, of_symbol in book.worth.items():
        currency = book.history.instruments[symbol].currency
        totals[currency] = totals[currency] + of_symbol if currency in totals else of_symbol
    values = sum((translation.amounts(total, currency) for currency, total in totals.items()), nothing(len(book.days)))
    deposits, withdrawals = nothing(len(book.days)), nothing(len(book.days))
    for flow in flows_of(book):
        index = book.place(flow.day)
        deposits[index] += translation.of(flow.deposits, flow.currency, index)
        withdrawals[index] += translation.of(flow.withdrawals, flow.currency, index)
    return [
        Valuation(day, *(round_cash(amount, base) for amount in of_day))
        for day, *of_day in zip(book.days, values, deposits, withdrawals, strict=True)
    ]


def flows_of(book: DailyBook) -> Iterable[DailyFlow]:
    """Those of the book's days."""
    return (flow for flow in book.history.flows if flow.day in book.translation.places)


def held_between(steps: Mapping[str, HeldSteps], first: date, last: date) -> list[str]:
    """What was held at the end of some day from `first` to `last`: no other close counts.

    A snapshot's own day is among the days of every instrument, also of one that is not held any more.
    """
    begin = ordinals([first])
    held = {symbol: of_symbol.quantities for symbol, of_symbol in steps.items()}
    return [symbol for symbol, each in held.items() if each.on(begin)[0] or each.on(each.own(first, last)).any()]


def unpriced(steps: Mapping[str, HeldSteps], prices: Prices, days: Sequence[date]) -> list[str]:
    """What is held on some of `days` before its first close."""
    at = ordinals(days)
    found = []
    for symbol, of_symbol in steps.items():
        before = at[~_closed(prices, symbol).begun(at)]
        if of_symbol.quantities.on(before).any():
            found.append(symbol)
    return found


@exactly
def _balances(flows: Iterable[DailyFlow]) -> dict[str, Steps]:
    """Per currency the balance at the end of each day on which it changed."""
    balances: dict[str, dict[date, Decimal]] = {}
    running: dict[str, Decimal] = {}
    for flow in flows:
        running[flow.currency] = running.get(flow.currency, ZERO) + flow.cash
        balances.setdefault(flow.currency, {})[flow.day] = running[flow.currency]
    return {currency: steps_of(of_days) for currency, of_days in balances.items()}


def _closed(prices: Prices, symbol: str) -> Steps:
    return prices.steps.get(symbol, NO_STEPS)


def _held_days(held: Steps, priced: Days) -> set[int]:
    """The days on which something got a price while it was held."""
    return set(priced[held.on(priced).astype(bool)].tolist())


def _marks(paid: Steps, closed: Steps, days: Days) -> Amounts:
    """The last close, and before the first of them what was last paid."""
    begun = closed.begun(days)
    marks = closed.on(days)
    if not begun.all():
        marks[~begun] = paid.on(days[~begun])
    return marks
