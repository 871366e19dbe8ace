"""Figures of a series of values or returns (PF-5). Returns are simple, per period, as fractions.

Bacon (2008), "Practical Portfolio Performance Measurement and Attribution", 2nd ed., is cited by chapter.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from quantmesh.quant._samples import Floats, check_finite, vector_of
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
    """The sample standard deviation of returns, per year; exactly 0 where all are the same."""
    series = np.asarray(returns, dtype=np.float64)
    # Their mean is rounded, and would differ from each of them.
    if series.size > 1 and np.ptp(series) == 0.0:
        return 0.0
    return float(np.std(series, ddof=1)) * math.sqrt(periods_per_year)


def sharpe_ratio(returns: ArrayLike, *, risk_free_rate: float = 0.0, periods_per_year: int = TRADING_DAYS) -> float:
    """Mean excess return over volatility, both per year (Sharpe, 1994); `risk_free_rate` is per year.

    NaN where the returns do not vary.
    """
    series = np.asarray(returns, dtype=np.float64)
    volatility = annualized_volatility(series, periods_per_year=periods_per_year)
    if volatility == 0.0:
        return math.nan
    return (float(series.mean()) * periods_per_year - risk_free_rate) / volatility


def sortino_ratio(
    returns: ArrayLike, *, minimum_acceptable_return: float = 0.0, periods_per_year: int = TRADING_DAYS
) -> float:
    """Mean excess over the acceptable return, per year, over the downside deviation (Sortino and van der Meer, 1991).

    `minimum_acceptable_return` is per year. The deviation is the root mean square of what each return falls short of
    it, over all returns (Bacon, chapter 4). NaN where none falls short by more than rounding.
    """
    series, acceptable = np.asarray(returns, dtype=np.float64), minimum_acceptable_return / periods_per_year
    excess = np.where(np.isclose(series, acceptable, rtol=1e-12, atol=0.0), 0.0, series - acceptable)
    downside = math.sqrt(float(np.mean(np.square(np.minimum(excess, 0.0)))) * periods_per_year)
    return float(excess.mean()) * periods_per_year / downside if downside > 0.0 else math.nan


@dataclass(frozen=True, slots=True)
class MarketModel:
    """The least-squares line of excess returns on a benchmark's; `alpha` is Jensen's, per year."""

    alpha: float
    beta: float


def market_model(
    returns: ArrayLike,
    benchmark_returns: ArrayLike,
    *,
    risk_free_rate: float = 0.0,
    periods_per_year: int = TRADING_DAYS,
) -> MarketModel:
    """Of two series of the same periods (Jensen, 1968; Bacon, chapter 4); `risk_free_rate` is per year.

    NaN where the benchmark does not vary or there are fewer than two periods. Raises DomainError.
    """
    series = np.asarray(returns, dtype=np.float64)
    benchmark = vector_of("benchmark_returns", benchmark_returns, series.size)
    if series.size < 2 or np.ptp(benchmark) == 0.0:
        return MarketModel(math.nan, math.nan)
    free = risk_free_rate / periods_per_year
    about = benchmark - benchmark.mean()
    beta = float(about @ series) / float(about @ about)
    excess = float(series.mean()) - free - beta * (float(benchmark.mean()) - free)
    return MarketModel(excess * periods_per_year, beta)


def modified_dietz_return(opening: float, flows: ArrayLike, remaining: ArrayLike, closing: float) -> float:
    """The gain over the capital that was there on average (Dietz, 1966; Bacon, chapter 2).

    `flows` are positive where money comes in; `remaining` is the share of the period that lies ahead of each, 0 to 1.
    NaN where that capital is not positive.
    """
    moved, ahead = _flows_of(flows, remaining)
    capital = opening + float(moved @ ahead)
    return (closing - opening - float(moved.sum())) / capital if capital > 0.0 else math.nan


# The logarithm of a period's growth: what grows or shrinks by more than e^50 has no return that means anything.
_LARGEST_GROWTH = 50.0
_GRID = 4001
_HALVINGS = 80


def money_weighted_returns(opening: float, flows: ArrayLike, remaining: ArrayLike, closing: float) -> tuple[float, ...]:
    """Every internal rate of return of the whole period, ascending: none, one, or several.

    A rate r solves `opening (1 + r) + sum(flows (1 + r)^remaining) = closing` (Bacon, chapter 2), with the arguments
    of `modified_dietz_return`. There are at most as many as the terms, in order of time, change sign, and their number
    differs from that by an even one (Laguerre, 1883); of several, two that lie within a factor of 1.03 of growth may
    be taken for none.
    """
    moved, ahead = _flows_of(flows, remaining)
    amounts = np.concatenate(([opening], moved, [-closing]))
    exponents = np.concatenate(([1.0], ahead, [0.0]))
    order = np.unique(exponents)
    terms = np.zeros(order.size)
    np.add.at(terms, np.searchsorted(order, exponents), amounts)
    signs = np.sign(terms[np.abs(terms) > 1e-15 * np.abs(amounts).sum()])
    changes = int(np.count_nonzero(signs[1:] != signs[:-1]))
    if changes == 0:
        return ()
    points = 2 if changes == 1 else _GRID
    grid = np.linspace(-_LARGEST_GROWTH, _LARGEST_GROWTH, points)
    below, above = grid[:-1], grid[1:]
    lower = _balance(below, terms, order)
    crossed = np.signbit(lower) != np.signbit(_balance(above, terms, order))
    below, above, lower = below[crossed], above[crossed], lower[crossed]
    for _ in range(_HALVINGS):
        middle = 0.5 * (below + above)
        same = np.signbit(_balance(middle, terms, order)) == np.signbit(lower)
        below, above = np.where(same, middle, below), np.where(same, above, middle)
    return tuple(float(root) for root in np.expm1(0.5 * (below + above)))


def _balance(growths: Floats, terms: Floats, exponents: Floats) -> Floats:
    """What is left at the end, scaled so that nothing overflows; the sign is what matters."""
    scale = np.maximum(growths, 0.0)
    balance: Floats = np.exp(np.outer(growths, exponents) - scale[:, np.newaxis]) @ terms
    return balance


def _flows_of(flows: ArrayLike, remaining: ArrayLike) -> tuple[Floats, Floats]:
    moved = np.atleast_1d(np.asarray(flows, dtype=np.float64))
    ahead = vector_of("remaining", remaining, moved.size)
    check_finite("flows", moved)
    wrong = np.flatnonzero((ahead < 0.0) | (ahead > 1.0))
    if wrong.size:
        raise DomainError("remaining", float(ahead[wrong[0]]), "from 0 to 1", int(wrong[0]))
    return moved, ahead
