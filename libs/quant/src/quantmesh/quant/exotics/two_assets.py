"""European options on two assets: exchange, spread, best and worst of two."""

import numpy as np
from numpy.typing import ArrayLike

from quantmesh.quant import black_scholes
from quantmesh.quant._arguments import (
    CORRELATION,
    DIVIDEND_YIELD,
    POSITIVE_SPOT,
    POSITIVE_STRIKE,
    RATE,
    TIME_TO_EXPIRY,
    VOLATILITY,
    Domain,
    Floats,
)
from quantmesh.quant._evaluation import Value
from quantmesh.quant.exotics._columns import (
    Arguments,
    bivariate_normal,
    checked,
    normal,
    raise_where,
    standardized,
)

_STRIKE = Domain("strike", -1e100, 1e100, "a finite number")
_MARKET = (
    TIME_TO_EXPIRY,
    RATE,
    *(DIVIDEND_YIELD._replace(name=f"dividend_yield{k}") for k in (1, 2)),
    *(VOLATILITY._replace(name=f"volatility{k}") for k in (1, 2)),
    CORRELATION,
)
_SPOTS = (POSITIVE_SPOT._replace(name="spot1"), POSITIVE_SPOT._replace(name="spot2"))


def exchange(
    spot1: ArrayLike,
    spot2: ArrayLike,
    time_to_expiry: ArrayLike,
    dividend_yield1: ArrayLike,
    dividend_yield2: ArrayLike,
    volatility1: ArrayLike,
    volatility2: ArrayLike,
    correlation: ArrayLike,
) -> Value:
    """Of max(S1 - S2, 0), exact: Margrabe (1978)."""
    domains = (*_SPOTS, _MARKET[0], *_MARKET[2:])
    arguments = checked(
        1,
        domains,
        spot1,
        spot2,
        time_to_expiry,
        dividend_yield1,
        dividend_yield2,
        volatility1,
        volatility2,
        correlation,
    )
    s1, s2, t, q1, q2, v1, v2, rho = arguments.values
    return arguments.answer(np.asarray(black_scholes.price(1, s1, s2, t, q2, q1, _relative(v1, v2, rho))))


def spread(
    option_type: ArrayLike,
    spot1: ArrayLike,
    spot2: ArrayLike,
    strike: ArrayLike,
    time_to_expiry: ArrayLike,
    rate: ArrayLike,
    dividend_yield1: ArrayLike,
    dividend_yield2: ArrayLike,
    volatility1: ArrayLike,
    volatility2: ArrayLike,
    correlation: ArrayLike,
) -> Value:
    """Of max(S1 - S2 - K, 0) or max(K - S1 + S2, 0), by Kirk's approximation (1995), exact at a strike of zero.

    The second forward and the strike together must be positive.
    """
    arguments = checked(
        option_type,
        (*_SPOTS, _STRIKE, *_MARKET),
        spot1,
        spot2,
        strike,
        time_to_expiry,
        rate,
        dividend_yield1,
        dividend_yield2,
        volatility1,
        volatility2,
        correlation,
    )
    s1, s2, x, t, r, q1, q2, v1, v2, rho = arguments.values
    forward1, forward2 = s1 * np.exp((r - q1) * t), s2 * np.exp((r - q2) * t)
    paid = forward2 + x
    raise_where(paid <= 0.0, "strike", x, lambda row: f"above minus the second forward of {forward2[row]:g}")
    volatility = _relative(v1, v2 * forward2 / paid, rho)
    undiscounted = black_scholes.price(arguments.sign, forward1, paid, t, 0.0, 0.0, volatility)
    return arguments.answer(np.exp(-r * t) * undiscounted)


def best_of(
    option_type: ArrayLike,
    spot1: ArrayLike,
    spot2: ArrayLike,
    strike: ArrayLike,
    time_to_expiry: ArrayLike,
    rate: ArrayLike,
    dividend_yield1: ArrayLike,
    dividend_yield2: ArrayLike,
    volatility1: ArrayLike,
    volatility2: ArrayLike,
    correlation: ArrayLike,
) -> Value:
    """A call or a put on the greater of two spots: Stulz (1982), Johnson (1987); Haug, section 5.2."""
    domains = (*_SPOTS, POSITIVE_STRIKE, *_MARKET)
    market = (time_to_expiry, rate, dividend_yield1, dividend_yield2, volatility1, volatility2, correlation)
    arguments = checked(option_type, domains, spot1, spot2, strike, *market)
    return _stulz(arguments, 1.0)


def worst_of(
    option_type: ArrayLike,
    spot1: ArrayLike,
    spot2: ArrayLike,
    strike: ArrayLike,
    time_to_expiry: ArrayLike,
    rate: ArrayLike,
    dividend_yield1: ArrayLike,
    dividend_yield2: ArrayLike,
    volatility1: ArrayLike,
    volatility2: ArrayLike,
    correlation: ArrayLike,
) -> Value:
    """A call or a put on the lesser of two spots; the sources of `best_of`."""
    domains = (*_SPOTS, POSITIVE_STRIKE, *_MARKET)
    market = (time_to_expiry, rate, dividend_yield1, dividend_yield2, volatility1, volatility2, correlation)
    arguments = checked(option_type, domains, spot1, spot2, strike, *market)
    return _stulz(arguments, -1.0)


def _relative(v1: Floats, v2: Floats, rho: Floats) -> Floats:
    """The volatility of the quotient of two assets."""
    return np.sqrt(np.maximum(v1**2 + v2**2 - 2.0 * rho * v1 * v2, 0.0))


def _stulz(arguments: Arguments, which: float) -> Value:
    """`which` is 1 for the greater spot and -1 for the lesser."""
    s1, s2, x, t, r, q1, q2, v1, v2, rho = arguments.values
    carried1, carried2, discounted = s1 * np.exp(-q1 * t), s2 * np.exp(-q2 * t), x * np.exp(-r * t)
    relative, root = _relative(v1, v2, rho), np.sqrt(t)
    d = standardized(np.log(s1 / s2), (q2 - q1) * t, relative * root)
    y1 = standardized(np.log(s1 / x), (r - q1) * t, v1 * root)
    y2 = standardized(np.log(s2 / x), (r - q2) * t, v2 * root)
    floor = np.maximum(relative, 1e-300)
    rho1, rho2 = (np.clip((a - rho * b) / floor, -1.0, 1.0) for a, b in ((v1, v2), (v2, v1)))
    other = relative * root - d
    shares = carried1 * bivariate_normal(y1, which * d, which * rho1)
    shares = shares + carried2 * bivariate_normal(y2, which * other, which * rho2)
    exercised = bivariate_normal(which * (v1 * root - y1), which * (v2 * root - y2), rho)
    call = shares - discounted * (1.0 - exercised if which > 0 else exercised)
    # At a strike of zero the call is the greater, or lesser, asset itself; the put follows by parity.
    asset = carried1 * normal(which * d) + carried2 * normal(which * other)
    return arguments.answer(np.maximum(np.where(arguments.sign > 0, call, call - asset + discounted), 0.0))
