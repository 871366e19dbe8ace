"""What a model sees: a table of numbers per session, each from closes known at that session's close.

Every feature looks back over a fixed number of sessions, so that its value depends neither on what comes later nor
on where the series happens to begin: a model served on a short history sees what it saw in training.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from quantmesh.prediction.core.model import Closes

Floats = npt.NDArray[np.float64]

VOLATILITY_SESSIONS: Final = 126
"""How far the volatility estimate looks back."""

VOLATILITY_HALF_LIFE: Final = 21.0

FEATURES: Final = (
    "return_1",
    "return_5",
    "return_21",
    "return_63",
    "return_252",
    "volatility_level",
    "volatility_5_to_63",
    "volatility_21_to_252",
    "relative_strength_14",
    "moving_average_spread_12_26",
    "bollinger_20",
    "drawdown_252",
    "weekday_sine",
    "weekday_cosine",
    "season_sine",
    "season_cosine",
)

LOOKBACK: Final = 253
"""Closes that the first row of features needs: 252 returns."""

_LIMIT: Final = 5.0
"""Features are standardised; beyond this they are clipped, so that one crash does not saturate the network."""

_FLOOR: Final = 1e-6
"""The least daily volatility: a series that does not move must not divide by zero."""

_TYPICAL_DAILY_VOLATILITY: Final = 0.015


def daily_volatility(closes: Floats) -> Floats:
    """Exponentially weighted standard deviation of daily log returns, shape (n,), NaN for the first 126 sessions.

    The mean is taken as zero, as usual for daily returns (RiskMetrics 1996); the half-life is 21 sessions.
    """
    returns = np.diff(np.log(closes))
    weights = 0.5 ** (np.arange(VOLATILITY_SESSIONS)[::-1] / VOLATILITY_HALF_LIFE)
    estimate = np.full(len(closes), np.nan)
    if len(returns) >= VOLATILITY_SESSIONS:
        estimate[VOLATILITY_SESSIONS:] = np.sqrt(_windows(returns**2, VOLATILITY_SESSIONS) @ (weights / weights.sum()))
    floored: Floats = np.maximum(estimate, _FLOOR)
    return floored


def feature_table(series: Closes) -> Floats:
    """Shape (n, len(FEATURES)): row t from closes up to and including t; the first 252 rows are NaN.

    Raises ValueError where the series has fewer than LOOKBACK closes.
    """
    if len(series) < LOOKBACK:
        raise ValueError(f"{series.symbol}: features look back over {LOOKBACK} closes, got {len(series)}")
    log_price = np.log(series.closes)
    returns = np.diff(log_price)
    volatility = daily_volatility(series.closes)
    weekday = 2.0 * np.pi * _weekday(series.dates) / 7.0
    season = 2.0 * np.pi * _day_of_year(series.dates) / 365.25
    columns = [
        *(_momentum(log_price, volatility, sessions) for sessions in (1, 5, 21, 63, 252)),
        np.log(volatility / _TYPICAL_DAILY_VOLATILITY),
        _volatility_ratio(returns, 5, 63),
        _volatility_ratio(returns, 21, 252),
        _relative_strength(returns, 14),
        _moving_average_spread(log_price, volatility, 12, 26),
        _bollinger(log_price, 20),
        _drawdown(log_price, volatility, 252),
        np.sin(weekday),
        np.cos(weekday),
        np.sin(season),
        np.cos(season),
    ]
    table: Floats = np.clip(np.column_stack(columns), -_LIMIT, _LIMIT)
    table[: LOOKBACK - 1] = np.nan
    return table


def _windows(values: Floats, length: int) -> Floats:
    windows: Floats = np.lib.stride_tricks.sliding_window_view(values, length)
    return windows


def _padded(values: Floats, length: int) -> Floats:
    """Put NaN in front, up to `length`: a rolling figure stands at the end of its window."""
    return np.concatenate([np.full(length - len(values), np.nan), values])


def _momentum(log_price: Floats, volatility: Floats, sessions: int) -> Floats:
    """Log return over `sessions`, in units of its standard deviation."""
    moved = _padded(log_price[sessions:] - log_price[:-sessions], len(log_price))
    momentum: Floats = moved / (volatility * np.sqrt(sessions))
    return momentum


def _realised(returns: Floats, sessions: int) -> Floats:
    realised: Floats = np.maximum(np.sqrt(np.mean(_windows(returns**2, sessions), axis=1)), _FLOOR)
    return realised


def _volatility_ratio(returns: Floats, short: int, long: int) -> Floats:
    """Log of the realised volatility over `short` sessions against that over `long`."""
    length = len(returns) + 1
    ratio: Floats = np.log(_padded(_realised(returns, short), length) / _padded(_realised(returns, long), length))
    return ratio


def _relative_strength(returns: Floats, sessions: int) -> Floats:
    """Cutler's relative strength index (simple averages), from -1 (only losses) to 1 (only gains)."""
    moves = _windows(returns, sessions)
    total = np.maximum(np.abs(moves).sum(axis=1), _FLOOR)
    strength: Floats = moves.sum(axis=1) / total
    return _padded(strength, len(returns) + 1)


def _moving_average_spread(log_price: Floats, volatility: Floats, short: int, long: int) -> Floats:
    length = len(log_price)
    fast = _padded(_windows(log_price, short).mean(axis=1), length)
    slow = _padded(_windows(log_price, long).mean(axis=1), length)
    spread: Floats = (fast - slow) / (volatility * np.sqrt(long - short))
    return spread


def _bollinger(log_price: Floats, sessions: int) -> Floats:
    """Distance from the moving average in standard deviations of the price around it."""
    window = _windows(log_price, sessions)
    spread = np.maximum(window.std(axis=1), _FLOOR)
    distance: Floats = (log_price[sessions - 1 :] - window.mean(axis=1)) / spread
    return _padded(distance, len(log_price))


def _drawdown(log_price: Floats, volatility: Floats, sessions: int) -> Floats:
    """Distance below the highest close of the window; never positive."""
    peak = _padded(_windows(log_price, sessions).max(axis=1), len(log_price))
    drawdown: Floats = (log_price - peak) / (volatility * np.sqrt(sessions))
    return drawdown


def _weekday(dates: npt.NDArray[np.datetime64]) -> Floats:
    """0 is Monday; 1970-01-01 was a Thursday."""
    return ((dates.astype(np.int64) + 3) % 7).astype(np.float64)


def _day_of_year(dates: npt.NDArray[np.datetime64]) -> Floats:
    new_year = dates.astype("datetime64[Y]").astype("datetime64[D]")
    return (dates.astype(np.int64) - new_year.astype(np.int64)).astype(np.float64)
