"""The performance of a portfolio from its ledger and the market's closes and rates."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal

import numpy as np

from quantmesh.portfolio.core.daily_book import (
    History,
    MarkedDays,
    Prices,
    book_days,
    contract_closes,
    daily_book,
    daily_values,
    held_between,
    idle_days,
    marked_on,
    unpriced,
)
from quantmesh.portfolio.core.errors import InvalidRequest, UnknownSymbol
from quantmesh.portfolio.core.explanation import Contribution, Reconciliation, explain
from quantmesh.portfolio.core.market import Closes, ExchangeRate, RateHistory, closes_of
from quantmesh.portfolio.core.numbers import ZERO
from quantmesh.portfolio.core.performance import Performance, Period, Valuation, measure
from quantmesh.portfolio.core.ports import Market
from quantmesh.portfolio.core.read_history import Span
from quantmesh.portfolio.core.returns import (
    CashFlow,
    Comparison,
    MoneyWeighted,
    Ratios,
    cash_flows,
    compare,
    money_weighted,
    ratios,
    simple_return,
)
from quantmesh.portfolio.core.scaled import joined

# A reference rate is taken for what it says for five days (weekends and holidays), then it is flagged.
STALE_AFTER = timedelta(5)
# The last day before a first one that has a close, or a value at all, is rarely further back.
_BEFORE = timedelta(10)


@dataclass(frozen=True, slots=True)
class PerformanceQuestion:
    """Between two days, both included; from the first transaction to `as_of` where they are not given.

    The period begins no earlier than there is something in the portfolio, and ends where nothing is left in it.

    `risk_free_rate` is per year.
    """

    as_of: datetime
    known_at: datetime | None = None
    start: date | None = None
    end: date | None = None
    benchmark: str = ""
    risk_free_rate: float = 0.0
    explained: bool = False

    @property
    def last(self) -> date:
        today = self.as_of.date()
        return min(self.end or today, today)


@dataclass(frozen=True, slots=True)
class Explanation:
    """None and nothing where there is no day."""

    reconciliation: Reconciliation | None
    contributions: list[Contribution]
    flows: list[CashFlow]


@dataclass(frozen=True, slots=True)
class MeasuredHistory:
    """With the exchange rates of the last day, by currency."""

    performance: Performance
    simple_return: float
    money_weighted: MoneyWeighted
    ratios: Ratios
    comparison: Comparison | None
    explanation: Explanation | None
    rates: Mapping[str, ExchangeRate]


async def get_performance(
    read: Callable[[Span], Awaitable[History]], market: Market, asked: PerformanceQuestion
) -> tuple[History, MeasuredHistory]:
    """A day is a UTC date.

    It has a value when a held instrument closed on it or was held no more, a rate of a held currency was published, or
    cash moved; what has no close or rate on that day is worth its last one, and an instrument before its first close
    what was last paid for it. A period without any such day has the value of its last day. Raises RateMissing where
    there was no rate yet, or is none at all, and UnknownSymbol for the benchmark.

    The value before the first day is that of the last day before it that has one: a few days back, as a rule, so that
    what lies further back is not read. Where it is not, all is.
    """
    if asked.start is not None and asked.end is not None and asked.start > asked.end:
        raise InvalidRequest("start", f"{asked.start} is after the end, {asked.end}")
    since = None if asked.start is None else asked.start - min(_BEFORE, asked.start - date.min)
    history = await read(Span(since, asked.end, asked.explained))
    prices, marked = await _marked(market, history, asked)
    if not _reaches_back(history, marked, asked):
        history = await read(Span(None, asked.end, asked.explained))
        prices, marked = await _marked(market, history, asked)
    benchmark = await _benchmark(market, asked, _begun(history, asked)) if asked.benchmark else None
    return history, await asyncio.to_thread(_measured, history, prices, marked, asked, benchmark)


def _reaches_back(history: History, marked: MarkedDays, asked: PerformanceQuestion) -> bool:
    """Whether the last day before the start that has a value, if there is any, is among those that are marked."""
    if history.since is None or asked.start is None or history.since <= _begun(history, asked):
        return True
    return bool(len(marked.days)) and int(marked.days[0]) < asked.start.toordinal()


async def _marked(market: Market, history: History, asked: PerformanceQuestion) -> tuple[Prices, MarkedDays]:
    """From the last day before the start that has a value."""
    begun = _begun(history, asked)
    first = begun if history.since is None else max(begun, history.since)
    prices = await _prices(market, history, asked, first)
    marked, older = await asyncio.to_thread(_days_of, history, prices, asked, first)
    if older and begun < first:
        closes = await _closes(market, history, older, begun, first, asked)
        both = {symbol: _joined(of_symbol, prices.closes.get(symbol)) for symbol, of_symbol in closes.items()}
        prices = replace(prices, closes={**prices.closes, **both})
        marked = await asyncio.to_thread(marked_on, history, prices, marked.days)
    return prices, marked


def _days_of(history: History, prices: Prices, asked: PerformanceQuestion, first: date) -> tuple[MarkedDays, list[str]]:
    """From the last one before the start that has a value; and what has no close on some of them yet."""
    days = book_days(history, prices, first, asked.last)
    if asked.start is not None:
        begin, end = asked.start.toordinal(), asked.last.toordinal()
        before = int(np.searchsorted(days.days, begin)) - 1
        days = days.chosen(slice(max(before, 0), None))
        if begin <= end and len(days.days) and days.days[-1] < begin:
            days = marked_on(history, prices, np.append(days.days, end))
    return days, unpriced(history, days)


def _joined(older: Closes, newer: Closes | None) -> Closes:
    if newer is None:
        return older
    return Closes(np.concatenate((older.days, newer.days)), joined((older.prices, newer.prices)))


def _measured(
    history: History, prices: Prices, marked: MarkedDays, asked: PerformanceQuestion, benchmark: Closes | None
) -> MeasuredHistory:
    book = daily_book(history, prices, marked)
    values = daily_values(book)
    before = [valuation.value for valuation in values if asked.start is not None and valuation.day < asked.start]
    period = [valuation for valuation in values if asked.start is None or valuation.day >= asked.start]
    opening = before[-1] if before else ZERO
    span = _spanned(history, marked, period, opening, asked) if period else None
    performance = measure(period, opening, span)
    returns = [point.period_return for point in performance.series]
    comparison = None
    if benchmark is not None:
        days = [point.day for point in performance.series]
        comparison = compare(asked.benchmark, benchmark, days, returns, span, asked.risk_free_rate)
    explanation = None
    if asked.explained:
        flows = cash_flows(period, span) if span else []
        explanation = Explanation(*explain(book, period, opening, performance), flows)
    return MeasuredHistory(
        performance,
        simple_return(period, opening) if period else 0.0,
        money_weighted(period, opening, span),
        ratios(span.observed(returns) if span else returns, asked.risk_free_rate),
        comparison,
        explanation,
        _rates_on(asked.last, prices.rates),
    )


def _spanned(
    history: History,
    marked: MarkedDays,
    valuations: Sequence[Valuation],
    opening: Decimal,
    asked: PerformanceQuestion,
) -> Period:
    """Of the `valuations` of what was asked for, as far as there was anything."""
    first = asked.start if asked.start is not None and opening else valuations[0].day
    last = asked.last if valuations[-1].value else valuations[-1].day
    return Period(first, last, idle_days(history, marked, first, last))


def _begun(history: History, asked: PerformanceQuestion) -> date:
    days = history.flows.days
    return date.fromordinal(int(days[0])) if len(days) else asked.as_of.date()


async def _prices(market: Market, history: History, asked: PerformanceQuestion, first: date) -> Prices:
    base = history.portfolio.base_currency
    foreign = history.flows.moved() - {base}
    closes: Mapping[str, Closes] = {}
    rates: Mapping[str, RateHistory] = {}
    if first <= asked.last:
        held = await asyncio.to_thread(held_between, history.held, first, asked.last)
        if held:
            closes = await _closes(market, history, held, first, asked.last, asked)
        if foreign:
            rates = await market.exchange_rate_history(foreign, base, first, asked.last, asked.as_of)
    return Prices(closes, rates)


async def _closes(
    market: Market, history: History, symbols: Sequence[str], first: date, last: date, asked: PerformanceQuestion
) -> Mapping[str, Closes]:
    return contract_closes(history, await market.closes(symbols, first, last, asked.as_of, asked.known_at))


async def _benchmark(market: Market, asked: PerformanceQuestion, begun: date) -> Closes:
    if asked.benchmark not in await market.assets([asked.benchmark]):
        raise UnknownSymbol(asked.benchmark, "benchmark")
    begin = max(begun, asked.start or begun)
    if begin > asked.last:
        return closes_of({})
    since = begin - min(_BEFORE, begin - date.min)
    closes = await market.closes([asked.benchmark], since, asked.last, asked.as_of, asked.known_at)
    return closes.get(asked.benchmark, closes_of({}))


def _rates_on(day: date, rates: Mapping[str, RateHistory]) -> dict[str, ExchangeRate]:
    newest = {currency: max(history) for currency, history in rates.items()}
    return {
        currency: ExchangeRate(rates[currency][published], published, day - published > STALE_AFTER)
        for currency, published in newest.items()
    }
