"""Black, Scholes and Merton for one option, as plain Python: the scalar path, and the source of the vector kernels.

`sign` is 1 for a call and -1 for a put. The stages are functions of their own, since a loop over one stage leaves the
processor room to work on several options at once. Every branch chooses between two values that are both computed, so
that the compiled loop stays vector code. Formulas: Haug, "The Complete Guide to Option Pricing Formulas".
"""

from quantmesh.quant._elementary import (
    INVERSE_ROOT_TWO_PI,
    TINY,
    TINY_ROOT,
    bounded_exponential,
    exponential,
    logarithm_of_ratio,
    mills_ratio,
    square_root,
)
from quantmesh.quant._limits import (
    LARGEST_AMOUNT,
    LARGEST_EXPONENT,
    LARGEST_RATE,
    LARGEST_TIME,
    LARGEST_VOLATILITY,
)

# Beyond 38.6 standard deviations the normal density is below the smallest double.
_FARTHEST = 40.0
# The longest time for which `is_plainly_inside_domain` is true.
_PLAIN_TIME = 100.0


def is_inside_domain(
    spot: float, strike: float, time: float, rate: float, dividend_yield: float, volatility: float
) -> bool:
    """Branch-free; a comparison with NaN is false."""
    return (
        (spot >= 0.0)
        & (spot <= LARGEST_AMOUNT)
        & (strike >= 0.0)
        & (strike <= LARGEST_AMOUNT)
        & (time >= 0.0)
        & (time <= LARGEST_TIME)
        & (abs(rate) <= LARGEST_RATE)
        & (abs(dividend_yield) <= LARGEST_RATE)
        & (abs(rate) * time <= LARGEST_EXPONENT)
        & (abs(dividend_yield) * time <= LARGEST_EXPONENT)
        & (volatility >= 0.0)
        & (volatility <= LARGEST_VOLATILITY)
    )


def is_plainly_inside_domain(
    spot: float, strike: float, time: float, rate: float, dividend_yield: float, volatility: float
) -> bool:
    """True only inside the domain, and true for every argument met in practice, at half the cost of the whole check.

    A sum with NaN is NaN, and no comparison with it is true.
    """
    return (
        (min(spot, strike, time, volatility) >= 0.0)
        & (spot + strike <= LARGEST_AMOUNT)
        & (time + volatility <= _PLAIN_TIME)
        & (abs(rate) + abs(dividend_yield) <= LARGEST_EXPONENT / _PLAIN_TIME)
    )


def discount_factor(rate: float, time: float) -> float:
    return bounded_exponential(-rate * time)


def standardized(
    spot: float, strike: float, time: float, rate: float, dividend_yield: float, deviation: float
) -> tuple[float, float]:
    """d1 and d2; at zero volatility or time they stand at a far end, or at 0 exactly at the money."""
    moneyness = logarithm_of_ratio(max(spot, TINY), max(strike, TINY)) + (rate - dividend_yield) * time
    return standardized_from(moneyness / max(deviation, TINY_ROOT), deviation)


def standardized_from(ratio: float, deviation: float) -> tuple[float, float]:
    """d1 and d2 of the logarithm of forward over strike in deviations."""
    d1 = min(max(ratio + 0.5 * deviation, -_FARTHEST), _FARTHEST)
    d2 = min(max(ratio - 0.5 * deviation, -_FARTHEST), _FARTHEST)
    return d1, d2


def density(d: float) -> float:
    return INVERSE_ROOT_TWO_PI * exponential(-0.5 * d * d)


def tail_ratio(d: float) -> float:
    """The normal tail beyond |d| over the density there."""
    return mills_ratio(abs(d))


def price_from_parts(
    sign: float,
    carried_spot: float,
    discounted_strike: float,
    d1: float,
    d2: float,
    density1: float,
    ratio1: float,
    ratio2: float,
) -> float:
    # phi(d2) times the discounted strike is phi(d1) times the carried spot: one density serves both tails.
    weighted_density = carried_spot * density1
    spot_part = weighted_density * ratio1 if sign * d1 < 0.0 else carried_spot - weighted_density * ratio1
    strike_part = weighted_density * ratio2 if sign * d2 < 0.0 else discounted_strike - weighted_density * ratio2
    # Adding 0 turns a negative zero into a positive one.
    return max(sign * (spot_part - strike_part), 0.0) + 0.0


def greeks_from_parts(
    sign: float,
    spot: float,
    strike: float,
    time: float,
    rate: float,
    dividend_yield: float,
    volatility: float,
    root_time: float,
    carry: float,
    discount: float,
    d1: float,
    d2: float,
    density1: float,
    ratio1: float,
    ratio2: float,
) -> tuple[float, float, float, float, float, float]:
    """Price, delta, gamma, vega, theta, rho."""
    carried_density = carry * density1
    weighted_density = spot * carried_density
    probability = density1 * ratio1 if sign * d1 < 0.0 else 1.0 - density1 * ratio1
    spot_part = spot * carry * probability
    strike_part = weighted_density * ratio2 if sign * d2 < 0.0 else strike * discount - weighted_density * ratio2
    price = max(sign * (spot_part - strike_part), 0.0) + 0.0
    delta = sign * carry * probability + 0.0
    gamma = quotient(carried_density, spot * volatility * root_time)
    vega = weighted_density * root_time
    decay = quotient(0.5 * weighted_density * volatility, root_time)
    theta = sign * (dividend_yield * spot_part - rate * strike_part) - decay + 0.0
    rho = sign * time * strike_part + 0.0
    return price, delta, gamma, vega, theta, rho


def price_of_one(
    sign: float, spot: float, strike: float, time: float, rate: float, dividend_yield: float, volatility: float
) -> float:
    d1, d2 = standardized(spot, strike, time, rate, dividend_yield, volatility * square_root(time))
    carried_spot = spot * discount_factor(dividend_yield, time)
    discounted_strike = strike * discount_factor(rate, time)
    return price_from_parts(sign, carried_spot, discounted_strike, d1, d2, density(d1), tail_ratio(d1), tail_ratio(d2))


def price_and_greeks_of_one(
    sign: float, spot: float, strike: float, time: float, rate: float, dividend_yield: float, volatility: float
) -> tuple[float, float, float, float, float, float]:
    root_time = square_root(time)
    d1, d2 = standardized(spot, strike, time, rate, dividend_yield, volatility * root_time)
    return greeks_from_parts(
        sign,
        spot,
        strike,
        time,
        rate,
        dividend_yield,
        volatility,
        root_time,
        discount_factor(dividend_yield, time),
        discount_factor(rate, time),
        d1,
        d2,
        density(d1),
        tail_ratio(d1),
        tail_ratio(d2),
    )


def higher_order_greeks_of_one(
    sign: float, spot: float, strike: float, time: float, rate: float, dividend_yield: float, volatility: float
) -> tuple[float, float, float, float, float, float, float, float, float, float]:
    """Epsilon, vanna, charm, volga, veta, vera, speed, zomma, color, ultima."""
    root_time = square_root(time)
    deviation = volatility * root_time
    d1, d2 = standardized(spot, strike, time, rate, dividend_yield, deviation)
    carry = discount_factor(dividend_yield, time)
    carried_density = carry * density(d1)
    tail = carried_density * tail_ratio(d1)
    probability = tail if sign * d1 < 0.0 else carry - tail
    vega = spot * carried_density * root_time
    product = d1 * d2
    # The density times the fall of d1 over the rest of the option's life at today's pace.
    drift = quotient(carried_density * (0.5 * d2 * deviation - (rate - dividend_yield) * time), deviation)
    epsilon = -sign * time * spot * probability
    vanna = -quotient(carried_density * d2, volatility)
    charm = sign * dividend_yield * probability + quotient(drift, time)
    volga = quotient(vega * product, volatility)
    veta = vega * dividend_yield - quotient(spot * (d1 * drift + 0.5 * carried_density), root_time)
    vera = -quotient(time * spot * carried_density * d1, volatility)
    speed = -quotient(carried_density * (d1 + deviation), spot * spot * deviation * deviation)
    zomma = quotient(carried_density * (product - 1.0), spot * deviation * volatility)
    color = quotient(carried_density * (dividend_yield * time + 0.5) - d1 * drift, spot * deviation * time)
    ultima = -quotient(vega * (product * (1.0 - product) + d1 * d1 + d2 * d2), volatility * volatility)
    return epsilon, vanna, charm, volga, veta, vera, speed, zomma, color, ultima


def quotient(numerator: float, denominator: float) -> float:
    """The quotient; 0 where the numerator is, since it holds a density, which falls faster than any denominator."""
    if numerator == 0.0:
        return 0.0
    if denominator == 0.0:
        return numerator * float("inf")
    return numerator / denominator
