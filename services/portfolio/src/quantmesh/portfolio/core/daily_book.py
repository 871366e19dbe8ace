"""What a portfolio held, was worth and moved on each day on which there is something to tell."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from quantmesh.portfolio.core.currency import round_cash
from quantmesh.portfolio.core.errors import RateMissing
from quantmesh.portfolio.core.lots import SecurityMovement
from quantmesh.portfolio.core.market import Closes, RateHistory
from quantmesh.portfolio.core.model import Portfolio
from quantmesh.portfolio.core.numbers import ZERO, exactly
from quantmesh.portfolio.core.performance import Valuation, last_known
from quantmesh.portfolio.core.ports import DailyFlow, DailyIncome


@dataclass(frozen=True, slots=True)
class History:
    """Everything that moved in a portfolio, in order of time."""

    portfolio: Portfolio
    movements: Sequence[SecurityMovement]
    flows: Sequence[DailyFlow]
    income: Sequence[DailyIncome]


@dataclass(frozen=True, slots=True)
class Prices:
    """Closes by symbol, and by currency rates into the base currency."""

    closes: Mapping[str, Closes]
    rates: Mapping[str, RateHistory]


@dataclass(frozen=True, slots=True)
class DailyBook:
    """`worth` by symbol and `cash` by currency are at the end of each of `days`, in their own currency.

    A price that nobody knows, before a first close or purchase, makes a worth of zero.
    """

    history: History
    days: Sequence[date]
    currencies: Mapping[str, str]
    worth: Mapping[str, Sequence[Decimal]]
    cash: Mapping[str, Sequence[Decimal]]
    translation: "Translation"

    def place(self, day: date) -> int:
        return self.translation.places[day]


class Translation:
    """Amounts into the base currency, at the last rate of each day."""

    def __init__(self, base: str, rates: Mapping[str, RateHistory], days: Sequence[date]) -> None:
        self._base = base
        self._days = days
        self._factors = {currency: last_known(history, days) for currency, history in rates.items()}
        self.places = {day: index for index, day in enumerate(days)}

    def of(self, amount: Decimal, currency: str, index: int) -> Decimal:
        """Raises RateMissing where there was no rate yet, or is none at all."""
        return amount * self.factor(currency, index) if amount and currency != self._base else amount

    def factor(self, currency: str, index: int) -> Decimal:
        if currency == self._base:
            return Decimal(1)
        factors = self._factors.get(currency)
        factor = None if factors is None else factors[index]
        if factor is None:
            raise RateMissing(currency, self._base, self._days[index])
        return factor


@exactly
def daily_book(history: History, prices: Prices, first: date, last: date) -> DailyBook:
    """From `first` to `last`: days on which cash moved, or something held got a close or a rate."""
    flows = [flow for flow in history.flows if flow.day <= last]
    currencies = {movement.symbol: movement.currency for movement in history.movements}
    quantities, balances = _quantities(history.movements), _cash(flows)
    rates_of_symbols = {symbol: prices.rates.get(currency, {}) for symbol, currency in currencies.items()}
    days = sorted(
        {flow.day for flow in flows}
        | _held_days(quantities, prices.closes, first, last)
        | _held_days(quantities, rates_of_symbols, first, last)
        | _held_days(balances, prices.rates, first, last)
    )
    worth = {}
    for symbol, held in quantities.items():
        marks = last_known(_marks(symbol, history.movements, prices.closes.get(symbol, {})), days)
        worth[symbol] = [
            ZERO if price is None or not quantity else quantity * price
            for quantity, price in zip(last_known(held, days), marks, strict=True)
        ]
    cash = {
        currency: [balance or ZERO for balance in last_known(of_days, days)] for currency, of_days in balances.items()
    }
    translation = Translation(history.portfolio.base_currency, prices.rates, days)
    return DailyBook(history, days, currencies, worth, cash, translation)


@exactly
def daily_values(book: DailyBook) -> list[Valuation]:
    """In the base currency."""
    base, translation = book.history.portfolio.base_currency, book.translation
    values = [ZERO] * len(book.days)
    amounts = [*((currency, each) for currency, each in book.cash.items())]
    amounts += [(book.currencies[symbol], each) for symbol, each in book.worth.items()]
    for currency, of_days in amounts:
        for index, amount in enumerate(of_days):
            values[index] += translation.of(amount, currency, index)
    deposits, withdrawals = [ZERO] * len(book.days), [ZERO] * len(book.days)
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


def _cash(flows: Iterable[DailyFlow]) -> dict[str, dict[date, Decimal]]:
    """Per currency the balance at the end of each day on which it changed."""
    balances: dict[str, dict[date, Decimal]] = {}
    running: dict[str, Decimal] = {}
    for flow in flows:
        running[flow.currency] = running.get(flow.currency, ZERO) + flow.cash
        balances.setdefault(flow.currency, {})[flow.day] = running[flow.currency]
    return balances


def _quantities(movements: Iterable[SecurityMovement]) -> dict[str, dict[date, Decimal]]:
    """Per symbol what is held at the end of each day on which that changed."""
    quantities: dict[str, dict[date, Decimal]] = {}
    running: dict[str, Decimal] = {}
    for movement in movements:
        running[movement.symbol] = running.get(movement.symbol, ZERO) + movement.quantity
        quantities.setdefault(movement.symbol, {})[movement.executed_at.date()] = running[movement.symbol]
    return quantities


def _held_days(
    held: Mapping[str, Mapping[date, Decimal]], prices: Mapping[str, Closes], first: date, last: date
) -> set[date]:
    """The days from `first` to `last` on which something got a price while it was held."""
    days: set[date] = set()
    for name, amounts in held.items():
        priced = sorted(day for day in prices.get(name, {}) if first <= day <= last)
        days.update(day for day, amount in zip(priced, last_known(amounts, priced), strict=True) if amount)
    return days


def _marks(symbol: str, movements: Iterable[SecurityMovement], closes: Closes) -> Closes:
    """The closes, and before the first of them what was paid."""
    first_close = min(closes, default=date.max)
    paid = {
        movement.executed_at.date(): abs(movement.gross / movement.quantity)
        for movement in movements
        if movement.symbol == symbol and movement.gross and movement.executed_at.date() < first_close
    }
    return paid | dict(closes)
