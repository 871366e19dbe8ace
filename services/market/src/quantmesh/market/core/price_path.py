"""Prices within a replayed session, of which the data has only the close.

A Brownian bridge in the logarithm, from the previous close to the close of the session: invented in between, real at
both ends. It depends on the symbol, the session and the prices alone, so a replay repeats itself to the last digit.
"""

import math
from collections.abc import Sequence
from datetime import date
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

# The share of a day's variance that falls within the session, and not overnight.
_INTRADAY_SHARE = 0.7
_QUIETEST, _WILDEST = 0.002, 0.08


def session_path(
    symbol: str, session: date, previous_close: float, close: float, volatility_daily: float, seconds: int
) -> NDArray[np.float64]:
    """`seconds + 1` prices, one per market second: the first is `previous_close`, the last is `close`, exactly."""
    if previous_close <= 0 or close <= 0 or seconds < 1:
        msg = f"{symbol} {session}: no path from {previous_close} to {close} in {seconds} seconds"
        raise ValueError(msg)
    seed = int.from_bytes(sha256(f"{symbol} {session}".encode()).digest()[:8])
    scale = volatility_daily * math.sqrt(_INTRADAY_SHARE / seconds)
    walk = np.concatenate(([0.0], np.cumsum(np.random.default_rng(seed).standard_normal(seconds)) * scale))
    fraction = np.linspace(0.0, 1.0, seconds + 1)
    bridge = walk - fraction * walk[-1]
    path: NDArray[np.float64] = previous_close * np.exp(bridge + fraction * math.log(close / previous_close))
    path[0], path[-1] = previous_close, close
    return path


def volatility_daily(closes: Sequence[float]) -> float:
    """The standard deviation of the log returns between `closes`, held to what a path may sensibly have."""
    if len(closes) < 3:
        return _QUIETEST
    returns = np.diff(np.log(np.asarray(closes, dtype=np.float64)))
    return float(np.clip(returns.std(ddof=1), _QUIETEST, _WILDEST))
