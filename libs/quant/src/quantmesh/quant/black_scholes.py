"""European options after Black and Scholes (1973) and Merton (1973): constant rate, dividend yield and volatility.

`option_type` is "call", "put", 1, -1, or an array of them. Rates, yields and volatilities are fractions per year, times
are years (Act/365F); theta is per year of calendar time, vega and rho per 1.00. Arguments broadcast against each other
and the answer has their common shape; scalars give scalars. A value outside its domain, NaN included, raises
`DomainError` with the argument's name. At zero volatility or time a price is its discounted intrinsic value; there,
exactly at the money, delta is the mean of its two sides and gamma is infinite.

Cash dividends have no closed form: `american.price_with_dividends` takes them, with European exercise too.
"""

from enum import IntEnum
from typing import Literal, NamedTuple, TypeVar, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quantmesh.quant import _black_scholes_formulas as formulas
from quantmesh.quant import _implied_volatility_formulas as inverse
from quantmesh.quant._arguments import (
    DIVIDEND_YIELD,
    OPTION_TYPE_REQUIREMENT,
    PRICE,
    RATE,
    SPOT,
    STRIKE,
    TIME_TO_EXPIRY,
    VOLATILITY,
    Columns,
    Floats,
    all_scalars,
    broadcast,
    check_scalar,
    check_scalar_exponents,
    is_scalar_option_type,
    sign_of,
)
from quantmesh.quant._evaluation import Value, check_solved, evaluate, invert, shaped
from quantmesh.quant.errors import DomainError

_T = TypeVar("_T")
_Six = tuple[_T, _T, _T, _T, _T, _T]


class Greeks(NamedTuple):
    delta: Value
    gamma: Value
    vega: Value
    theta: Value
    rho: Value


class PriceAndGreeks(NamedTuple):
    price: Value
    delta: Value
    gamma: Value
    vega: Value
    theta: Value
    rho: Value


class HigherOrderGreeks(NamedTuple):
    """Derivatives with respect to time are by calendar time, as theta's: minus those by time to expiry."""

    delta: Value
    gamma: Value
    vega: Value
    theta: Value
    rho: Value
    epsilon: Value  # price by dividend yield
    vanna: Value  # delta by volatility
    charm: Value  # delta by time
    volga: Value  # vega by volatility
    veta: Value  # vega by time
    vera: Value  # rho by volatility
    speed: Value  # gamma by spot
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
    INVALID_SPOT = inverse.INVALID_SPOT
    INVALID_STRIKE = inverse.INVALID_STRIKE
    INVALID_TIME_TO_EXPIRY = inverse.INVALID_TIME_TO_EXPIRY
    INVALID_RATE = inverse.INVALID_RATE
    INVALID_DIVIDEND_YIELD = inverse.INVALID_DIVIDEND_YIELD


class ImpliedVolatilities(NamedTuple):
    """`volatility` is NaN exactly where `status` is not 0."""

    volatility: Floats
    status: NDArray[np.int8]


_RATE_REQUIREMENT = "a fraction per year, at most 1e6 in size, and 400 over the time to expiry"
# What the argument with this status must be.
REQUIREMENTS: dict[int, tuple[str, str]] = {
    Status.BELOW_INTRINSIC: ("price", "at least the discounted intrinsic value"),
    Status.ABOVE_BOUND: ("price", "below the discounted spot (call) or strike (put)"),
    Status.INVALID_OPTION_TYPE: ("option_type", OPTION_TYPE_REQUIREMENT),
    Status.INVALID_PRICE: ("price", PRICE.requirement),
    Status.INVALID_SPOT: ("spot", "a number from 1e-100 to 1e100"),
    Status.INVALID_STRIKE: ("strike", "a number from 1e-100 to 1e100"),
    Status.INVALID_TIME_TO_EXPIRY: ("time_to_expiry", "a positive number of years, at most 1e6"),
    Status.INVALID_RATE: ("rate", _RATE_REQUIREMENT),
    Status.INVALID_DIVIDEND_YIELD: ("dividend_yield", _RATE_REQUIREMENT),
}
_ARGUMENTS = ("option_type", "price", "spot", "strike", "time_to_expiry", "rate", "dividend_yield")

_DOMAINS = (SPOT, STRIKE, TIME_TO_EXPIRY, RATE, DIVIDEND_YIELD, VOLATILITY)


def price(
    option_type: ArrayLike,
    spot: ArrayLike,
    strike: ArrayLike,
    time_to_expiry: ArrayLike,
    rate: ArrayLike,
    dividend_yield: ArrayLike,
    volatility: ArrayLike,
) -> Value:
    """What the option is worth, never negative."""
    arguments = (spot, strike, time_to_expiry, rate, dividend_yield, volatility)
    if (scalars := _as_scalars(option_type, arguments)) is not None:
        return formulas.price_of_one(sign_of(option_type), *scalars)
    return _evaluate("price", 1, option_type, arguments)[0]


def price_and_greeks(
    option_type: ArrayLike,
    spot: ArrayLike,
    strike: ArrayLike,
    time_to_expiry: ArrayLike,
    rate: ArrayLike,
    dividend_yield: ArrayLike,
    volatility: ArrayLike,
) -> PriceAndGreeks:
    """Price, delta, gamma, vega, theta and rho in one pass, at little more than the cost of the price."""
    arguments = (spot, strike, time_to_expiry, rate, dividend_yield, volatility)
    if (scalars := _as_scalars(option_type, arguments)) is not None:
        return PriceAndGreeks(*formulas.price_and_greeks_of_one(sign_of(option_type), *scalars))
    return PriceAndGreeks(*_evaluate("price_and_greeks", 6, option_type, arguments))


@overload
def greeks(
    option_type: ArrayLike,
    spot: ArrayLike,
    strike: ArrayLike,
    time_to_expiry: ArrayLike,
    rate: ArrayLike,
    dividend_yield: ArrayLike,
    volatility: ArrayLike,
    *,
    higher_orders: Literal[False] = False,
) -> Greeks: ...


@overload
def greeks(
    option_type: ArrayLike,
    spot: ArrayLike,
    strike: ArrayLike,
    time_to_expiry: ArrayLike,
    rate: ArrayLike,
    dividend_yield: ArrayLike,
    volatility: ArrayLike,
    *,
    higher_orders: Literal[True],
) -> HigherOrderGreeks: ...


def greeks(
    option_type: ArrayLike,
    spot: ArrayLike,
    strike: ArrayLike,
    time_to_expiry: ArrayLike,
    rate: ArrayLike,
    dividend_yield: ArrayLike,
    volatility: ArrayLike,
    *,
    higher_orders: bool = False,
) -> Greeks | HigherOrderGreeks:
    """Delta, gamma, vega, theta and rho; with `higher_orders` also those to the third order."""
    arguments = (spot, strike, time_to_expiry, rate, dividend_yield, volatility)
    first = price_and_greeks(option_type, *arguments)[1:]
    if not higher_orders:
        return Greeks(*first)
    if (scalars := _as_scalars(option_type, arguments)) is not None:
        return HigherOrderGreeks(*first, *formulas.higher_order_greeks_of_one(sign_of(option_type), *scalars))
    return HigherOrderGreeks(*first, *_evaluate("higher_order_greeks", 10, option_type, arguments))


def implied_volatility(
    price: ArrayLike,
    option_type: ArrayLike,
    spot: ArrayLike,
    strike: ArrayLike,
    time_to_expiry: ArrayLike,
    rate: ArrayLike,
    dividend_yield: ArrayLike,
) -> Value:
    """The volatility that reproduces the price, to the last bits that the price determines.

    A price at its intrinsic value gives 0. Raises `DomainError` for the first price that no volatility reproduces.
    """
    arguments = (price, spot, strike, time_to_expiry, rate, dividend_yield)
    if is_scalar_option_type(option_type) and all_scalars(arguments):
        volatility, status = inverse.implied_volatility_of_one(sign_of(option_type), *arguments)
        if status != inverse.SOLVED:
            name, requirement = REQUIREMENTS[Status(status)]
            raise DomainError(name, arguments[_ARGUMENTS.index(name) - 1], requirement)
        return volatility
    columns = broadcast(option_type, *arguments)
    volatilities, statuses = _solve(columns)
    check_solved(columns, statuses, _ARGUMENTS, REQUIREMENTS)
    return shaped(volatilities, columns)


def implied_volatilities(
    price: ArrayLike,
    option_type: ArrayLike,
    spot: ArrayLike,
    strike: ArrayLike,
    time_to_expiry: ArrayLike,
    rate: ArrayLike,
    dividend_yield: ArrayLike,
) -> ImpliedVolatilities:
    """As `implied_volatility`, but a row without an answer says why in its status and leaves the others alone.

    Only an option type that is neither a name nor a number raises.
    """
    columns = broadcast(option_type, price, spot, strike, time_to_expiry, rate, dividend_yield, check_signs=False)
    volatilities, statuses = _solve(columns)
    return ImpliedVolatilities(volatilities.reshape(columns.shape), statuses.reshape(columns.shape))


def load_kernels() -> None:
    """Compile what arrays need, or read it from the cache, ahead of the first call."""
    from quantmesh.quant import _black_scholes_kernels, _implied_volatility_kernels  # noqa: F401  importing loads them


def _solve(columns: Columns) -> tuple[Floats, NDArray[np.int8]]:
    # Numba takes 0.7 s to import: on first use.
    from quantmesh.quant import _implied_volatility_kernels as kernels

    return invert(columns, kernels.implied_volatility)


def _as_scalars(option_type: ArrayLike, arguments: _Six[ArrayLike]) -> _Six[float] | None:
    """The arguments, checked, where all are scalars."""
    if not (is_scalar_option_type(option_type) and all_scalars(arguments)):
        return None
    spot, strike, time_to_expiry, rate, dividend_yield, volatility = arguments
    scalars = (
        check_scalar(spot, SPOT),
        check_scalar(strike, STRIKE),
        check_scalar(time_to_expiry, TIME_TO_EXPIRY),
        check_scalar(rate, RATE),
        check_scalar(dividend_yield, DIVIDEND_YIELD),
        check_scalar(volatility, VOLATILITY),
    )
    check_scalar_exponents(*scalars[2:5])
    return scalars


def _evaluate(kernel: str, count: int, option_type: ArrayLike, arguments: tuple[ArrayLike, ...]) -> tuple[Value, ...]:
    columns = broadcast(option_type, *arguments)
    # Numba takes 0.7 s to import: on first use.
    from quantmesh.quant import _black_scholes_kernels as kernels

    return evaluate(columns, _DOMAINS, count, getattr(kernels, kernel))
