"""Whether forecasts of value at risk and expected shortfall would have held (RSK-2)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

import numpy as np

from quantmesh.quant import backtest, covariance, value_at_risk
from quantmesh.quant.revaluation import revalue
from quantmesh.quant.scenarios import Scenarios
from quantmesh.risk.core.domain import movement_of, quant_domain
from quantmesh.risk.core.errors import NotMeasurable, OutOfDomain, UnknownChoice
from quantmesh.risk.core.model import TRADING_DAYS, Book, Floats, History
from quantmesh.risk.core.priced_book import priced
from quantmesh.risk.core.work import most_scenarios

Method = Literal["historical", "parametric"]

DEFAULT_DAYS = 250
DEFAULT_WINDOW = 500
MOST_DAYS = 2_500
_MOST_SERIES = 10_000
# The p-values of the shortfall's tests simulate that many exceptions in each of their samples.
_MOST_EXPECTED_EXCEPTIONS = 100.0


@dataclass(frozen=True, slots=True)
class Series:
    """One element per day; `expected_shortfall` is None where it was not forecast."""

    profits: Floats
    value_at_risk: Floats
    expected_shortfall: Floats | None
    days: Sequence[date] = ()


def rolling(
    book: Book, history: History, method: Method, confidence: float, days: int, window: int, rate: float = 0.0
) -> Series:
    """Of the last `days`: what today's quantities earned, and what was forecast of it the evening before.

    A forecast is that of `value_at_risk` from the `window` daily returns before, at the closes of that evening: of the
    returns' profits at those closes, whose sample variance is the book's under the sample covariance. Options (under
    `rate` per year) count on every day with their strikes as far from the spot as they are now and as long to live, so
    that a profit goes with the spot's level; what they earn includes a day of their time. Raises NotMeasurable where a
    forecast is no loss, OutOfDomain for more work than an answer may take, and UnknownChoice for options under normal
    profits, which theirs are not.
    """
    _check_options(book, method, days, window)
    past = history.require(days + window)
    levels = past.closes[-days - 1 : -1] / past.last
    profits, earned = _profits(book, past, rate)
    first = past.returns.shape[0] - days
    forecasts = [
        _forecast(profits[first + day - window : first + day] @ levels[day], method, confidence) for day in range(days)
    ]
    values = np.array([forecast.value for forecast in forecasts])
    if not np.all(values > 0.0):
        day = int(np.argmin(values > 0.0))
        raise NotMeasurable(
            f"the value at risk forecast for {past.days[day - days]} is {values[day]}, which is no loss"
        )
    return Series(
        profits=(earned[-days:] * levels).sum(axis=1),
        value_at_risk=values,
        expected_shortfall=np.array([forecast.expected_shortfall for forecast in forecasts]),
        days=past.days[-days:],
    )


def _profits(book: Book, past: History, rate: float) -> tuple[Floats, Floats]:
    """Of today's book under the return of each past day, by symbol: at once, and over a trading day."""
    if not book.has_options:
        profits = past.returns * (np.array(book.held(past.symbols), np.float64) * past.last)
        return profits, profits
    with quant_domain():
        portfolio = priced(book, past, rate)
        at_once, over_a_day = (
            revalue(portfolio, Scenarios(past.returns, elapsed_years=years), by="underlying").profits.T
            for years in (0.0, 1.0 / TRADING_DAYS)
        )
    return at_once, over_a_day


def report(series: Series, confidence: float, seed: int) -> backtest.Report:
    """All tests at once; those of the shortfall where it was forecast."""
    count = series.profits.size
    if not 2 <= count <= _MOST_SERIES:
        raise OutOfDomain("profits", f"{count} days", f"from 2 to {_MOST_SERIES} days")
    if count * (1.0 - confidence) > _MOST_EXPECTED_EXCEPTIONS and series.expected_shortfall is not None:
        least = 1.0 - _MOST_EXPECTED_EXCEPTIONS / count
        raise OutOfDomain("confidence", confidence, f"at least {least:g} to test the shortfall of {count} days")
    with quant_domain():
        return backtest.report(
            series.profits, series.value_at_risk, series.expected_shortfall, confidence=confidence, seed=seed
        )


def check_rolling(days: int, window: int) -> None:
    """Raises OutOfDomain."""
    if not 2 <= days <= MOST_DAYS:
        raise OutOfDomain("days", days, f"from 2 to {MOST_DAYS}")
    if not 2 <= window <= MOST_DAYS:
        raise OutOfDomain("window", window, f"from 2 to {MOST_DAYS}")


def _check_options(book: Book, method: Method, days: int, window: int) -> None:
    if not book.has_options:
        return
    if method != "historical":
        raise UnknownChoice("method", "must be historical where positions are options")
    # At once and over a day.
    most, described = most_scenarios(book)
    if 2 * (days + window) > most:
        raise OutOfDomain("window", window, f"at most {max(most // 2 - days, 0)} with {days} days for {described}")


def _forecast(profits: Floats, method: Method, confidence: float) -> value_at_risk.ValueAtRisk:
    sample, one = profits[:, None], np.ones(1)
    with quant_domain(), movement_of(["the book"]):
        if method == "historical":
            return value_at_risk.historical(sample, one, confidence=confidence)
        return value_at_risk.parametric(covariance.sample(sample), one, confidence=confidence)
