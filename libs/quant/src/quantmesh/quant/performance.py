"""Figures of a series of values or returns (PF-5). Returns are simple, per period, as fractions."""

import math

import numpy as np
from numpy.typing import ArrayLike

from quantmesh.quant._samples import Floats
from quantmesh.quant.errors import DomainError

TRADING_DAYS = 252


def simple_returns(values: ArrayLike) -> Floats:
    """From positive `values` along the first axis, one shorter; raises DomainError."""
    series = np.asarray(values, dtype=np.float64)
    if series.ndim == 0 or series.shape[0] < 2:
        raise DomainError("values", f"shape {series.shape}", "at least two along the first axis")
    wrong = np.flatnonzero(~((series > 0.0) & np.isfinite(series)))
    if wrong.size:
        raise DomainError("values", float(series.flat[wrong[0]]), "positive and finite", int(wrong[0]))
    returns: Floats = series[1:] / series[:-1] - 1.0
    return returns


def time_weighted_return(period_returns: ArrayLike) -> float:
    """Linked sub-period returns: the product of 1 + r, less 1 (GIPS 2020, 2.A.3)."""
    return float(np.prod(1.0 + np.asarray(period_returns, dtype=np.float64)) - 1.0)


def drawdown(values: ArrayLike) -> Floats:
    """The fall from the highest value so far, 0 or negative, as long as `values`."""
    series = np.asarray(values, dtype=np.float64)
    below: Floats = series / np.maximum.accumulate(series) - 1.0
    return below


def maximum_drawdown(values: ArrayLike) -> float:
    """The deepest drawdown, 0 or negative."""
    return float(drawdown(values).min())


def annualized_volatility(returns: ArrayLike, *, periods_per_year: int = TRADING_DAYS) -> float:
    """The sample standard deviation of returns, per year."""
    return float(np.std(np.asarray(returns, dtype=np.float64), ddof=1)) * math.sqrt(periods_per_year)


def sharpe_ratio(returns: ArrayLike, *, risk_free_rate: float = 0.0, periods_per_year: int = TRADING_DAYS) -> float:
    """Mean excess return over volatility, both per year (Sharpe, 1994); `risk_free_rate` is per year.

    NaN where the returns do not vary.
    """
    series = np.asarray(returns, dtype=np.float64)
    volatility = annualized_volatility(series, periods_per_year=periods_per_year)
    if volatility == 0.0:
        return math.nan
    return (float(series.mean()) * periods_per_year - risk_free_rate) / volatility
