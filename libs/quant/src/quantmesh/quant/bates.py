"""European options under Bates (1996): Heston's stochastic variance and jumps of the spot as Merton's (1976).

`jump_intensity` jumps a year multiply the spot by e^J, with J normal of mean `jump_mean` and deviation
`jump_volatility`; the drift makes up for their mean growth e^(jump_mean + jump_volatility^2 / 2) - 1. Everything else,
accuracy included, is as in `heston`.
"""

from typing import NamedTuple

from numpy.typing import ArrayLike

from quantmesh.quant._evaluation import Value
from quantmesh.quant._heston_evaluation import BATES_ROWS, GREEKS_ROWS, PRICE_ROWS, evaluate_rows
from quantmesh.quant.black_scholes import Greeks, PriceAndGreeks


class ParameterGradients(NamedTuple):
    """Derivatives of the price."""

    v0: Value
    kappa: Value
    theta: Value
    sigma: Value
    rho: Value
    jump_intensity: Value
    jump_mean: Value
    jump_volatility: Value


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
    jump_intensity: ArrayLike,
    jump_mean: ArrayLike,
    jump_volatility: ArrayLike,
) -> Value:
    """What the option is worth, never below its discounted intrinsic value."""
    contract = (spot, strike, time_to_expiry, rate, dividend_yield)
    law = (v0, kappa, theta, sigma, rho, jump_intensity, jump_mean, jump_volatility)
    return evaluate_rows(option_type, (*contract, *law), PRICE_ROWS)[0]


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
    jump_intensity: ArrayLike,
    jump_mean: ArrayLike,
    jump_volatility: ArrayLike,
) -> PriceAndGreeks:
    """Both in one pass; the Greeks are those of `greeks`."""
    contract = (spot, strike, time_to_expiry, rate, dividend_yield)
    law = (v0, kappa, theta, sigma, rho, jump_intensity, jump_mean, jump_volatility)
    return PriceAndGreeks(*evaluate_rows(option_type, (*contract, *law), GREEKS_ROWS))


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
    jump_intensity: ArrayLike,
    jump_mean: ArrayLike,
    jump_volatility: ArrayLike,
) -> Greeks:
    """As `heston.greeks`: at unchanged parameters, vega per 1.00 of the initial volatility sqrt(v0)."""
    contract = (spot, strike, time_to_expiry, rate, dividend_yield)
    law = (v0, kappa, theta, sigma, rho, jump_intensity, jump_mean, jump_volatility)
    return Greeks(*evaluate_rows(option_type, (*contract, *law), GREEKS_ROWS)[1:])


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
    jump_intensity: ArrayLike,
    jump_mean: ArrayLike,
    jump_volatility: ArrayLike,
) -> ParameterGradients:
    """Derivatives of the price, in closed form under the integral; a call's are those of its put."""
    contract = (spot, strike, time_to_expiry, rate, dividend_yield)
    law = (v0, kappa, theta, sigma, rho, jump_intensity, jump_mean, jump_volatility)
    return ParameterGradients(*evaluate_rows(option_type, (*contract, *law), BATES_ROWS)[6:])
