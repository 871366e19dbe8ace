"""Daily values of a portfolio from its ledger and the market's closes, and the performance that they make."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from itertools import accumulate
from uuid import UUID

from quantmesh.portfolio.core.currency import round_cash
from quantmesh.portfolio.core.errors import InvalidRequest, RateMissing
from quantmesh.portfolio.core.lots import SecurityMovement
from quantmesh.portfolio.core.market import Closes
from quantmesh.portfolio.core.model import Portfolio
from quantmesh.portfolio.core.numbers import ZERO, exactly
from quantmesh.portfolio.core.performance import Performance, Valuation, last_known, measure
from quantmesh.portfolio.core.ports import DailyFlow, Ledger, Market, View


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
    market: Market, history: History, start: date | None, end: date | None, as_of: datetime
) -> Performance:
    """Between two days, both included; from the first transaction to `as_of` where they are not given.

    A day is a UTC date. It has a value when a held instrument closed on it or cash moved; an instrument without a close
    on that day is worth its last one, and before its first close what was last paid for it.
    Raises RateMissing for a portfolio in several currencies.
    """
    if start is not None and end is not None and start > end:
        raise InvalidRequest("start", f"{start} is after the end, {end}")
    _require_one_currency(history)
    first = min((flow.day for flow in history.flows), default=as_of.date())
    last = min(end or as_of.date(), as_of.date())
    symbols = {movement.symbol for movement in history.movements}
    closes = await market.closes(symbols, first, last, as_of) if symbols and first <= last else {}
    values = daily_values(history, closes, first, last)
    before = [valuation.value for valuation in values if start is not None and valuation.day < start]
    period = [valuation for valuation in values if start is None or valuation.day >= start]
    return measure(period, before[-1] if before else ZERO)


@exactly
def daily_values(history: History, closes: Mapping[str, Closes], first: date, last: date) -> list[Valuation]:
    """One valuation per day on which there is something to tell, from `first` to `last`."""
    flows = {flow.day: flow for flow in history.flows if flow.day <= last}
    quantities = _quantities(history.movements)
    days = sorted(set(flows) | _closing_days(quantities, closes, first, last))
    values = list(accumulate(flows[day].cash if day in flows else ZERO for day in days))
    for symbol, held in quantities.items():
        marks = last_known(_marks(symbol, history.movements, closes.get(symbol, {})), days)
        for index, (quantity, price) in enumerate(zip(last_known(held, days), marks, strict=True)):
            if quantity and price is not None:
                values[index] += quantity * price
    return [
        Valuation(
            day,
            round_cash(value, history.portfolio.base_currency),
            flows[day].deposits if day in flows else ZERO,
            flows[day].withdrawals if day in flows else ZERO,
        )
        for day, value in zip(days, values, strict=True)
    ]


def _require_one_currency(history: History) -> None:
    base = history.portfolio.base_currency
    others = {flow.currency for flow in history.flows} | {movement.currency for movement in history.movements}
    if others - {base}:
        raise RateMissing(sorted(others - {base}), base)


def _quantities(movements: Iterable[SecurityMovement]) -> dict[str, dict[date, Decimal]]:
    """Per symbol what is held at the end of each day on which that changed."""
    quantities: dict[str, dict[date, Decimal]] = {}
    running: dict[str, Decimal] = {}
    for movement in movements:
        running[movement.symbol] = running.get(movement.symbol, ZERO) + movement.quantity
        quantities.setdefault(movement.symbol, {})[movement.executed_at.date()] = running[movement.symbol]
    return quantities


def _closing_days(
    quantities: Mapping[str, Mapping[date, Decimal]], closes: Mapping[str, Closes], first: date, last: date
) -> set[date]:
    """The days from `first` to `last` on which something closed while it was held."""
    days: set[date] = set()
    for symbol, held in quantities.items():
        closed = sorted(day for day in closes.get(symbol, {}) if first <= day <= last)
        days.update(day for day, quantity in zip(closed, last_known(held, closed), strict=True) if quantity)
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
