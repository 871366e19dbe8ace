"""Further returns of a period and its risk, beside the time-weighted return of `performance`.

Deposits count from the start of their day and withdrawals until its end, as there, so that a flow lies at a share of
the period that was asked for: 1 ahead of it at its start, 0 at its end. With `start` the value before the first day:

- simple: `(end + withdrawals) / (start + deposits) - 1`, as if all had been there from the start (Bacon, 2nd ed.,
  chapter 2, with flows); equal to the others where nothing flowed;
- money-weighted: the internal rate of return (GIPS 2020, glossary: "the return that reflects the change in value and
  the timing and size of external cash flows"); over a year or more also per year. Where no rate solves, the modified
  Dietz return stands in; where several do, it is the one nearest to that, and all are told.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quantmesh.portfolio.core.held_days import Days, ordinals
from quantmesh.portfolio.core.market import Closes
from quantmesh.portfolio.core.numbers import ZERO, exactly
from quantmesh.portfolio.core.performance import Period, Valuation, annualized, spanned
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
    """With a benchmark over the same period, in its own currency; `alpha` is Jensen's, per year."""

    symbol: str
    time_weighted_return: float
    alpha: float | None
    beta: float | None


@dataclass(frozen=True, slots=True)
class Ratios:
    """None where they are not defined."""

    sharpe_ratio: float | None
    sortino_ratio: float | None


def cash_flows(valuations: Sequence[Valuation], period: Period) -> list[CashFlow]:
    flows = []
    for valuation in valuations:
        gone = (valuation.day - period.first).days
        for amount, until in ((valuation.deposits, gone), (-valuation.withdrawals, gone + 1)):
            if amount:
                flows.append(CashFlow(valuation.day, amount, 1.0 - until / period.length_days))
    return flows


@exactly
def simple_return(valuations: Sequence[Valuation], opening: Decimal) -> float:
    invested = opening + sum((valuation.deposits for valuation in valuations), ZERO)
    if invested <= ZERO:
        return 0.0
    returned = valuations[-1].value + sum((valuation.withdrawals for valuation in valuations), ZERO)
    return float(returned / invested - 1)


def money_weighted(valuations: Sequence[Valuation], opening: Decimal, period: Period | None = None) -> MoneyWeighted:
    """Without a `period` of the one that they span."""
    if not valuations:
        return MoneyWeighted(None, None, (), None)
    period = period or spanned(valuations)
    flows = cash_flows(valuations, period)
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
    per_year = None if chosen is None else annualized(chosen, period.length_days)
    return MoneyWeighted(chosen, per_year, rates, dietz)


def ratios(returns: ArrayLike, risk_free_rate: float) -> Ratios:
    """Of daily returns; `risk_free_rate` is per year, and what Sortino's ratio takes for acceptable."""
    if np.size(returns) < 2:
        return Ratios(None, None)
    return Ratios(
        defined(sharpe_ratio(returns, risk_free_rate=risk_free_rate)),
        defined(sortino_ratio(returns, minimum_acceptable_return=risk_free_rate)),
    )


def compare(
    symbol: str,
    closes: Closes,
    days: Sequence[date],
    returns: Sequence[float],
    period: Period | None,
    risk_free_rate: float,
) -> Comparison:
    """Without a `period` there is nothing to compare.

    The benchmark's return is from its last close before the period, or else its first one, to its last. Alpha and beta
    are of the portfolio's days, and of idle ones on which the benchmark closed; those before its first close are left
    out.
    """
    if period is None:
        return Comparison(symbol, 0.0, None, None)
    idle = np.intersect1d(period.idle, closes.days)
    on = np.concatenate((ordinals(days), idle))
    order = np.argsort(on)
    earned = np.concatenate((returns, np.zeros(len(idle))))[order]
    first, last = period.first.toordinal(), period.last.toordinal()
    # Ahead of the days the one before the period.
    marks = _last_closes(closes, np.append(first - 1, on[order]))
    of_benchmark = marks[1:] / marks[:-1] - 1.0
    is_known = np.isfinite(of_benchmark)
    model = market_model(earned[is_known], of_benchmark[is_known], risk_free_rate=risk_free_rate)
    begin = max(first - 1, int(closes.days[0])) if len(closes.days) else last
    start, end = _last_closes(closes, np.array([begin, last]))
    total = defined(float(end / start - 1.0)) or 0.0
    return Comparison(symbol, total, defined(model.alpha), defined(model.beta))


def _last_closes(closes: Closes, days: Days) -> NDArray[np.float64]:
    """On each of the days; NaN before the first one, and where nothing can be earned on it."""
    standing = np.searchsorted(closes.days, days, side="right") - 1
    prices = closes.prices.taken(standing).floats()
    return np.where((standing >= 0) & (prices > 0.0), prices, np.nan)


def defined(number: float) -> float | None:
    return number if math.isfinite(number) else None
