"""Options that pay all or nothing: Reiner and Rubinstein (1991); Haug, sections 4.19.1 and 4.19.3."""

import numpy as np
from numpy.typing import ArrayLike

from quantmesh.quant._arguments import POSITIVE_SPOT, POSITIVE_STRIKE, PRICE
from quantmesh.quant._evaluation import Value
from quantmesh.quant.exotics._columns import (
    MARKET,
    checked,
    normal,
    standardized,
)

_PAYOUT = PRICE._replace(name="payout")


def cash_or_nothing(
    option_type: ArrayLike,
    spot: ArrayLike,
    strike: ArrayLike,
    payout: ArrayLike,
    time_to_expiry: ArrayLike,
    rate: ArrayLike,
    dividend_yield: ArrayLike,
    volatility: ArrayLike,
) -> Value:
    """`payout` in cash where the option ends in the money; half of it exactly at the money without volatility."""
    domains = (POSITIVE_SPOT, POSITIVE_STRIKE, _PAYOUT, *MARKET)
    arguments = checked(option_type, domains, spot, strike, payout, time_to_expiry, rate, dividend_yield, volatility)
    s, x, cash, t, r, q, v = arguments.values
    deviation = v * np.sqrt(t)
    d2 = standardized(np.log(s / x), (r - q) * t, deviation) - deviation
    return arguments.answer(cash * np.exp(-r * t) * normal(arguments.sign * d2))


def asset_or_nothing(
    option_type: ArrayLike,
    spot: ArrayLike,
    strike: ArrayLike,
    time_to_expiry: ArrayLike,
    rate: ArrayLike,
    dividend_yield: ArrayLike,
    volatility: ArrayLike,
) -> Value:
    """One share where the option ends in the money; half of it exactly at the money without volatility."""
    domains = (POSITIVE_SPOT, POSITIVE_STRIKE, *MARKET)
    arguments = checked(option_type, domains, spot, strike, time_to_expiry, rate, dividend_yield, volatility)
    s, x, t, r, q, v = arguments.values
    d1 = standardized(np.log(s / x), (r - q) * t, v * np.sqrt(t))
    return arguments.answer(s * np.exp(-q * t) * normal(arguments.sign * d1))
