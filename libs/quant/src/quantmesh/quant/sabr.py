"""Implied volatilities under SABR (Hagan, Kumar, Lesniewski and Woodward 2002), a forward with stochastic volatility:

    dF = a (F + shift)^beta dW,   da = nu a dZ,   dW dZ = rho dt,   a(0) = alpha

By the authors' own expansions, which markets quote by: they err in the second order of nu^2 T, and far from the money
where beta < 1 (there Obloj's leading term is the consistent one). `rho` lies strictly between -1 and 1, `beta` in
[0, 1]; times are years. Arguments broadcast, scalars give scalars, and a value outside its domain raises `DomainError`,
as does an expiry too long for the expansion to give a positive volatility.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quantmesh.quant import _sabr_formulas as formulas
from quantmesh.quant import bachelier, black_76
from quantmesh.quant._arguments import SIGNED_FORWARD, SIGNED_STRIKE, TIME_TO_EXPIRY, Columns, Domain, Floats, broadcast
from quantmesh.quant._evaluation import Value
from quantmesh.quant._limits import LARGEST_AMOUNT
from quantmesh.quant.errors import DomainError

_ONE = float(np.nextafter(1.0, 0.0))
DOMAINS = (
    SIGNED_FORWARD,
    SIGNED_STRIKE,
    TIME_TO_EXPIRY,
    Domain("alpha", 0.0, LARGEST_AMOUNT, f"a number from 0 to {LARGEST_AMOUNT:g}"),
    Domain("beta", 0.0, 1.0, "a number from 0 to 1"),
    Domain("rho", -_ONE, _ONE, "a correlation strictly between -1 and 1"),
    Domain("nu", 0.0, 1e4, "a volatility per year from 0 to 1e4"),
    SIGNED_FORWARD._replace(name="shift"),
)
_TIME = 2
_TOO_LONG = "shorter: the expansion gives no positive volatility with these parameters"


def implied_volatility(
    forward: ArrayLike,
    strike: ArrayLike,
    time_to_expiry: ArrayLike,
    *,
    alpha: ArrayLike,
    beta: ArrayLike,
    rho: ArrayLike,
    nu: ArrayLike,
    shift: ArrayLike = 0.0,
) -> Value:
    """Black's volatility of forward + shift, equation 2.17a. Both shifted forward and strike must be positive."""
    return _evaluate(_black, (forward, strike, time_to_expiry, alpha, beta, rho, nu, shift), any_sign=False)


def normal_implied_volatility(
    forward: ArrayLike,
    strike: ArrayLike,
    time_to_expiry: ArrayLike,
    *,
    alpha: ArrayLike,
    beta: ArrayLike,
    rho: ArrayLike,
    nu: ArrayLike,
    shift: ArrayLike = 0.0,
) -> Value:
    """Bachelier's volatility, in units of the forward, equation B.67a. With beta 0 forward and strike have any sign."""
    return _evaluate(
        formulas.normal_volatility, (forward, strike, time_to_expiry, alpha, beta, rho, nu, shift), any_sign=True
    )


def price(
    option_type: ArrayLike,
    forward: ArrayLike,
    strike: ArrayLike,
    time_to_expiry: ArrayLike,
    rate: ArrayLike,
    *,
    alpha: ArrayLike,
    beta: ArrayLike,
    rho: ArrayLike,
    nu: ArrayLike,
    shift: ArrayLike = 0.0,
) -> Value:
    """Black's formula (1976) at `implied_volatility`."""
    volatility = implied_volatility(
        forward, strike, time_to_expiry, alpha=alpha, beta=beta, rho=rho, nu=nu, shift=shift
    )
    shifted = (np.add(forward, shift), np.add(strike, shift))
    return black_76.price(option_type, *shifted, time_to_expiry, rate, volatility)


def normal_price(
    option_type: ArrayLike,
    forward: ArrayLike,
    strike: ArrayLike,
    time_to_expiry: ArrayLike,
    rate: ArrayLike,
    *,
    alpha: ArrayLike,
    beta: ArrayLike,
    rho: ArrayLike,
    nu: ArrayLike,
    shift: ArrayLike = 0.0,
) -> Value:
    """Bachelier's formula at `normal_implied_volatility`."""
    volatility = normal_implied_volatility(
        forward, strike, time_to_expiry, alpha=alpha, beta=beta, rho=rho, nu=nu, shift=shift
    )
    return bachelier.price(option_type, forward, strike, time_to_expiry, rate, volatility)


def _black(*arguments: Floats) -> Floats:
    return formulas.black_volatility_and_gradients(*arguments)[0]


def _evaluate(formula: Callable[..., Floats], arguments: tuple[ArrayLike, ...], *, any_sign: bool) -> Value:
    """`any_sign` where beta is 0."""
    columns = broadcast(1, *arguments)
    if not columns.rows:
        return np.empty(columns.shape)
    columns.check(DOMAINS, 0, columns.rows)
    forward, strike, time, alpha, beta, rho, nu, shift = columns.values
    free = (beta == 0.0) & any_sign
    for index, values in enumerate((forward, strike)):
        _refuse(columns, index, (values + shift <= 0.0) & ~free, "above minus the shift")
    volatility = formula(forward + shift, strike + shift, time, alpha, beta, rho, nu)
    _refuse(columns, _TIME, (volatility <= 0.0) & (alpha > 0.0), _TOO_LONG)
    if columns.shape == ():
        return float(volatility[0])
    return np.broadcast_to(volatility, columns.rows).reshape(columns.shape)


def _refuse(columns: Columns, index: int, wrong: NDArray[np.bool_], requirement: str) -> None:
    rows = np.flatnonzero(np.broadcast_to(wrong, columns.rows))
    if rows.size:
        row = int(rows[0])
        # `value` counts the option type as the first column.
        value = columns.value(1 + index, row)
        raise DomainError(DOMAINS[index].name, value, requirement, None if columns.shape == () else row)
