"""Further returns of a period and its risk, beside the time-weighted return of `performance`.

Deposits count from the start of their day and withdrawals until its end, as there, so that a flow lies at a share of
the period: 1 ahead of it at its start, 0 at its end. With `start` the value before the first day:

- simple: `(end + withdrawals) / (start + deposits) - 1`, as if all had been there from the start (Bacon, 2nd ed.,
  chapter 2, with flows); equal to the others where nothing flowed;
- money-weighted: the internal rate of return (GIPS 2020, glossary: "the return that reflects the change in value and
  the timing and size of external cash flows"); over a year or more also per year. Where no rate solves, the modified
  Dietz return stands in; where several do, it is the one nearest to that, and all are told.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import numpy as np

from quantmesh.portfolio.core.numbers import ZERO, exactly
from quantmesh.portfolio.core.performance import Valuation, annualized, last_known
from quantmesh.quant.performance import (
    market_model,
    modified_dietz_return,
    money_weighted_returns,
    sharpe_ratio,
    sortino_ratio,
)


@dataclass(frozen=True, slots=True)
class CashFlow:
    """`amount` is positive where it came in; `remaining` is the share of the period that lay ahead of it."""

    day: date
    amount: Decimal
    remaining: float


@dataclass(frozen=True, slots=True)
class MoneyWeighted:
    """Of the whole period. `rates` are all internal rates of return; none where the modified Dietz return stands in.

    None where nothing was invested.
    """

    period_return: float | None
    annualized_return: float | None
    rates: tuple[float, ...]
    modified_dietz_return: float | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """With a benchmark over the same days, in its own currency; `alpha` is Jensen's, per year."""

    symbol: str
    time_weighted_return: float
    alpha: float | None
    beta: float | None


@dataclass(frozen=True, slots=True)
class Ratios:
    """None where they are not defined."""

    sharpe_ratio: float | None
    sortino_ratio: float | None


def cash_flows(valuations: Sequence[Valuation]) -> list[CashFlow]:
    if not valuations:
        return []
    first = valuations[0].day
    length = (valuations[-1].day - first).days + 1
    flows = []
    for valuation in valuations:
        gone = (valuation.day - first).days
        for amount, until in ((valuation.deposits, gone), (-valuation.withdrawals, gone + 1)):
            if amount:
                flows.append(CashFlow(valuation.day, amount, 1.0 - until / length))
    return flows


@exactly
def simple_return(valuations: Sequence[Valuation], opening: Decimal) -> float:
    invested = opening + sum((valuation.deposits for valuation in valuations), ZERO)
    if invested <= ZERO:
        return 0.0
    returned = valuations[-1].value + sum((valuation.withdrawals for valuation in valuations), ZERO)
    return float(returned / invested - 1)


def money_weighted(valuations: Sequence[Valuation], opening: Decimal) -> MoneyWeighted:
    if not valuations:
        return MoneyWeighted(None, None, (), None)
    flows = cash_flows(valuations)
    terms = (
        float(opening),
        [float(flow.amount) for flow in flows],
        [flow.remaining for flow in flows],
        float(valuations[-1].value),
    )
    dietz = defined(modified_dietz_return(*terms))
    lost = not valuations[-1].value and not any(valuation.withdrawals for valuation in valuations)
    rates = (-1.0,) if lost and dietz is not None else money_weighted_returns(*terms)
    chosen = min(rates, key=lambda rate: abs(rate - (dietz or 0.0))) if rates else dietz
    days = (valuations[-1].day - valuations[0].day).days + 1
    return MoneyWeighted(chosen, None if chosen is None else annualized(chosen, days), rates, dietz)


def ratios(returns: Sequence[float], risk_free_rate: float) -> Ratios:
    """Of daily returns; `risk_free_rate` is per year, and what Sortino's ratio takes for acceptable."""
    if len(returns) < 2:
        return Ratios(None, None)
    return Ratios(
        defined(sharpe_ratio(returns, risk_free_rate=risk_free_rate)),
        defined(sortino_ratio(returns, minimum_acceptable_return=risk_free_rate)),
    )


def compare(
    symbol: str,
    closes: Mapping[date, Decimal],
    days: Sequence[date],
    returns: Sequence[float],
    risk_free_rate: float,
) -> Comparison:
    """Days before the benchmark's first close are left out; the first day counts from the close before it."""
    before = max((day for day in closes if days and day < days[0]), default=None)
    marks = last_known(closes, days)
    previous = [None if before is None else closes[before], *marks][: len(marks)]
    pairs = [
        (earned, float(mark / earlier) - 1.0)
        for earned, mark, earlier in zip(returns, marks, previous, strict=True)
        if mark is not None and earlier
    ]
    earned = np.array([pair[0] for pair in pairs])
    of_benchmark = np.array([pair[1] for pair in pairs])
    model = market_model(earned, of_benchmark, risk_free_rate=risk_free_rate)
    return Comparison(symbol, float(np.prod(1.0 + of_benchmark) - 1.0), defined(model.alpha), defined(model.beta))


def defined(number: float) -> float | None:
    return number if math.isfinite(number) else None
