"""American options on a spot with constant rate, dividend yield and volatility, or with cash dividends.

Arguments, units, broadcasting and errors are those of `black_scholes`. The exercise boundary is found by spectral
collocation after Andersen, Lake and Offengenden, "High Performance American Option Pricing" (2016), for rates and
yields of either sign: an option that is never exercised early is priced in closed form, one with two boundaries (a put
with dividend_yield < rate < 0; Andersen and Lake, 2021) from both, found likewise and combined until they meet.

`accuracy` sets the error of a price, per 100 of the larger of spot and strike: root mean squares are some 1e-4 with
"fast" and 1e-5 with "accurate", and "high_precision" errs by 1e-8 over lives of days to years. Where rate or yield
amount to more than 0.4 over the life, or the drift raises a put's spot (lowers a call's) by more than 1.5 deviations,
more points are taken, at some eight times the cost. Over lives of up to 24 years, volatilities from 2 to 150 % and
rates and yields up to 15 % the largest errors found are 3e-3 (8e-3 where that drift is beyond eight deviations), 2e-4
and 1e-6; at next to no volatility over lifetimes (0.1 % over 88 years) they are some 9e-2, 6e-2 and 2e-3. Two
boundaries are left to finite differences, with errors of some 1e-4, where a put's (rate - dividend_yield)
sqrt(time_to_expiry) / volatility is beyond 2.5 to 3. An option that is worth exercising has its intrinsic value, a
delta of 1 or -1, and its other Greeks are 0.
"""

import math
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from quantmesh.quant._american_evaluation import (
    DOMAINS,
    greeks_with_dividends,
    prices,
    prices_and_greeks,
    prices_over_spots,
    with_dividends,
)
from quantmesh.quant._american_grid import LARGEST_DEVIATION
from quantmesh.quant._american_implied_volatility import solve
from quantmesh.quant._american_schemes import SIZES, Accuracy
from quantmesh.quant._arguments import SPOT, Columns, Floats, broadcast
from quantmesh.quant._evaluation import Value, check_solved, shaped
from quantmesh.quant.black_scholes import REQUIREMENTS as EUROPEAN_REQUIREMENTS
from quantmesh.quant.black_scholes import Greeks, ImpliedVolatilities, PriceAndGreeks, Status
from quantmesh.quant.errors import DomainError

_SMALLEST_TIME = 1e-9
_INVERSE_ARGUMENTS = ("option_type", "price", "spot", "strike", "time_to_expiry", "rate", "dividend_yield")
# What the argument with this status must be.
REQUIREMENTS = {
    **EUROPEAN_REQUIREMENTS,
    Status.BELOW_INTRINSIC: ("price", "at least what the option is worth without volatility"),
    Status.ABOVE_BOUND: ("price", "below spot (call) or strike (put), carried to expiry where that is more"),
}


def price(
    option_type: ArrayLike,
    spot: ArrayLike,
    strike: ArrayLike,
    time_to_expiry: ArrayLike,
    rate: ArrayLike,
    dividend_yield: ArrayLike,
    volatility: ArrayLike,
    accuracy: Accuracy = "accurate",
) -> Value:
    """What the option is worth, never less than its intrinsic value."""
    _check_accuracy(accuracy)
    columns = broadcast(option_type, spot, strike, time_to_expiry, rate, dividend_yield, volatility)
    return shaped(prices(columns, accuracy), columns)


def price_and_greeks(
    option_type: ArrayLike,
    spot: ArrayLike,
    strike: ArrayLike,
    time_to_expiry: ArrayLike,
    rate: ArrayLike,
    dividend_yield: ArrayLike,
    volatility: ArrayLike,
    accuracy: Accuracy = "accurate",
) -> PriceAndGreeks:
    """Price, delta, gamma, vega, theta and rho, at five times the cost of the price.

    Delta and gamma are derivatives of the integral, theta follows from the Black-Scholes equation, vega and rho are
    central differences of prices.
    """
    _check_accuracy(accuracy)
    columns = broadcast(option_type, spot, strike, time_to_expiry, rate, dividend_yield, volatility)
    outputs = prices_and_greeks(columns, accuracy)
    return PriceAndGreeks(*(shaped(np.ascontiguousarray(output), columns) for output in outputs.T))


def greeks(
    option_type: ArrayLike,
    spot: ArrayLike,
    strike: ArrayLike,
    time_to_expiry: ArrayLike,
    rate: ArrayLike,
    dividend_yield: ArrayLike,
    volatility: ArrayLike,
    accuracy: Accuracy = "accurate",
) -> Greeks:
    """Delta, gamma, vega, theta and rho, as `price_and_greeks`."""
    contract = (option_type, spot, strike, time_to_expiry, rate, dividend_yield, volatility)
    return Greeks(*price_and_greeks(*contract, accuracy)[1:])


def price_over_spots(
    option_type: ArrayLike,
    spots: ArrayLike,
    strike: ArrayLike,
    time_to_expiry: ArrayLike,
    rate: ArrayLike,
    dividend_yield: ArrayLike,
    volatility: ArrayLike,
    accuracy: Accuracy = "accurate",
) -> Floats:
    """Many spots per contract, much faster than by `price`: the exercise boundary does not depend on the spot.

    The last axis of `spots` are the scenarios of one contract: the other arguments broadcast against each other and
    against the axes before it, and the answer has their common shape and then the scenarios. So (contracts, scenarios)
    spots go with (contracts,) strikes, and one row of scenarios with any contracts. Where volatilities or rates are
    shifted as well, give them an axis: (contracts, shifts, scenarios) spots with (contracts, shifts) volatilities.
    """
    _check_accuracy(accuracy)
    grid = np.asarray(spots, np.float64)
    if grid.ndim == 0:
        raise DomainError("spots", f"the scalar {grid}", "an array whose last axis are one contract's scenarios")
    if grid.size and not (grid.min() >= SPOT.minimum and grid.max() <= SPOT.maximum):
        wrong = int(np.flatnonzero(~((grid.ravel() >= SPOT.minimum) & (grid.ravel() <= SPOT.maximum)))[0])
        raise DomainError("spots", grid.flat[wrong], SPOT.requirement, wrong)
    scenarios = grid.shape[-1]
    # The sum of shapes: a row of zeros per contract of `spots`.
    strikes = np.asarray(strike, np.float64) + np.zeros(grid.shape[:-1])
    columns = broadcast(option_type, strikes, time_to_expiry, rate, dividend_yield, volatility)
    if grid.size != scenarios:
        grid = np.broadcast_to(grid, (*columns.shape, scenarios))
    outputs = prices_over_spots(columns, np.ascontiguousarray(grid.reshape(-1, scenarios)), accuracy)
    return outputs.reshape(*columns.shape, scenarios)


def implied_volatility(
    price: ArrayLike,
    option_type: ArrayLike,
    spot: ArrayLike,
    strike: ArrayLike,
    time_to_expiry: ArrayLike,
    rate: ArrayLike,
    dividend_yield: ArrayLike,
    accuracy: Accuracy = "accurate",
) -> Value:
    """The volatility that reproduces the price: the least one, where several do since the option is exercised at once.

    Raises `DomainError` for the first price that no volatility reproduces.
    """
    _check_accuracy(accuracy)
    columns = broadcast(option_type, price, spot, strike, time_to_expiry, rate, dividend_yield)
    volatilities, statuses = solve(columns, accuracy)
    check_solved(columns, statuses, _INVERSE_ARGUMENTS, REQUIREMENTS)
    return shaped(volatilities, columns)


def implied_volatilities(
    price: ArrayLike,
    option_type: ArrayLike,
    spot: ArrayLike,
    strike: ArrayLike,
    time_to_expiry: ArrayLike,
    rate: ArrayLike,
    dividend_yield: ArrayLike,
    accuracy: Accuracy = "accurate",
) -> ImpliedVolatilities:
    """As `implied_volatility`, but a row without an answer says why in its status and leaves the others alone."""
    _check_accuracy(accuracy)
    columns = broadcast(option_type, price, spot, strike, time_to_expiry, rate, dividend_yield, check_signs=False)
    volatilities, statuses = solve(columns, accuracy)
    return ImpliedVolatilities(volatilities.reshape(columns.shape), statuses.reshape(columns.shape))


def price_with_dividends(
    option_type: ArrayLike,
    spot: ArrayLike,
    strike: ArrayLike,
    time_to_expiry: ArrayLike,
    rate: ArrayLike,
    dividend_yield: ArrayLike,
    volatility: ArrayLike,
    dividend_times: ArrayLike,
    dividend_amounts: ArrayLike,
    *,
    exercise: Literal["american", "european"] = "american",
    accuracy: Accuracy = "accurate",
) -> Value:
    """Options on a spot that falls by `dividend_amounts` after `dividend_times` years, the same for all options.

    Between dividends the spot itself has the volatility; one that is lower than a dividend falls to 0. A dividend at
    expiry is paid before it, and an American option can be exercised just before every dividend; those after expiry do
    not count. The deviation to expiry is at most 3. By finite differences on two grids, so some milliseconds each;
    errors are at a spot of 100 some 1e-4, 1e-5 and 1e-6 for the three accuracies.
    """
    columns, times, amounts = _paying(
        option_type, (spot, strike, time_to_expiry, rate, dividend_yield, volatility), dividend_times, dividend_amounts
    )
    american = _is_american(exercise, accuracy)
    _, found = with_dividends(columns, times, amounts, accuracy, american=american)
    return shaped(np.ascontiguousarray(found[:, 0]), columns)


def price_and_greeks_with_dividends(
    option_type: ArrayLike,
    spot: ArrayLike,
    strike: ArrayLike,
    time_to_expiry: ArrayLike,
    rate: ArrayLike,
    dividend_yield: ArrayLike,
    volatility: ArrayLike,
    dividend_times: ArrayLike,
    dividend_amounts: ArrayLike,
    *,
    exercise: Literal["american", "european"] = "american",
    accuracy: Accuracy = "accurate",
) -> PriceAndGreeks:
    """As `price_with_dividends`, with delta, gamma, vega, theta and rho, at five times the cost of the price.

    Delta and gamma are those of the grid, theta (towards fixed dates of the dividends) follows from the Black-Scholes
    equation, vega and rho are central differences of prices; they err by some 1e-3 of themselves at worst.
    """
    columns, times, amounts = _paying(
        option_type, (spot, strike, time_to_expiry, rate, dividend_yield, volatility), dividend_times, dividend_amounts
    )
    american = _is_american(exercise, accuracy)
    outputs = greeks_with_dividends(columns, times, amounts, accuracy, american=american)
    return PriceAndGreeks(*(shaped(np.ascontiguousarray(output), columns) for output in outputs.T))


def load_kernels() -> None:
    """Compile what these functions need, or read it from the cache, ahead of the first call."""
    from quantmesh.quant import _american_grid_kernels, _american_kernels, black_scholes  # noqa: F401  importing loads them

    black_scholes.load_kernels()


def _check_accuracy(accuracy: str) -> None:
    if accuracy not in SIZES:
        raise DomainError("accuracy", repr(accuracy), " or ".join(map(repr, SIZES)))


def _is_american(exercise: str, accuracy: str) -> bool:
    _check_accuracy(accuracy)
    if exercise not in {"american", "european"}:
        raise DomainError("exercise", repr(exercise), '"american" or "european"')
    return exercise == "american"


def _paying(
    option_type: ArrayLike, contract: tuple[ArrayLike, ...], dividend_times: ArrayLike, dividend_amounts: ArrayLike
) -> tuple[Columns, Floats, Floats]:
    """The contracts, checked, and the dividends in order of their times."""
    times, amounts = _dividends(dividend_times, dividend_amounts)
    columns = broadcast(option_type, *contract)
    if columns.rows:
        columns.check(DOMAINS, 0, columns.rows)
        _, _, time, _, _, volatility = columns.values
        wide = np.flatnonzero(np.broadcast_to(volatility * np.sqrt(time) > LARGEST_DEVIATION, columns.rows))
        if wide.size:
            row = int(wide[0])
            most = LARGEST_DEVIATION / math.sqrt(columns.value(3, row))
            requirement = f"at most {most:.6g} over {columns.value(3, row):.6g} years with cash dividends"
            raise DomainError("volatility", columns.value(6, row), requirement, row if columns.shape else None)
    return columns, times, amounts


def _dividends(dividend_times: ArrayLike, dividend_amounts: ArrayLike) -> tuple[Floats, Floats]:
    """In order of their times."""
    times, amounts = (np.atleast_1d(np.asarray(given, np.float64)) for given in (dividend_times, dividend_amounts))
    if times.ndim != 1 or times.shape != amounts.shape:
        raise DomainError("dividend_amounts", f"shape {amounts.shape}", f"one per dividend time, shape {times.shape}")
    for name, values, least, requirement in (
        ("dividend_times", times, _SMALLEST_TIME, "a positive number of years"),
        ("dividend_amounts", amounts, 0.0, "a finite amount, not negative"),
    ):
        wrong = np.flatnonzero(~((values >= least) & (values < np.inf)))
        if wrong.size:
            raise DomainError(name, values[wrong[0]], requirement, int(wrong[0]))
    order = np.argsort(times, kind="stable")
    return times[order], amounts[order]
