"""Series for tests: made from a seed, so that each test sees the same."""

import numpy as np

from quantmesh.prediction.core.model import Closes


def random_walk(
    sessions: int, seed: int = 0, symbol: str = "AAA", volatility: float = 0.01, drift: float = 0.0
) -> Closes:
    """Business days from 2000-01-03 on."""
    random = np.random.default_rng(seed)
    returns = drift + volatility * random.standard_normal(sessions)
    dates = np.busday_offset("2000-01-03", np.arange(sessions), roll="forward")
    return Closes(symbol, dates.astype("datetime64[D]"), 100.0 * np.exp(np.cumsum(returns)))


def first(series: Closes, count: int) -> Closes:
    return Closes(series.symbol, series.dates[:count], series.closes[:count])


def last(series: Closes, count: int) -> Closes:
    return Closes(series.symbol, series.dates[-count:], series.closes[-count:])
