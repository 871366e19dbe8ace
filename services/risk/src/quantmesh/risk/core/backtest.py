"""Whether forecasts of value at risk and expected shortfall would have held (RSK-2)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

import numpy as np

from quantmesh.quant import backtest, covariance, value_at_risk
from quantmesh.risk.core.domain import quant_domain
from quantmesh.risk.core.errors import OutOfDomain, UnknownChoice
from quantmesh.risk.core.model import Book, Floats, History

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


def rolling(book: Book, history: History, method: Method, confidence: float, days: int, window: int) -> Series:
    """Of the last `days`: what today's quantities earned, and what was forecast of it the evening before.

    A forecast is that of `value_at_risk` from the `window` daily returns before, at the closes of that evening: of the
    returns' profits at those exposures, whose sample variance is the book's under the sample covariance.
    """
    past = history.require(days + window)
    exposures = past.closes[-days - 1 : -1] * np.array(book.held(past.symbols), np.float64)
    first = past.returns.shape[0] - days
    forecasts = [
        _forecast(past.returns[first + day - window : first + day] @ exposures[day], method, confidence)
        for day in range(days)
    ]
    return Series(
        profits=(past.returns[-days:] * exposures).sum(axis=1),
        value_at_risk=np.array([forecast.value for forecast in forecasts]),
        expected_shortfall=np.array([forecast.expected_shortfall for forecast in forecasts]),
        days=past.days[-days:],
    )


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


def check_rolling(book: Book, days: int, window: int) -> None:
    """Raises OutOfDomain, and UnknownChoice for options, which were other contracts on every past day."""
    if book.has_options:
        raise UnknownChoice("positions", "must be without options: backtests are of assets alone")
    if not 2 <= days <= MOST_DAYS:
        raise OutOfDomain("days", days, f"from 2 to {MOST_DAYS}")
    if not 2 <= window <= MOST_DAYS:
        raise OutOfDomain("window", window, f"from 2 to {MOST_DAYS}")


def _forecast(profits: Floats, method: Method, confidence: float) -> value_at_risk.ValueAtRisk:
    sample, one = profits[:, None], np.ones(1)
    with quant_domain():
        if method == "historical":
            return value_at_risk.historical(sample, one, confidence=confidence)
        return value_at_risk.parametric(covariance.sample(sample), one, confidence=confidence)
