"""Daily values of a portfolio from its ledger and the market's closes, and the performance that they make."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from quantmesh.portfolio.core.currency import round_cash
from quantmesh.portfolio.core.errors import InvalidRequest, RateMissing
from quantmesh.portfolio.core.lots import SecurityMovement
from quantmesh.portfolio.core.market import Closes, ExchangeRate, RateHistory
from quantmesh.portfolio.core.model import Portfolio
from quantmesh.portfolio.core.numbers import ZERO, exactly
from quantmesh.portfolio.core.performance import Performance, Valuation, last_known, measure
from quantmesh.portfolio.core.ports import DailyFlow, Ledger, Market, View

# A reference rate is taken for what it says for five days (weekends and holidays), then it is flagged.
STALE_AFTER = timedelta(5)


@dataclass(frozen=True, slots=True)
class History:
    """Everything that moved in a portfolio, in order of time."""

    portfolio: Portfolio
    movements: Sequence[SecurityMovement]
    flows: Sequence[DailyFlow]


async def read_history(ledger: Ledger, portfolio_id: UUID, view: View) -> History:
    portfolio = await ledger.portfolio(portfolio_id)
    view = replace(view, seq=portfolio.seq)
    return History(portfolio, await ledger.movements(portfolio_id, view), await ledger.daily_flows(portfolio_id, view))


async def measure_history(
    market: Market,
    history: History,
    start: date | None,
    end: date | None,
    as_of: datetime,
    known_at: datetime | None,
) -> tuple[Performance, Mapping[str, ExchangeRate]]:
    """Between two days, both included; from the first transaction to `as_of` where they are not given.

    A day is a UTC date. It has a value when a held instrument closed on it, a rate of a held currency was published, or
    cash moved; what has no close or rate on that day is worth its last one, and an instrument before its first close
    what was last paid for it. With the exchange rates of the last day, by currency.
    Raises RateMissing where there was no rate yet, or is none at all.
    """
    if start is not None and end is not None and start > end:
        raise InvalidRequest("start", f"{start} is after the end, {end}")
    base = history.portfolio.base_currency
    first = min((flow.day for flow in history.flows), default=as_of.date())
    last = min(end or as_of.date(), as_of.date())
    symbols = {movement.symbol for movement in history.movements}
    foreign = {flow.currency for flow in history.flows} - {base}
    closes: Mapping[str, Closes] = {}
    rates: Mapping[str, RateHistory] = {}
    if first <= last:
        if symbols:
            closes = await market.closes(symbols, first, last, as_of, known_at)
        if foreign:
            rates = await market.exchange_rate_history(foreign, base, first, last, as_of)
    values = daily_values(history, closes, rates, first, last)
    before = [valuation.value for valuation in values if start is not None and valuation.day < start]
    period = [valuation for valuation in values if start is None or valuation.day >= start]
    return measure(period, before[-1] if before else ZERO), _rates_on(last, rates)


@exactly
def daily_values(
    history: History, closes: Mapping[str, Closes], rates: Mapping[str, RateHistory], first: date, last: date
) -> list[Valuation]:
    """One valuation per day on which there is something to tell, from `first` to `last`."""
    base = history.portfolio.base_currency
    flows = [flow for flow in history.flows if flow.day <= last]
    currencies = {movement.symbol: movement.currency for movement in history.movements}
    quantities, cash = _quantities(history.movements), _cash(flows)
    rates_of_symbols = {symbol: rates.get(currency, {}) for symbol, currency in currencies.items()}
    days = sorted(
        {flow.day for flow in flows}
        | _held_days(quantities, closes, first, last)
        | _held_days(quantities, rates_of_symbols, first, last)
        | _held_days(cash, rates, first, last)
    )
    translation = _Translation(base, rates, days)
    values = [ZERO] * len(days)
    for currency, balances in cash.items():
        for index, balance in enumerate(last_known(balances, days)):
            if balance:
                values[index] += translation.of(balance, currency, index)
    for symbol, held in quantities.items():
        marks = last_known(_marks(symbol, history.movements, closes.get(symbol, {})), days)
        for index, (quantity, price) in enumerate(zip(last_known(held, days), marks, strict=True)):
            if quantity and price is not None:
                values[index] += translation.of(quantity * price, currencies[symbol], index)
    deposits, withdrawals = [ZERO] * len(days), [ZERO] * len(days)
    place = {day: index for index, day in enumerate(days)}
    for flow in flows:
        index = place[flow.day]
        deposits[index] += translation.of(flow.deposits, flow.currency, index)
        withdrawals[index] += translation.of(flow.withdrawals, flow.currency, index)
    return [
        Valuation(day, *(round_cash(amount, base) for amount in amounts))
        for day, *amounts in zip(days, values, deposits, withdrawals, strict=True)
    ]


class _Translation:
    """Amounts into the base currency, at the last rate of each day."""

    def __init__(self, base: str, rates: Mapping[str, RateHistory], days: Sequence[date]) -> None:
        self._base = base
        self._days = days
        self._factors = {currency: last_known(history, days) for currency, history in rates.items()}

    def of(self, amount: Decimal, currency: str, index: int) -> Decimal:
        if currency == self._base or not amount:
            return amount
        factors = self._factors.get(currency)
        factor = None if factors is None else factors[index]
        if factor is None:
            raise RateMissing(currency, self._base, self._days[index])
        return amount * factor


def _rates_on(day: date, rates: Mapping[str, RateHistory]) -> dict[str, ExchangeRate]:
    newest = {currency: max(history) for currency, history in rates.items()}
    return {
        currency: ExchangeRate(rates[currency][published], published, day - published > STALE_AFTER)
        for currency, published in newest.items()
    }


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
        movement.executed_at.date(): movement.gross / abs(movement.quantity)
        for movement in movements
        if movement.symbol == symbol and movement.gross and movement.executed_at.date() < first_close
    }
    return paid | dict(closes)
