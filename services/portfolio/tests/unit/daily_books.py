"""Daily books of ledgers that a unit test draws: movements, flows, closes and rates by the number of a day."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from quantmesh.portfolio.core.daily_book import DailyBook, History, Prices, book_days, daily_book, daily_values
from quantmesh.portfolio.core.daily_flows import DailyFlow, flow_table, summed_flows
from quantmesh.portfolio.core.daily_income import DailyIncome, income_table
from quantmesh.portfolio.core.explanation import Contribution, Reconciliation, explain
from quantmesh.portfolio.core.held_table import held_table
from quantmesh.portfolio.core.lots import SecurityMovement, fold_lots
from quantmesh.portfolio.core.market import closes_of
from quantmesh.portfolio.core.model import LotMethod, Portfolio, TransactionType
from quantmesh.portfolio.core.numbers import ZERO
from quantmesh.portfolio.core.performance import Performance, measure

FIRST = date(2020, 1, 6)


def day(number: int) -> date:
    return FIRST + timedelta(days=number)


def moved(number: int, symbol: str, quantity: str, gross: str, currency: str = "USD") -> SecurityMovement:
    at = datetime(FIRST.year, FIRST.month, FIRST.day, 15, tzinfo=UTC) + timedelta(days=number)
    units = Decimal(quantity)
    kind = TransactionType.BUY if units > ZERO else TransactionType.SELL
    return SecurityMovement(kind, symbol, currency, at, units, Decimal(gross))


def flow(number: int, cash: str, deposits: str = "0", withdrawals: str = "0", currency: str = "USD") -> DailyFlow:
    return DailyFlow(day(number), currency, Decimal(cash), Decimal(deposits), Decimal(withdrawals))


def history_of(
    movements: Sequence[SecurityMovement], flows: Sequence[DailyFlow], income: Sequence[DailyIncome] = ()
) -> History:
    portfolio = Portfolio(UUID(int=1), "P", "USD", LotMethod.FIFO, datetime(2020, 1, 1, tzinfo=UTC), version=1, seq=1)
    folded = fold_lots(movements, LotMethod.FIFO)
    held = held_table(((symbol, lots.currency, lots.days) for symbol, lots in folded.items()), explained=True)
    return History(portfolio, portfolio.created_at, held, summed_flows([flow_table(flows)]), income_table(income))


def prices_of(closes: Mapping[str, Mapping[int, str]], rates: Mapping[int, str] | None = None) -> Prices:
    """`rates` are those of the euro."""
    return Prices(
        {symbol: closes_of({day(on): Decimal(close) for on, close in of.items()}) for symbol, of in closes.items()},
        {"EUR": {day(on): Decimal(rate) for on, rate in rates.items()}} if rates else {},
    )


def book_of(
    movements: Sequence[SecurityMovement],
    flows: Sequence[DailyFlow],
    income: Sequence[DailyIncome],
    closes: Mapping[str, Mapping[int, str]],
    rates: Mapping[int, str] | None = None,
    last: int = 10,
) -> DailyBook:
    history, prices = history_of(movements, flows, income), prices_of(closes, rates)
    return daily_book(history, prices, book_days(history, prices, FIRST, day(last)))


def explained(book: DailyBook, first: int = 0) -> tuple[Performance, Reconciliation, list[Contribution]]:
    """From day `first` on."""
    values = daily_values(book)
    before = [each.value for each in values if each.day < day(first)]
    period = [each for each in values if each.day >= day(first)]
    opening = before[-1] if before else ZERO
    performance = measure(period, opening)
    table, contributions = explain(book, period, opening, performance)
    assert table is not None
    return performance, table, contributions
