"""European options after Bachelier (1900): the forward moves by amounts, not by fractions, and may be negative.

`volatility` is in units of the forward per root of a year. `option_type` is "call", "put", 1, -1, or an array of them;
the rate is a fraction per year, times are years; theta is per year of calendar time, vega and rho per 1.00. Arguments
broadcast against each other and the answer has their common shape; scalars give scalars. A value outside its domain,
NaN included, raises `DomainError` with the argument's name. At zero volatility or time a price is its discounted
intrinsic value; there, exactly at the money, delta is the mean of its two sides and gamma is infinite.
"""

from enum import IntEnum
from typing import Literal, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quantmesh.quant import _bachelier_formulas as formulas
from quantmesh.quant._arguments import (
    OPTION_TYPE_REQUIREMENT,
    PRICE,
    RATE,
    SIGNED_FORWARD,
    SIGNED_STRIKE,
    TIME_TO_EXPIRY,
    Columns,
    Domain,
    Floats,
    all_scalars,
    broadcast,
    check_scalar,
    check_scalar_exponents,
    is_scalar_option_type,
    sign_of,
)
from quantmesh.quant._evaluation import Value, check_solved, evaluate, invert, shaped
from quantmesh.quant._limits import LARGEST_AMOUNT
from quantmesh.quant.black_76 import HigherOrderGreeks
from quantmesh.quant.black_scholes import Greeks, ImpliedVolatilities, PriceAndGreeks
from quantmesh.quant.errors import DomainError

_VOLATILITY = Domain("volatility", 0.0, LARGEST_AMOUNT, f"a number from 0 to {LARGEST_AMOUNT:g}")
_DOMAINS = (SIGNED_FORWARD, SIGNED_STRIKE, TIME_TO_EXPIRY, RATE, _VOLATILITY)


class Status(IntEnum):
    """Why a row has no implied volatility; 0 where it has one."""

    SOLVED = formulas.SOLVED
    BELOW_INTRINSIC = formulas.BELOW_INTRINSIC
    INVALID_OPTION_TYPE = formulas.INVALID_OPTION_TYPE
    INVALID_PRICE = formulas.INVALID_PRICE
    INVALID_FORWARD = formulas.INVALID_FORWARD
    INVALID_STRIKE = formulas.INVALID_STRIKE
    INVALID_TIME_TO_EXPIRY = formulas.INVALID_TIME_TO_EXPIRY
    INVALID_RATE = formulas.INVALID_RATE


# What the argument with this status must be.
REQUIREMENTS: dict[int, tuple[str, str]] = {
    Status.BELOW_INTRINSIC: ("price", "at least the discounted intrinsic value"),
    Status.INVALID_OPTION_TYPE: ("option_type", OPTION_TYPE_REQUIREMENT),
    Status.INVALID_PRICE: ("price", PRICE.requirement),
    Status.INVALID_FORWARD: ("forward", SIGNED_FORWARD.requirement),
    Status.INVALID_STRIKE: ("strike", SIGNED_STRIKE.requirement),
    Status.INVALID_TIME_TO_EXPIRY: ("time_to_expiry", "a positive number of years, at most 1e6"),
    Status.INVALID_RATE: ("rate", "a fraction per year, at most 1e6 in size, and 400 over the time to expiry"),
}
_ARGUMENTS = ("option_type", "price", "forward", "strike", "time_to_expiry", "rate")


def price(
    option_type: ArrayLike,
    forward: ArrayLike,
    strike: ArrayLike,
    time_to_expiry: ArrayLike,
    rate: ArrayLike,
    volatility: ArrayLike,
) -> Value:
    """What the option is worth, never negative."""
    arguments = (forward, strike, time_to_expiry, rate, volatility)
    if (scalars := _as_scalars(option_type, arguments)) is not None:
        return formulas.price_of_one(sign_of(option_type), *scalars)
    return _evaluate("price", 1, option_type, arguments)[0]


def price_and_greeks(
    option_type: ArrayLike,
    forward: ArrayLike,
    strike: ArrayLike,
    time_to_expiry: ArrayLike,
    rate: ArrayLike,
    volatility: ArrayLike,
) -> PriceAndGreeks:
    """Price, delta, gamma, vega, theta and rho in one pass, at little more than the cost of the price."""
    arguments = (forward, strike, time_to_expiry, rate, volatility)
    if (scalars := _as_scalars(option_type, arguments)) is not None:
        return PriceAndGreeks(*formulas.price_and_greeks_of_one(sign_of(option_type), *scalars))
    return PriceAndGreeks(*_evaluate("price_and_greeks", 6, option_type, arguments))


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
    arguments = (forward, strike, time_to_expiry, rate, volatility)
    first = price_and_greeks(option_type, *arguments)[1:]
    if not higher_orders:
        return Greeks(*first)
    if (scalars := _as_scalars(option_type, arguments)) is not None:
        return HigherOrderGreeks(*first, *formulas.higher_order_greeks_of_one(sign_of(option_type), *scalars))
    return HigherOrderGreeks(*first, *_evaluate("higher_order_greeks", 9, option_type, arguments))


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
    arguments = (price, forward, strike, time_to_expiry, rate)
    if is_scalar_option_type(option_type) and all_scalars(arguments):
        volatility, status = formulas.implied_volatility_of_one(sign_of(option_type), *arguments)
        if status != formulas.SOLVED:
            name, requirement = REQUIREMENTS[status]
            raise DomainError(name, arguments[_ARGUMENTS.index(name) - 1], requirement)
        return volatility
    columns = broadcast(option_type, *arguments)
    volatilities, statuses = _solve(columns)
    check_solved(columns, statuses, _ARGUMENTS, REQUIREMENTS)
    return shaped(volatilities, columns)


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
    columns = broadcast(option_type, price, forward, strike, time_to_expiry, rate, check_signs=False)
    volatilities, statuses = _solve(columns)
    return ImpliedVolatilities(volatilities.reshape(columns.shape), statuses.reshape(columns.shape))


def load_kernels() -> None:
    """Compile what arrays need, or read it from the cache, ahead of the first call."""
    from quantmesh.quant import _bachelier_kernels  # noqa: F401  importing loads them


def _solve(columns: Columns) -> tuple[Floats, NDArray[np.int8]]:
    # Numba takes 0.7 s to import: on first use.
    from quantmesh.quant import _bachelier_kernels as kernels

    return invert(columns, kernels.implied_volatility)


def _as_scalars(option_type: ArrayLike, arguments: tuple[ArrayLike, ...]) -> tuple[float, ...] | None:
    """The arguments, checked, where all are scalars."""
    if not (is_scalar_option_type(option_type) and all_scalars(arguments)):
        return None
    scalars = tuple(check_scalar(value, domain) for value, domain in zip(arguments, _DOMAINS, strict=True))
    check_scalar_exponents(scalars[2], scalars[3], 0.0)
    return scalars


def _evaluate(kernel: str, count: int, option_type: ArrayLike, arguments: tuple[ArrayLike, ...]) -> tuple[Value, ...]:
    columns = broadcast(option_type, *arguments)
    # Numba takes 0.7 s to import: on first use.
    from quantmesh.quant import _bachelier_kernels as kernels

    return evaluate(columns, _DOMAINS, count, getattr(kernels, kernel))
