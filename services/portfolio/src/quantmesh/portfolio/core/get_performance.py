"""The performance of a portfolio from its ledger and the market's closes and rates."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from uuid import UUID

from quantmesh.portfolio.core.daily_book import History, Prices, daily_book, daily_values
from quantmesh.portfolio.core.errors import InvalidRequest, UnknownSymbol
from quantmesh.portfolio.core.explanation import Contribution, Reconciliation, explain
from quantmesh.portfolio.core.market import Closes, ExchangeRate, RateHistory
from quantmesh.portfolio.core.numbers import ZERO
from quantmesh.portfolio.core.performance import Performance, measure
from quantmesh.portfolio.core.ports import Ledger, Market, View
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

# A reference rate is taken for what it says for five days (weekends and holidays), then it is flagged.
STALE_AFTER = timedelta(5)
# A benchmark's last close before the first day is not older than this.
_BEFORE = timedelta(10)


@dataclass(frozen=True, slots=True)
class PerformanceQuestion:
    """Between two days, both included; from the first transaction to `as_of` where they are not given.

    `risk_free_rate` is per year.
    """

    as_of: datetime
    known_at: datetime | None = None
    start: date | None = None
    end: date | None = None
    benchmark: str = ""
    risk_free_rate: float = 0.0
    explained: bool = False


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


async def read_history(ledger: Ledger, portfolio_id: UUID, view: View) -> History:
    portfolio = await ledger.portfolio(portfolio_id)
    view = replace(view, seq=portfolio.seq)
    return History(
        portfolio,
        await ledger.movements(portfolio_id, view),
        await ledger.daily_flows(portfolio_id, view),
        await ledger.daily_income(portfolio_id, view),
    )


async def measure_history(market: Market, history: History, asked: PerformanceQuestion) -> MeasuredHistory:
    """A day is a UTC date.

    It has a value when a held instrument closed on it, a rate of a held currency was published, or cash moved; what has
    no close or rate on that day is worth its last one, and an instrument before its first close what was last paid for
    it. Raises RateMissing where there was no rate yet, or is none at all, and UnknownSymbol for the benchmark.
    """
    if asked.start is not None and asked.end is not None and asked.start > asked.end:
        raise InvalidRequest("start", f"{asked.start} is after the end, {asked.end}")
    today = asked.as_of.date()
    first = min((flow.day for flow in history.flows), default=today)
    last = min(asked.end or today, today)
    prices = await _prices(market, history, asked, first, last)
    book = daily_book(history, prices, first, last)
    values = daily_values(book)
    before = [valuation.value for valuation in values if asked.start is not None and valuation.day < asked.start]
    period = [valuation for valuation in values if asked.start is None or valuation.day >= asked.start]
    opening = before[-1] if before else ZERO
    performance = measure(period, opening)
    returns = [point.period_return for point in performance.series]
    comparison = None
    if asked.benchmark:
        closes = await _benchmark(market, asked, first, last)
        days = [point.day for point in performance.series]
        comparison = compare(asked.benchmark, closes, days, returns, asked.risk_free_rate)
    explanation = None
    if asked.explained:
        explanation = Explanation(*explain(book, period, opening, performance), cash_flows(period))
    return MeasuredHistory(
        performance,
        simple_return(period, opening) if period else 0.0,
        money_weighted(period, opening),
        ratios(returns, asked.risk_free_rate),
        comparison,
        explanation,
        _rates_on(last, prices.rates),
    )


async def _prices(market: Market, history: History, asked: PerformanceQuestion, first: date, last: date) -> Prices:
    symbols = {movement.symbol for movement in history.movements}
    base = history.portfolio.base_currency
    foreign = {flow.currency for flow in history.flows} - {base}
    closes: Mapping[str, Closes] = {}
    rates: Mapping[str, RateHistory] = {}
    if first <= last:
        if symbols:
            closes = await market.closes(symbols, first, last, asked.as_of, asked.known_at)
        if foreign:
            rates = await market.exchange_rate_history(foreign, base, first, last, asked.as_of)
    return Prices(closes, rates)


async def _benchmark(market: Market, asked: PerformanceQuestion, first: date, last: date) -> Closes:
    if asked.benchmark not in await market.assets([asked.benchmark]):
        raise UnknownSymbol(asked.benchmark, "benchmark")
    if first > last:
        return {}
    begin = max(first, asked.start or first)
    since = begin - min(_BEFORE, begin - date.min)
    closes = await market.closes([asked.benchmark], since, last, asked.as_of, asked.known_at)
    return closes.get(asked.benchmark, {})


def _rates_on(day: date, rates: Mapping[str, RateHistory]) -> dict[str, ExchangeRate]:
    newest = {currency: max(history) for currency, history in rates.items()}
    return {
        currency: ExchangeRate(rates[currency][published], published, day - published > STALE_AFTER)
        for currency, published in newest.items()
    }
