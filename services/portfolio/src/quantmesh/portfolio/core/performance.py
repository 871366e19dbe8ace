"""Time-weighted return and drawdown of a portfolio from its daily values and external cash flows.

A day's return is `(V_t + W_t) / (V_{t-1} + D_t) - 1`: deposits D count from the start of the day, withdrawals W until
its end, so that both a first deposit and a last withdrawal have a return. Days are linked geometrically, as the GIPS
standards (2020, section 2.A) and Bacon, "Practical Portfolio Performance Measurement and Attribution"
(2nd ed., chapter 2) define a time-weighted return with daily valuation. Fees and income stay inside the value.
A day that loses all or more (of an account that may owe) ends what is linked: -100 % from then on.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quantmesh.portfolio.core.held_days import Days, ordinals
from quantmesh.portfolio.core.numbers import ZERO, exactly
from quantmesh.quant.performance import annualized_volatility

_DAYS_PER_YEAR = 365.0


class Frequency(StrEnum):
    """How far apart the points of a series lie."""

    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"


@dataclass(frozen=True, slots=True)
class Valuation:
    """The portfolio's value at the end of a day, and what came in and went out on it; all in one currency."""

    day: date
    value: Decimal
    deposits: Decimal = ZERO
    withdrawals: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class Period:
    """Both days are included. `idle` are days without a value of their own on which there was cash alone: they earned
    nothing.
    """

    first: date
    last: date
    idle: Days = field(default_factory=lambda: ordinals(()))

    @property
    def length_days(self) -> int:
        """From the start of the first day on, as deposits count."""
        return (self.last - self.first).days + 1

    def observed(self, returns: Sequence[float]) -> NDArray[np.float64]:
        """With those of the idle days."""
        return np.concatenate((np.asarray(returns, dtype=np.float64), np.zeros(len(self.idle))))


@dataclass(frozen=True, slots=True)
class PerformancePoint:
    """`time_weighted_return` is cumulative since the start, `period_return` since the point before; `drawdown` is at
    most zero.
    """

    day: date
    value: Decimal
    net_flow: Decimal
    time_weighted_return: float
    drawdown: float
    period_return: float


@dataclass(frozen=True, slots=True)
class Performance:
    """Returns as fractions. `annualized_return` is the plain one for under a year, which GIPS forbids to annualise.

    `volatility` is the sample deviation of daily returns, those of idle days among them, times sqrt(252); zero for
    fewer than two.
    `maximum_drawdown` is at most zero, from the peak's day to the trough's: the first one where that is what there was
    at its start; None where there was none.
    """

    series: tuple[PerformancePoint, ...]
    time_weighted_return: float
    annualized_return: float
    volatility: float
    maximum_drawdown: float
    maximum_drawdown_start: date | None
    maximum_drawdown_end: date | None


def spanned(valuations: Sequence[Valuation]) -> Period:
    """From the first of them to the last."""
    return Period(valuations[0].day, valuations[-1].day)


@exactly
def measure(
    valuations: Sequence[Valuation], opening_value: Decimal = ZERO, period: Period | None = None
) -> Performance:
    """From the values of successive days; `opening_value` is the value before the first of them.

    Without a `period` of the one that they span.
    """
    if not valuations:
        return Performance((), 0.0, 0.0, 0.0, 0.0, None, None)
    period = period or spanned(valuations)
    returns = []
    previous = opening_value
    for valuation in valuations:
        invested = previous + valuation.deposits
        # Nothing was invested: nothing was earned.
        returns.append(float((valuation.value + valuation.withdrawals) / invested - 1) if invested > ZERO else 0.0)
        previous = valuation.value
    wealth = np.cumprod(np.maximum(1.0 + np.asarray(returns, dtype=np.float64), 0.0))
    # The peak may be the start itself.
    peaks = np.maximum(np.maximum.accumulate(wealth), 1.0)
    drawdowns = wealth / peaks - 1.0
    series = tuple(
        PerformancePoint(
            day=valuation.day,
            value=valuation.value,
            net_flow=valuation.deposits - valuation.withdrawals,
            time_weighted_return=float(wealth[index] - 1.0),
            drawdown=float(drawdowns[index]),
            period_return=returns[index],
        )
        for index, valuation in enumerate(valuations)
    )
    total = series[-1].time_weighted_return
    observed = period.observed(returns)
    start, end, deepest = _deepest(series, wealth)
    return Performance(
        series=series,
        time_weighted_return=total,
        annualized_return=annualized(total, period.length_days),
        volatility=annualized_volatility(observed) if len(observed) > 1 else 0.0,
        maximum_drawdown=deepest,
        maximum_drawdown_start=start,
        maximum_drawdown_end=end,
    )


def _deepest(series: Sequence[PerformancePoint], wealth: NDArray[Any]) -> tuple[date | None, date | None, float]:
    trough = min(range(len(series)), key=lambda index: series[index].drawdown)
    if series[trough].drawdown >= 0.0:
        return None, None, 0.0
    # Ahead of the days what there was at the start of the first one.
    peak = max(int(np.argmax(np.append(1.0, wealth[: trough + 1]))) - 1, 0)
    return series[peak].day, series[trough].day, series[trough].drawdown


def annualized(total: float, days: int) -> float:
    """The plain return for under a year, which GIPS forbids to annualise, and for a total loss."""
    if days < _DAYS_PER_YEAR or total <= -1.0:
        return total
    return math.pow(1.0 + total, _DAYS_PER_YEAR / days) - 1.0


def last_known(closes: Mapping[date, Decimal], days: Sequence[date]) -> list[Decimal | None]:
    """For each of the ascending `days` the close of that day or the last one before it."""
    known = sorted(closes)
    marks: list[Decimal | None] = []
    position = 0
    mark: Decimal | None = None
    for day in days:
        while position < len(known) and known[position] <= day:
            mark = closes[known[position]]
            position += 1
        marks.append(mark)
    return marks


def resampled(series: Sequence[PerformancePoint], frequency: Frequency) -> list[PerformancePoint]:
    """The last point of each ISO week or calendar month, with the flows and the return of all its days."""
    if frequency is Frequency.DAILY:
        return list(series)
    periods: dict[tuple[int, int], list[PerformancePoint]] = {}
    for point in series:
        weekly = frequency is Frequency.WEEKLY
        key = point.day.isocalendar()[:2] if weekly else (point.day.year, point.day.month)
        periods.setdefault(key, []).append(point)
    return [
        replace(
            points[-1],
            net_flow=sum((point.net_flow for point in points), ZERO),
            period_return=math.prod(max(1.0 + point.period_return, 0.0) for point in points) - 1.0,
        )
        for points in periods.values()
    ]
