"""European options under Heston (1993): stochastic variance that reverts to its mean, correlated with the spot.

    dS / S = (r - q) dt + sqrt(v) dW,   dv = kappa (theta - v) dt + sigma sqrt(v) dZ,   dW dZ = rho dt,   v(0) = v0

`v0` and `theta` are variances per year (0.04 for a volatility of 20 %), `kappa` and `sigma` are per year, `rho` is a
correlation. The other arguments, broadcasting and errors are those of `black_scholes`. A price's
error is of the order of 1e-12 times the geometric mean of forward and strike, with or without Feller's condition (ten
times that with correlations next to -1 and 1; a strike exactly where a perfectly correlated spot ends may raise).
"""

from typing import NamedTuple

from numpy.typing import ArrayLike

from quantmesh.quant._evaluation import Value
from quantmesh.quant._heston_evaluation import GREEKS_ROWS, HESTON_ROWS, PRICE_ROWS, evaluate_rows
from quantmesh.quant.black_scholes import Greeks, PriceAndGreeks

_NO_JUMPS = (0.0, 0.0, 0.0)


class ParameterGradients(NamedTuple):
    """Derivatives of the price."""

    v0: Value
    kappa: Value
    theta: Value
    sigma: Value
    rho: Value


def price(
    option_type: ArrayLike,
    spot: ArrayLike,
    strike: ArrayLike,
    time_to_expiry: ArrayLike,
    rate: ArrayLike,
    dividend_yield: ArrayLike,
    *,
    v0: ArrayLike,
    kappa: ArrayLike,
    theta: ArrayLike,
    sigma: ArrayLike,
    rho: ArrayLike,
) -> Value:
    """What the option is worth, never below its discounted intrinsic value."""
    contract = (spot, strike, time_to_expiry, rate, dividend_yield)
    return evaluate_rows(option_type, (*contract, v0, kappa, theta, sigma, rho, *_NO_JUMPS), PRICE_ROWS)[0]


def price_and_greeks(
    option_type: ArrayLike,
    spot: ArrayLike,
    strike: ArrayLike,
    time_to_expiry: ArrayLike,
    rate: ArrayLike,
    dividend_yield: ArrayLike,
    *,
    v0: ArrayLike,
    kappa: ArrayLike,
    theta: ArrayLike,
    sigma: ArrayLike,
    rho: ArrayLike,
) -> PriceAndGreeks:
    """Both in one pass; the Greeks are those of `greeks`."""
    contract = (spot, strike, time_to_expiry, rate, dividend_yield)
    return PriceAndGreeks(
        *evaluate_rows(option_type, (*contract, v0, kappa, theta, sigma, rho, *_NO_JUMPS), GREEKS_ROWS)
    )


def greeks(
    option_type: ArrayLike,
    spot: ArrayLike,
    strike: ArrayLike,
    time_to_expiry: ArrayLike,
    rate: ArrayLike,
    dividend_yield: ArrayLike,
    *,
    v0: ArrayLike,
    kappa: ArrayLike,
    theta: ArrayLike,
    sigma: ArrayLike,
    rho: ArrayLike,
) -> Greeks:
    """At unchanged parameters. Vega is per 1.00 of the initial volatility sqrt(v0): 2 sqrt(v0) times the slope in v0.

    Where the variance to expiry is zero, vega is 0 and the others are those of the discounted intrinsic value.
    """
    contract = (spot, strike, time_to_expiry, rate, dividend_yield)
    return Greeks(*evaluate_rows(option_type, (*contract, v0, kappa, theta, sigma, rho, *_NO_JUMPS), GREEKS_ROWS)[1:])


def parameter_gradients(
    option_type: ArrayLike,
    spot: ArrayLike,
    strike: ArrayLike,
    time_to_expiry: ArrayLike,
    rate: ArrayLike,
    dividend_yield: ArrayLike,
    *,
    v0: ArrayLike,
    kappa: ArrayLike,
    theta: ArrayLike,
    sigma: ArrayLike,
    rho: ArrayLike,
) -> ParameterGradients:
    """Derivatives of the price, in closed form under the integral; a call's are those of its put."""
    contract = (spot, strike, time_to_expiry, rate, dividend_yield)
    return ParameterGradients(
        *evaluate_rows(option_type, (*contract, v0, kappa, theta, sigma, rho, *_NO_JUMPS), HESTON_ROWS)[6:]
    )


def load_kernels() -> None:
    """Compile what the models need, or read it from the cache, ahead of the first call."""
    from quantmesh.quant import _heston_kernels  # noqa: F401  importing loads them
