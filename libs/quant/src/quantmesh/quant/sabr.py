"""Implied volatilities under SABR (Hagan, Kumar, Lesniewski and Woodward 2002), a forward with stochastic volatility:

    dF = a (F + shift)^beta dW,   da = nu a dZ,   dW dZ = rho dt,   a(0) = alpha

By the authors' own expansions, which markets quote by: they err in the second order of nu^2 T, by some 2 basis points
of volatility at the money and 10 in the wings where that is 0.15, by 50 and 200 where it is 1. Obloj's leading term
("Fine-tune your smile", 2008) is the consistent one where beta < 1 and expiries are short; against simulations over
nu^2 T from 0.15 to 1.25 it was farther off in both wings, so it is not used. `rho` lies strictly between -1 and 1,
`beta` in [0, 1]; times are years. Arguments broadcast, scalars give scalars, and a value outside its domain raises
`DomainError`, as does an expiry too long for the expansion to give a positive volatility.

Greeks are at unchanged parameters: delta and gamma along the smile as it moves with the forward, vega per 1.00 of
alpha, the rate acting on the discount factor alone. Where alpha or the time is 0 they are those of the discounted
intrinsic value, and vega is 0.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quantmesh.quant import _sabr_formulas as formulas
from quantmesh.quant import _sabr_greeks as moves
from quantmesh.quant import bachelier, black_76
from quantmesh.quant._arguments import SIGNED_FORWARD, SIGNED_STRIKE, TIME_TO_EXPIRY, Columns, Domain, Floats, broadcast
from quantmesh.quant._evaluation import Value, shaped
from quantmesh.quant._limits import LARGEST_AMOUNT
from quantmesh.quant.black_76 import HigherOrderGreeks
from quantmesh.quant.black_scholes import PriceAndGreeks
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
_TIME, _ALPHA = 2, 3
# Below it is no volatility at all.
_LEAST_ALPHA = 1e-100
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
    columns = _checked((forward, strike, time_to_expiry, alpha, beta, rho, nu, shift), any_sign=False)
    return _volatility(columns, formulas.black_volatility)


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
    columns = _checked((forward, strike, time_to_expiry, alpha, beta, rho, nu, shift), any_sign=True)
    return _volatility(columns, formulas.normal_volatility)


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


def price_and_greeks(
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
) -> PriceAndGreeks:
    """Price, delta, gamma, vega (by alpha), theta and rho, in closed form."""
    columns = _checked((forward, strike, time_to_expiry, alpha, beta, rho, nu, shift), any_sign=False)
    found = _moves(columns, moves.black_moves)
    forwards, strikes = columns.values[0] + columns.values[-1], columns.values[1] + columns.values[-1]
    contract = (_shaped(columns, forwards), _shaped(columns, strikes), time_to_expiry, rate)
    volatility = _shaped(columns, found.volatility)
    price = black_76.price(option_type, *contract, volatility)
    return _along_smile(price, black_76.greeks(option_type, *contract, volatility, higher_orders=True), columns, found)


def normal_price_and_greeks(
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
) -> PriceAndGreeks:
    """Price, delta, gamma, vega (by alpha), theta and rho, in closed form."""
    columns = _checked((forward, strike, time_to_expiry, alpha, beta, rho, nu, shift), any_sign=True)
    found = _moves(columns, moves.normal_moves)
    contract = (option_type, forward, strike, time_to_expiry, rate, _shaped(columns, found.volatility))
    return _along_smile(bachelier.price(*contract), bachelier.greeks(*contract, higher_orders=True), columns, found)


def _along_smile(price: Value, greeks: HigherOrderGreeks, columns: Columns, found: moves.Moves) -> PriceAndGreeks:
    """The Greeks of the formula that volatilities are quoted by, with the volatility's own moves."""
    _, by_forward, by_forward_twice, by_time, by_alpha = (_shaped(columns, values) for values in found)
    smiling = np.asarray(_shaped(columns, (found.volatility > 0.0) & (columns.values[_TIME] > 0.0)))
    vega = np.where(smiling, greeks.vega, 0.0)
    vanna, volga = np.where(smiling, greeks.vanna, 0.0), np.where(smiling, greeks.volga, 0.0)
    gamma = greeks.gamma + 2.0 * vanna * by_forward + volga * by_forward**2 + vega * by_forward_twice
    answers = (
        price,
        greeks.delta + vega * by_forward,
        gamma,
        vega * by_alpha,
        greeks.theta - vega * by_time,
        greeks.rho,
    )
    return PriceAndGreeks(*(float(answer) if np.ndim(answer) == 0 else np.asarray(answer) for answer in answers))


def _checked(arguments: tuple[ArrayLike, ...], *, any_sign: bool) -> Columns:
    """`any_sign` where beta is 0."""
    columns = broadcast(1, *arguments)
    if not columns.rows:
        return columns
    columns.check(DOMAINS, 0, columns.rows)
    forward, strike, _, _, beta, _, _, shift = columns.values
    free = (beta == 0.0) & any_sign
    for index, values in enumerate((forward, strike)):
        _refuse(columns, index, (values + shift <= 0.0) & ~free, "above minus the shift")
    return columns


def _volatility(columns: Columns, formula: Callable[..., Floats]) -> Value:
    forward, strike, *law, shift = columns.values
    volatility = formula(forward + shift, strike + shift, *law)
    _refuse(columns, _TIME, (volatility <= 0.0) & (columns.values[_ALPHA] > 0.0), _TOO_LONG)
    return shaped(np.broadcast_to(volatility, columns.rows), columns)


def _moves(columns: Columns, formula: Callable[..., moves.Moves]) -> moves.Moves:
    """Without any where alpha is 0."""
    forward, strike, time, alpha, *law, shift = columns.values
    moving = alpha > _LEAST_ALPHA
    found = formula(forward + shift, strike + shift, time, np.where(moving, alpha, 1.0), *law)
    _refuse(columns, _TIME, (found.volatility <= 0.0) & moving, _TOO_LONG)
    return moves.Moves(*(np.where(moving, values, 0.0) for values in found))


def _shaped(columns: Columns, values: NDArray[Any]) -> Any:
    """One answer per row, in the arguments' shape."""
    return shaped(np.broadcast_to(values, columns.rows), columns)


def _refuse(columns: Columns, index: int, wrong: NDArray[np.bool_], requirement: str) -> None:
    rows = np.flatnonzero(np.broadcast_to(wrong, columns.rows))
    if rows.size:
        row = int(rows[0])
        # `value` counts the option type as the first column.
        value = columns.value(1 + index, row)
        raise DomainError(DOMAINS[index].name, value, requirement, None if columns.shape == () else row)
