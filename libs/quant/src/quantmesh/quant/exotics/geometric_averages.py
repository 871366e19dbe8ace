"""Options on the geometric average of the spot (Kemna and Vorst 1990; Haug, section 4.20.1), fixed strike."""

import numpy as np
from numpy.typing import ArrayLike

from quantmesh.quant import black_scholes
from quantmesh.quant._arguments import POSITIVE_SPOT, POSITIVE_STRIKE, Domain
from quantmesh.quant._evaluation import Value
from quantmesh.quant.exotics._columns import MARKET, checked

_OBSERVATIONS = Domain("observations", 1.0, 1e9, "a positive number of dates")


def continuous(
    option_type: ArrayLike,
    spot: ArrayLike,
    strike: ArrayLike,
    time_to_expiry: ArrayLike,
    rate: ArrayLike,
    dividend_yield: ArrayLike,
    volatility: ArrayLike,
) -> Value:
    """Averaged over the whole life of the option."""
    domains = (POSITIVE_SPOT, POSITIVE_STRIKE, *MARKET)
    arguments = checked(option_type, domains, spot, strike, time_to_expiry, rate, dividend_yield, volatility)
    s, x, t, r, q, v = arguments.values
    carry = 0.5 * (r - q - v**2 / 6.0)
    value = black_scholes.price(arguments.sign, s, x, t, r, r - carry, v / np.sqrt(3.0))
    return arguments.answer(np.asarray(value))


def discrete(
    option_type: ArrayLike,
    spot: ArrayLike,
    strike: ArrayLike,
    observations: ArrayLike,
    time_to_expiry: ArrayLike,
    rate: ArrayLike,
    dividend_yield: ArrayLike,
    volatility: ArrayLike,
) -> Value:
    """Averaged over so many equally spaced dates, the first one interval from now and the last at expiry."""
    domains = (POSITIVE_SPOT, POSITIVE_STRIKE, _OBSERVATIONS, *MARKET)
    arguments = checked(
        option_type, domains, spot, strike, observations, time_to_expiry, rate, dividend_yield, volatility
    )
    s, x, n, t, r, q, v = arguments.values
    deviation = v * np.sqrt((n + 1.0) * (2.0 * n + 1.0) / 6.0) / n
    carry = (r - q - 0.5 * v**2) * (n + 1.0) / (2.0 * n) + 0.5 * deviation**2
    return arguments.answer(np.asarray(black_scholes.price(arguments.sign, s, x, t, r, r - carry, deviation)))
