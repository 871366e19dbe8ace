"""Bachelier's model for one option, as plain Python: the scalar path, and the source of the vector kernels.

With the distance `x = |F - K|`, the deviation `s = sigma sqrt(T)`, `h = x / s` and Mills' ratio M, the option out of
the money is worth `s phi(h) (1 - h M(h))` before discounting: no difference of nearly equal numbers, so that prices
keep their relative accuracy in the wings. The inverse depends on one ratio alone (Jaeckel, "Implied Normal
Volatility", 2017); here it is one of Householder's steps of the fourth order on the logarithm of that price, from a
guess after Choi, Kim and Kwak (2009) that is right to 7e-6: the step leaves the last bits, down to values of 1e-300 of
the distance.
"""

from quantmesh.quant._black_scholes_formulas import density, discount_factor, quotient
from quantmesh.quant._elementary import (
    ROOT_TWO_PI,
    TINY_ROOT,
    logarithm_of_ratio,
    mills_ratio,
    mills_slope,
    square_root,
)
from quantmesh.quant._implied_volatility_formulas import normal_deviation
from quantmesh.quant._limits import LARGEST_AMOUNT, LARGEST_EXPONENT, LARGEST_RATE, LARGEST_TIME

SOLVED = 0
BELOW_INTRINSIC = 1
INVALID_OPTION_TYPE = 2
INVALID_PRICE = 3
INVALID_FORWARD = 4
INVALID_STRIKE = 5
INVALID_TIME_TO_EXPIRY = 6
INVALID_RATE = 7

# Beyond 38.6 standard deviations the normal density is below the smallest double.
_FARTHEST = 40.0
_ROUNDING = 4.5e-16
_NOT_A_NUMBER = float("nan")


def is_inside_domain(forward: float, strike: float, time: float, rate: float, volatility: float) -> bool:
    """Branch-free; a comparison with NaN is false."""
    return (
        (abs(forward) <= LARGEST_AMOUNT)
        & (abs(strike) <= LARGEST_AMOUNT)
        & (time >= 0.0)
        & (time <= LARGEST_TIME)
        & (abs(rate) <= LARGEST_RATE)
        & (abs(rate) * time <= LARGEST_EXPONENT)
        & (volatility >= 0.0)
        & (volatility <= LARGEST_AMOUNT)
    )


def price_of_one(sign: float, forward: float, strike: float, time: float, rate: float, volatility: float) -> float:
    deviation = volatility * square_root(time)
    distance = forward - strike
    h = min(abs(distance) / max(deviation, TINY_ROOT), _FARTHEST)
    return discount_factor(rate, time) * (max(sign * distance, 0.0) + deviation * density(h) * mills_slope(h))


def price_and_greeks_of_one(
    sign: float, forward: float, strike: float, time: float, rate: float, volatility: float
) -> tuple[float, float, float, float, float, float]:
    """Price, delta, gamma, vega, theta, rho."""
    root_time = square_root(time)
    deviation = volatility * root_time
    distance = forward - strike
    discount = discount_factor(rate, time)
    h = min(abs(distance) / max(deviation, TINY_ROOT), _FARTHEST)
    discounted_density = discount * density(h)
    tail = discounted_density * mills_ratio(h)
    price = discount * max(sign * distance, 0.0) + deviation * discounted_density * mills_slope(h)
    delta = sign * (tail if sign * distance < 0.0 else discount - tail)
    gamma = quotient(discounted_density, deviation)
    vega = discounted_density * root_time
    theta = rate * price - quotient(0.5 * volatility * discounted_density, root_time)
    return price, delta, gamma, vega, theta, -time * price


def higher_order_greeks_of_one(
    sign: float, forward: float, strike: float, time: float, rate: float, volatility: float
) -> tuple[float, float, float, float, float, float, float, float, float]:
    """Vanna, charm, volga, veta, vera, speed, zomma, color, ultima."""
    root_time = square_root(time)
    deviation = volatility * root_time
    distance = forward - strike
    discount = discount_factor(rate, time)
    d = min(max(distance / max(deviation, TINY_ROOT), -_FARTHEST), _FARTHEST)
    discounted_density = discount * density(d)
    tail = discounted_density * mills_ratio(abs(d))
    delta = sign * (tail if sign * distance < 0.0 else discount - tail)
    vega = discounted_density * root_time
    gamma = quotient(discounted_density, deviation)
    squared = d * d
    vanna = -quotient(discounted_density * d, volatility)
    charm = rate * delta + quotient(0.5 * discounted_density * d, time)
    volga = quotient(vega * squared, volatility)
    veta = vega * rate - quotient(0.5 * vega * (1.0 + squared), time)
    speed = -quotient(discounted_density * d, deviation * deviation)
    zomma = quotient(gamma * (squared - 1.0), volatility)
    color = gamma * rate + quotient(0.5 * gamma * (1.0 - squared), time)
    ultima = quotient(vega * squared * (squared - 3.0), volatility * volatility)
    return vanna, charm, volga, veta, -time * vega, speed, zomma, color, ultima


def time_value(sign: float, price: float, forward: float, strike: float, time: float, rate: float) -> float:
    """What the option out of the money is worth before discounting."""
    return price / discount_factor(rate, time) - max(sign * (forward - strike), 0.0)


def improved(distance: float, value: float, s: float) -> float:
    """The deviation after Householder's step of the fourth order on ln(s phi(h) (1 - h M(h))) - ln(value)."""
    h = distance / s
    squared = h * h
    # The price over its vega, and what follows from it, in units of s: its powers would leave the range of doubles.
    d = mills_slope(h)
    nu = d * (logarithm_of_ratio(value * ROOT_TWO_PI, s * d) + 0.5 * squared)
    inverse = 1.0 / d
    second = squared - inverse
    third = squared * (squared - 3.0) + inverse * (2.0 * inverse - 3.0 * squared)
    return s + s * nu * (1.0 + 0.5 * nu * second) / (1.0 + nu * (second + nu * third * (1.0 / 6.0)))


def status_of(sign: float, price: float, forward: float, strike: float, time: float, rate: float, value: float) -> int:
    """Why there is no answer, or SOLVED; `value` is the time value. A comparison with NaN is false."""
    status = SOLVED
    if value < -_ROUNDING * (abs(forward) + abs(strike)):
        status = BELOW_INTRINSIC
    if not 0.0 <= price <= LARGEST_AMOUNT:
        status = INVALID_PRICE
    if not (abs(rate) <= LARGEST_RATE and abs(rate * time) <= LARGEST_EXPONENT):
        status = INVALID_RATE
    if not 0.0 < time <= LARGEST_TIME:
        status = INVALID_TIME_TO_EXPIRY
    if not abs(strike) <= LARGEST_AMOUNT:
        status = INVALID_STRIKE
    if not abs(forward) <= LARGEST_AMOUNT:
        status = INVALID_FORWARD
    if abs(sign) != 1.0:
        status = INVALID_OPTION_TYPE
    return status


def implied_volatility_of_one(
    sign: float, price: float, forward: float, strike: float, time: float, rate: float
) -> tuple[float, int]:
    """The volatility and SOLVED, or NaN and the reason why there is none."""
    status = status_of(sign, price, forward, strike, time, rate, 0.0)
    if status != SOLVED:
        return _NOT_A_NUMBER, status
    value = time_value(sign, price, forward, strike, time, rate)
    status = status_of(sign, price, forward, strike, time, rate, value)
    if status != SOLVED:
        return _NOT_A_NUMBER, status
    if value <= 0.0:
        return 0.0, SOLVED
    distance = abs(forward - strike)
    return improved(distance, value, normal_deviation(distance, value)) / square_root(time), SOLVED
