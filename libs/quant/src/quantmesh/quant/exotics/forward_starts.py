"""Options whose strike is set later as a multiple of the spot (Rubinstein 1990), and cliquets made of them."""

import numpy as np
from numpy.typing import ArrayLike

from quantmesh.quant import black_scholes
from quantmesh.quant._arguments import (
    DIVIDEND_YIELD,
    POSITIVE_SPOT,
    POSITIVE_STRIKE,
    RATE,
    TIME_TO_EXPIRY,
    VOLATILITY,
    Domain,
)
from quantmesh.quant._evaluation import Value
from quantmesh.quant.exotics._columns import MARKET, checked, raise_where

_START = TIME_TO_EXPIRY._replace(name="start")
_MONEYNESS = POSITIVE_STRIKE._replace(name="moneyness")
_FLOOR = Domain("local_floor", -1.0, 1e6, "a return of at least -1")
_CAP = Domain("local_cap", -1.0, np.inf, "a return of at least -1")
_PERIODS = Domain("periods", 1.0, 1e6, "a positive number")


def forward_start(
    option_type: ArrayLike,
    spot: ArrayLike,
    moneyness: ArrayLike,
    start: ArrayLike,
    time_to_expiry: ArrayLike,
    rate: ArrayLike,
    dividend_yield: ArrayLike,
    volatility: ArrayLike,
) -> Value:
    """At time `start` the strike becomes `moneyness` times the spot; Haug, section 4.11."""
    domains = (POSITIVE_SPOT, _MONEYNESS, _START, *MARKET)
    arguments = checked(option_type, domains, spot, moneyness, start, time_to_expiry, rate, dividend_yield, volatility)
    s, alpha, begin, t, r, q, v = arguments.values
    raise_where(begin > t, "start", begin, lambda row: f"at most the time to expiry of {t[row]:g}")
    later = black_scholes.price(arguments.sign, s, alpha * s, t - begin, r, q, v)
    return arguments.answer(np.exp(-q * begin) * later)


def cliquet(
    local_floor: ArrayLike,
    local_cap: ArrayLike,
    periods: ArrayLike,
    time_to_expiry: ArrayLike,
    rate: ArrayLike,
    dividend_yield: ArrayLike,
    volatility: ArrayLike,
) -> Value:
    """Of the sum of returns over equal periods, each between floor and cap, paid at expiry on a notional of 1."""
    domains = (_FLOOR, _CAP, _PERIODS, TIME_TO_EXPIRY, RATE, DIVIDEND_YIELD, VOLATILITY)
    arguments = checked(1, domains, local_floor, local_cap, periods, time_to_expiry, rate, dividend_yield, volatility)
    floor, cap, n, t, r, q, v = arguments.values
    raise_where(cap < floor, "local_cap", cap, lambda row: f"at least the floor of {floor[row]:g}")
    period = t / n
    growth = np.exp((r - q) * period)
    above_floor = black_scholes.price(1, growth, 1.0 + floor, period, 0.0, 0.0, v)
    above_cap = black_scholes.price(1, growth, 1.0 + np.minimum(cap, 1e99), period, 0.0, 0.0, v)
    return arguments.answer(np.exp(-r * t) * n * (floor + above_floor - above_cap))
