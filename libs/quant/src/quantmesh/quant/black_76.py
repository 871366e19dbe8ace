"""European options on a forward after Black (1976): constant rate and volatility.

Black and Scholes with the rate for the dividend yield; the Greeks are those by the forward, with the rate acting on the
discount factor alone. Conventions, errors and limits are those of `black_scholes`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from typing import Literal, NamedTuple, overload

import numpy as np
from numpy.typing import ArrayLike

from quantmesh.quant import _implied_volatility_formulas as inverse
from quantmesh.quant import black_scholes
from quantmesh.quant._evaluation import Value
from quantmesh.quant.black_scholes import Greeks, ImpliedVolatilities, PriceAndGreeks
from quantmesh.quant.errors import DomainError


class HigherOrderGreeks(NamedTuple):
    """Derivatives at an unmoved forward; those by time are by calendar time, as theta's."""

    delta: Value
    gamma: Value
    vega: Value
    theta: Value
    rho: Value
    vanna: Value  # delta by volatility
    charm: Value  # delta by time
    volga: Value  # vega by volatility
    veta: Value  # vega by time
    vera: Value  # rho by volatility
    speed: Value  # gamma by forward
    zomma: Value  # gamma by volatility
    color: Value  # gamma by time
    ultima: Value  # volga by volatility


class Status(IntEnum):
    """Why a row has no implied volatility; 0 where it has one."""

    SOLVED = inverse.SOLVED
    BELOW_INTRINSIC = inverse.BELOW_INTRINSIC
    ABOVE_BOUND = inverse.ABOVE_BOUND
    INVALID_OPTION_TYPE = inverse.INVALID_OPTION_TYPE
    INVALID_PRICE = inverse.INVALID_PRICE
    INVALID_FORWARD = inverse.INVALID_SPOT
    INVALID_STRIKE = inverse.INVALID_STRIKE
    INVALID_TIME_TO_EXPIRY = inverse.INVALID_TIME_TO_EXPIRY
    INVALID_RATE = inverse.INVALID_RATE


# What the argument with this status must be.
REQUIREMENTS: dict[int, tuple[str, str]] = {
    status: ("forward" if name == "spot" else name, requirement.replace("spot", "forward"))
    for status, (name, requirement) in black_scholes.REQUIREMENTS.items()
    if name != "dividend_yield"
}


def price(
    option_type: ArrayLike,
    forward: ArrayLike,
    strike: ArrayLike,
    time_to_expiry: ArrayLike,
    rate: ArrayLike,
    volatility: ArrayLike,
) -> Value:
    """What the option is worth, never negative."""
    with _forward_for_spot():
        return black_scholes.price(option_type, forward, strike, time_to_expiry, rate, rate, volatility)


def price_and_greeks(
    option_type: ArrayLike,
    forward: ArrayLike,
    strike: ArrayLike,
    time_to_expiry: ArrayLike,
    rate: ArrayLike,
    volatility: ArrayLike,
) -> PriceAndGreeks:
    """Price, delta, gamma, vega, theta and rho in one pass, at little more than the cost of the price."""
    with _forward_for_spot():
        priced = black_scholes.price_and_greeks(option_type, forward, strike, time_to_expiry, rate, rate, volatility)
    return priced._replace(rho=_by_rate(priced.price, time_to_expiry))


@overload
def greeks(
    option_type: ArrayLike,
    forward: ArrayLike,
    strike: ArrayLike,
    time_to_expiry: ArrayLike,
    rate: ArrayLike,
    volatility: ArrayLike,
    *,
    higher_orders: Literal[False] = False,
) -> Greeks: ...


@overload
def greeks(
    option_type: ArrayLike,
    forward: ArrayLike,
    strike: ArrayLike,
    time_to_expiry: ArrayLike,
    rate: ArrayLike,
    volatility: ArrayLike,
    *,
    higher_orders: Literal[True],
) -> HigherOrderGreeks: ...


def greeks(
    option_type: ArrayLike,
    forward: ArrayLike,
    strike: ArrayLike,
    time_to_expiry: ArrayLike,
    rate: ArrayLike,
    volatility: ArrayLike,
    *,
    higher_orders: bool = False,
) -> Greeks | HigherOrderGreeks:
    """Delta, gamma, vega, theta and rho; with `higher_orders` also those to the third order."""
    arguments = (option_type, forward, strike, time_to_expiry, rate)
    if not higher_orders:
        return Greeks(*price_and_greeks(*arguments, volatility)[1:])
    rho = _by_rate(price(*arguments, volatility), time_to_expiry)
    all_orders = black_scholes.greeks(*arguments, rate, volatility, higher_orders=True)
    shared = {name: value for name, value in all_orders._asdict().items() if name in HigherOrderGreeks._fields}
    return HigherOrderGreeks(**shared)._replace(rho=rho, vera=_by_rate(all_orders.vega, time_to_expiry))


def implied_volatility(
    price: ArrayLike,
    option_type: ArrayLike,
    forward: ArrayLike,
    strike: ArrayLike,
    time_to_expiry: ArrayLike,
    rate: ArrayLike,
) -> Value:
    """The volatility that reproduces the price, to the last bits that the price determines.

    A price at its intrinsic value gives 0. Raises `DomainError` for the first price that no volatility reproduces.
    """
    with _forward_for_spot():
        return black_scholes.implied_volatility(price, option_type, forward, strike, time_to_expiry, rate, rate)


def implied_volatilities(
    price: ArrayLike,
    option_type: ArrayLike,
    forward: ArrayLike,
    strike: ArrayLike,
    time_to_expiry: ArrayLike,
    rate: ArrayLike,
) -> ImpliedVolatilities:
    """As `implied_volatility`, but a row without an answer says why in its status and leaves the others alone.

    Only an option type that is neither a name nor a number raises.
    """
    return black_scholes.implied_volatilities(price, option_type, forward, strike, time_to_expiry, rate, rate)


def _by_rate(value: Value, time_to_expiry: ArrayLike) -> Value:
    """The derivative by the rate of what the rate merely discounts; 0 has no sign."""
    derivative = 0.0 - np.asarray(time_to_expiry) * value
    return derivative if isinstance(value, np.ndarray) else float(derivative)


@contextmanager
def _forward_for_spot() -> Iterator[None]:
    """An error names the argument that this module has."""
    try:
        yield
    except DomainError as error:
        name = "forward" if error.argument == "spot" else error.argument
        raise DomainError(name, error.value, error.requirement.replace("spot", "forward"), error.index) from None
