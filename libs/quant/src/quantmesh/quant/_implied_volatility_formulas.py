"""The volatility that reproduces a Black-Scholes price, for one option: the scalar path and the source of the kernels.

In the notation of Jaeckel, "Let's Be Rational" (2015): an out-of-the-money option has the normalised price
`b(a, s) = E D`, with log-moneyness `a >= 0`, standard deviation `s`, `z = a / s`, `t = s / 2`, the vega
`E = exp(-(z^2 + t^2) / 2) / sqrt(2 pi)` and, from Mills' ratio M, `D = M(z - t) - M(z + t)`: `b / b'` is `D` itself.
The first guess is exact for Bachelier's model (after Choi, Kim and Kwak, 2009) and right to the fourth order in `s`.
One or two of Householder's steps of the fourth order on ln b settle all but the farthest quotes, without a branch; the
rest goes to `solved`, which keeps a bracket and, near the bound `exp(-a / 2)`, works on what is missing to it.
"""

from quantmesh.quant._elementary import (
    INVERSE_ROOT_TWO_PI,
    exponential,
    logarithm_of_ratio,
    mills_ratio,
    mills_slope,
    square_root,
)
from quantmesh.quant._limits import LARGEST_AMOUNT, LARGEST_EXPONENT, LARGEST_RATE, LARGEST_TIME, SMALLEST_AMOUNT

# What an answer's status says.
SOLVED = 0
BELOW_INTRINSIC = 1
ABOVE_BOUND = 2
INVALID_OPTION_TYPE = 3
INVALID_PRICE = 4
INVALID_SPOT = 5
INVALID_STRIKE = 6
INVALID_TIME_TO_EXPIRY = 7
INVALID_RATE = 8
INVALID_DIVIDEND_YIELD = 9

# Rounding of the intrinsic value itself, in units of the larger of the two discounted amounts.
_ROUNDING = 4.5e-16
_MOST_STEPS = 100
_LARGEST_DEVIATION = 1e4
NOT_A_NUMBER = float("nan")


def first_guess(a: float, b: float) -> float:
    """The standard deviation, to 7e-6 where it is small, to some percent where it is 1."""
    intrinsic = 2.0 * hyperbolic_sine(0.5 * a)
    normal = normal_deviation(intrinsic, b)
    squared = normal * normal
    slant = a / intrinsic if a > 1e-6 else 1.0
    return normal * slant * (1.0 + squared * (1.0 / 24.0 + squared * (7.0 / 1920.0)))


def normal_deviation(distance: float, value: float) -> float:
    """The standard deviation in Bachelier's model of an option so far out of the money, to 7e-6 of itself."""
    straddle = 2.0 * value + distance
    v = distance / straddle
    # v / artanh(v), by its series where v is small.
    eta = v / (0.5 * logarithm_of_ratio(straddle + distance, 2.0 * value)) if v > 1e-3 else 1.0 - v * v * (1.0 / 3.0)
    numerator = 5938.185233469921
    numerator = numerator * eta + 3787.7541269497337
    numerator = numerator * eta + 1096.1602731426149
    numerator = numerator * eta + 667.9450873261495
    numerator = numerator * eta + 57.36465805521444
    numerator = numerator * eta + 0.5002941180058955
    denominator = 1411.6017643518267
    denominator = denominator * eta + 6183.03088652896
    denominator = denominator * eta + 410.7657231902249
    denominator = denominator * eta + 1095.8867401944042
    denominator = denominator * eta + 111.67851115084828
    denominator = denominator * eta + 1.0
    return straddle * square_root(eta) * numerator / denominator


def hyperbolic_sine(x: float) -> float:
    """sinh(x) for x >= 0."""
    grown = exponential(x)
    squared = x * x
    series = x * (1.0 + squared * (1.0 / 6.0 + squared * (1.0 / 120.0 + squared * (1.0 / 5040.0))))
    return 0.5 * (grown - 1.0 / grown) if x > 0.3 else series


def normalized(
    sign: float, price: float, spot: float, strike: float, time: float, rate: float, dividend_yield: float
) -> tuple[float, float]:
    """Log-moneyness `a` and price `b` of the out-of-the-money twin, over the geometric mean of forward and strike."""
    carried_spot = spot * exponential(-dividend_yield * time)
    discounted_strike = strike * exponential(-rate * time)
    moneyness = logarithm_of_ratio(spot, strike) + (rate - dividend_yield) * time
    intrinsic = sign * (carried_spot - discounted_strike)
    time_value = price - intrinsic if sign * moneyness > 0.0 else price
    # Of the product either end is out of range where a rate carries both far away.
    return abs(moneyness), time_value / (square_root(carried_spot) * square_root(discounted_strike))


def vega_of(a: float, s: float) -> float:
    z = a / s
    return INVERSE_ROOT_TWO_PI * exponential(-0.5 * (z * z + 0.25 * s * s))


def price_over_vega(
    a: float, s: float, vega: float, ratio_above: float, ratio_below: float, ratio: float, slope: float
) -> float:
    """D, from Mills' ratio at z + t, |z - t| and z, and its slope at z."""
    z = a / s
    t = 0.5 * s
    sum_or_difference = (ratio_below if z >= t else exponential(-0.5 * a) / vega - ratio_below) - ratio_above
    # Near the money and expiry the difference cancels: Taylor's series in t, with M^(n+1) = z M^(n) + n M^(n-1).
    d1 = -slope
    d2 = z * d1 + ratio
    d3 = z * d2 + 2.0 * d1
    d4 = z * d3 + 3.0 * d2
    d5 = z * d4 + 4.0 * d3
    d6 = z * d5 + 5.0 * d4
    d7 = z * d6 + 6.0 * d5
    d8 = z * d7 + 7.0 * d6
    d9 = z * d8 + 8.0 * d7
    d10 = z * d9 + 9.0 * d8
    d11 = z * d10 + 10.0 * d9
    d12 = z * d11 + 11.0 * d10
    d13 = z * d12 + 12.0 * d11
    q = t * t
    series = d13 * (1.0 / 6227020800.0)
    series = series * q + d11 * (1.0 / 39916800.0)
    series = series * q + d9 * (1.0 / 362880.0)
    series = series * q + d7 * (1.0 / 5040.0)
    series = series * q + d5 * (1.0 / 120.0)
    series = series * q + d3 * (1.0 / 6.0)
    series = series * q + d1
    return -2.0 * t * series if t < 0.15 and a < 0.2 else sum_or_difference


def vega_curvatures(a: float, s: float) -> tuple[float, float]:
    """b'' / b' and b''' / b'."""
    z = a / s
    first = z * z / s - 0.25 * s
    return first, first * first - 3.0 * (z / s) * (z / s) - 0.25


def logarithmic_step(a: float, b: float, s: float, vega: float, d: float) -> float:
    """What to add to `s`: Householder's step on ln b(a, s) - ln b."""
    nu = d * logarithm_of_ratio(b, vega * d)
    inverse = 1.0 / d
    curvature, third = vega_curvatures(a, s)
    second = curvature - inverse
    third = third + inverse * (2.0 * inverse - 3.0 * curvature)
    return nu * (1.0 + 0.5 * nu * second) / (1.0 + nu * (second + nu * third * (1.0 / 6.0)))


def solved(a: float, b: float) -> float:
    """The standard deviation for 0 < b < exp(-a / 2), wherever it lies."""
    bound = exponential(-0.5 * a)
    near_bound = b > 0.5 * bound
    target = logarithm_of_ratio(b, 1.0)
    s = first_guess(a, b)
    # The guess explodes far from where it was made for; the inflexion point of the price is then a safe start.
    centre = square_root(2.0 * a)
    if not 0.0 < s < centre + 4.0:
        s = max(centre, 1e-8)
    low = 0.0
    high = _LARGEST_DEVIATION
    for _ in range(_MOST_STEPS):
        vega = vega_of(a, s)
        z = a / s
        t = 0.5 * s
        residual = -1.0 if z < t else 1.0
        step = 0.0
        if vega > 0.0:
            curvature, third = vega_curvatures(a, s)
            ratio_above = mills_ratio(z + t)
            ratio_below = mills_ratio(abs(z - t))
            if near_bound and z < t:
                # On ln(bound - b), where u is (bound - b) / b'.
                u = ratio_below + ratio_above
                residual = logarithm_of_ratio(vega * u, bound - b)
                nu = u * residual
                second = curvature + 1.0 / u
                third = third + (3.0 * curvature + 2.0 / u) / u
            else:
                # On 1 / ln b, which is almost a straight line in s^2 far from the money.
                d = price_over_vega(a, s, vega, ratio_above, ratio_below, mills_ratio(z), mills_slope(z))
                residual = logarithm_of_ratio(b, vega * d)
                p = 1.0 / d
                logarithm = target - residual
                nu = residual * (logarithm / target) * d
                second = curvature - p - 2.0 * p / logarithm
                third = third + p * (2.0 * p - 3.0 * curvature)
                third = third + 6.0 * (p / logarithm) * (p / logarithm - (curvature - p))
            numerator = 1.0 + 0.5 * nu * second
            denominator = 1.0 + nu * (second + nu * third * (1.0 / 6.0))
            step = nu * numerator / denominator if numerator > 0.0 and denominator > 0.0 else nu
        if residual > 0.0:
            low = s
        else:
            high = s
        following = s + step
        if not low < following < high:
            if residual == 0.0 or abs(step) < 1e-14 * s:
                break
            following = 0.5 * (low + high) if high < _LARGEST_DEVIATION else 2.0 * s
        settled = abs(following - s) < 1e-5 * s
        s = following
        if settled:
            break
    return s


def first_invalid(
    sign: float, price: float, spot: float, strike: float, time: float, rate: float, dividend_yield: float
) -> int:
    """The status for the first argument outside its domain, or SOLVED; a comparison with NaN is false.

    The price comes last: of what it may be, only a contract that has a price tells.
    """
    invalid = SOLVED
    if not 0.0 <= price <= LARGEST_AMOUNT:
        invalid = INVALID_PRICE
    if not (abs(dividend_yield) <= LARGEST_RATE and abs(dividend_yield * time) <= LARGEST_EXPONENT):
        invalid = INVALID_DIVIDEND_YIELD
    if not (abs(rate) <= LARGEST_RATE and abs(rate * time) <= LARGEST_EXPONENT):
        invalid = INVALID_RATE
    if not 0.0 < time <= LARGEST_TIME:
        invalid = INVALID_TIME_TO_EXPIRY
    if not SMALLEST_AMOUNT <= strike <= LARGEST_AMOUNT:
        invalid = INVALID_STRIKE
    if not SMALLEST_AMOUNT <= spot <= LARGEST_AMOUNT:
        invalid = INVALID_SPOT
    if abs(sign) != 1.0:
        invalid = INVALID_OPTION_TYPE
    return invalid


def is_certain(
    sign: float, spot: float, strike: float, time: float, rate: float, dividend_yield: float, a: float, b: float
) -> bool:
    """Whether the arguments are inside their domain and the price is between its bounds; branch-free."""
    return (
        (abs(sign) == 1.0)
        & (min(spot, strike) >= SMALLEST_AMOUNT)
        & (max(spot, strike) <= LARGEST_AMOUNT)
        & (time > 0.0)
        & (time <= LARGEST_TIME)
        & (max(abs(rate), abs(dividend_yield)) <= LARGEST_RATE)
        & (max(abs(rate), abs(dividend_yield)) * time <= LARGEST_EXPONENT)
        & (b > 0.0)
        & (b < exponential(-0.5 * a))
    )


def implied_volatility_of_one(
    sign: float, price: float, spot: float, strike: float, time: float, rate: float, dividend_yield: float
) -> tuple[float, int]:
    """The volatility and SOLVED, or NaN and the reason why there is none."""
    invalid = first_invalid(sign, price, spot, strike, time, rate, dividend_yield)
    if invalid != SOLVED:
        return NOT_A_NUMBER, invalid
    carried_spot = spot * exponential(-dividend_yield * time)
    discounted_strike = strike * exponential(-rate * time)
    intrinsic = max(sign * (carried_spot - discounted_strike), 0.0)
    upper = carried_spot if sign > 0.0 else discounted_strike
    if price >= upper:
        return NOT_A_NUMBER, ABOVE_BOUND
    if price < intrinsic - _ROUNDING * max(carried_spot, discounted_strike):
        return NOT_A_NUMBER, BELOW_INTRINSIC
    a, b = normalized(sign, price, spot, strike, time, rate, dividend_yield)
    if b <= 0.0:
        return 0.0, SOLVED
    if b >= exponential(-0.5 * a):
        return NOT_A_NUMBER, ABOVE_BOUND
    return solved(a, b) / square_root(time), SOLVED
