"""American options for one option, as plain Python: the source of the vector kernels.

Every option is turned into a put on a strike of 1 (McDonald and Schroder, 1998): a call on `spot` struck at `strike` is
worth `spot` puts on `strike / spot` with rate and dividend yield exchanged. Below, `rate` and `dividend_yield` are
those of that put, `deviation` is volatility times the root of the whole time to expiry, and `fraction` is the root of
elapsed time over the whole, so that a time is `time * fraction ** 2`.

The boundary B(tau) below which the put is exercised follows Andersen, Lake and Offengenden, "High Performance American
Option Pricing" (2016), section 3: `gap` is ln(X / B), whose square is interpolated, and `X` is the boundary at expiry,
`strike * min(1, rate / dividend_yield)`. Their fixed point A, from the slope at the boundary, is iterated without
derivatives, where the drift is strong mixed with their fixed point B, from the value there: alone, A diverges there.
"""

from quantmesh.quant._black_scholes_formulas import density, is_inside_domain, quotient
from quantmesh.quant._elementary import (
    TINY,
    exponential,
    logarithm_of_ratio,
    mills_ratio,
    square_root,
)

# How an option is priced.
EUROPEAN = 0  # never exercised early
CERTAIN = 1  # no time, no volatility, no spot or no strike: what follows is known
ONE_BOUNDARY = 2  # exercised at or below (put), above (call) one boundary
TWO_BOUNDARIES = 3  # exercised between two boundaries
INVALID = 4  # an argument lies outside its domain
LONG_BOUNDARY = 5  # as ONE_BOUNDARY, but it takes more points and iterations to find

# The pace at which the boundary leaves X in the first guess, in standard deviations.
_FIRST_PACE = 2.3
_LEAST_GAP = 1e-12
# From the first to the second number of deviations by which the drift raises the spot, system B takes over from A.
MOSTLY_SLOPES = 0.3
_ONLY_VALUES = 1.7
# A boundary is long beyond so many deviations by which the drift raises the spot, where its iteration converges slowly
# and then its turn is sharp; where rate or yield amount to so much over the life; and where the rate, over the
# deviation, amounts to so little that the boundary lies many deviations off.
_MOST_DRIFT = 1.5
_MOST_GROWTH = 0.4
_LEAST_INTEREST = 3e-5
# Beyond it a put with two boundaries, below its strike grown to expiry at any time, is worth that within 1e-22.
_MOST_DEVIATION = 20.0
# Below it an option is worth within 1e-12 of its spot what it is worth without volatility.
LEAST_DEVIATION = 1e-12


def kind_of(
    sign: float,
    spot: float,
    strike: float,
    time: float,
    rate: float,
    dividend_yield: float,
    volatility: float,
    telling_long: bool,
) -> int:
    if not is_inside_domain(spot, strike, time, rate, dividend_yield, volatility):
        return INVALID
    deviation = volatility * square_root(time)
    if deviation < LEAST_DEVIATION or spot == 0.0 or strike == 0.0:
        return CERTAIN
    kind = kind_of_put(dividend_yield, rate) if sign > 0.0 else kind_of_put(rate, dividend_yield)
    if telling_long and kind == ONE_BOUNDARY and is_long(sign, time, rate, dividend_yield, volatility):
        return LONG_BOUNDARY
    return EUROPEAN if kind == TWO_BOUNDARIES and deviation > _MOST_DEVIATION else kind


def is_long(sign: float, time: float, rate: float, dividend_yield: float, volatility: float) -> bool:
    """Of an option with one boundary, given as it is."""
    root = square_root(time)
    drift = sign * (dividend_yield - rate) * root / volatility
    interest = (dividend_yield if sign > 0.0 else rate) * root / volatility
    growth = max(abs(rate), abs(dividend_yield)) * time
    return drift > _MOST_DRIFT or growth > _MOST_GROWTH or interest < _LEAST_INTEREST


def kind_of_put(rate: float, dividend_yield: float) -> int:
    """Andersen and Lake, "Fast American Option Pricing: The Double-Boundary Case" (2021), section 2."""
    if rate > 0.0 or (rate == 0.0 and dividend_yield < 0.0):
        return ONE_BOUNDARY
    return TWO_BOUNDARIES if dividend_yield < rate < 0.0 else EUROPEAN


def log_boundary_at_expiry(rate: float, dividend_yield: float) -> float:
    """ln X for a strike of 1."""
    return logarithm_of_ratio(max(rate, TINY), dividend_yield) if dividend_yield > max(rate, 0.0) else 0.0


def largest_gap(log_at_expiry: float, rate: float, dividend_yield: float, volatility: float) -> float:
    """ln(X / B) of the perpetual put, below whose boundary no other goes."""
    variance = volatility * volatility
    slope = 2.0 * (rate - dividend_yield) / variance - 1.0
    product = 8.0 * rate / variance
    root = square_root(slope * slope + product)
    # The size of the negative root of lambda (lambda + slope) = product / 4, without cancellation.
    size = 0.5 * (slope + root) if slope > 0.0 else 0.5 * product / max(root - slope, TINY)
    return max(log_at_expiry + logarithm_of_ratio(1.0 + max(size, TINY), max(size, TINY)), _LEAST_GAP)


def first_gap(largest: float, deviation: float, fraction: float) -> float:
    """It leaves X as fast as some standard deviations and settles at the perpetual boundary."""
    return largest * (1.0 - exponential(-_FIRST_PACE * deviation * fraction / largest))


def boundary_distances(
    gap_there_squared: float, gap: float, deviation: float, drift: float, fraction: float
) -> tuple[float, float]:
    """d+ and d- from the boundary, where the equation is solved and `gap` is its gap, to itself at an earlier time."""
    gap_there = square_root(max(gap_there_squared, 0.0))
    spread = deviation * fraction
    centre = (gap_there - gap) / spread + drift * fraction
    return centre + 0.5 * spread, centre - 0.5 * spread


def probability_below(d: float, tail: float, whole: float) -> float:
    """`whole` times Phi(d), where `tail` is its part beyond |d|."""
    return tail if d < 0.0 else whole - tail


def gap_from_slope(
    log_at_expiry: float,
    largest: float,
    deviation: float,
    rate_time: float,
    yield_time: float,
    fraction: float,
    minus: float,
    plus: float,
    probability: float,
    sum_minus: float,
    sum_plus: float,
    sum_probability: float,
) -> float:
    """System A: the next gap from discounted densities of d- and d+ and probability of d+ at expiry, and their sums."""
    spread = deviation * fraction
    numerator = minus / spread + rate_time / deviation * sum_minus
    denominator = plus / spread + probability + yield_time * (sum_plus / deviation + sum_probability)
    return gap_of(log_at_expiry, largest, numerator, denominator)


def gap_from_value(
    log_at_expiry: float,
    largest: float,
    rate_time: float,
    yield_time: float,
    probability_minus: float,
    probability_plus: float,
    sum_minus: float,
    sum_plus: float,
) -> float:
    """System B: the next gap from the probabilities at expiry and the sums of those before."""
    numerator = probability_minus + rate_time * sum_minus
    denominator = probability_plus + yield_time * sum_plus
    return gap_of(log_at_expiry, largest, numerator, denominator)


def gap_of(log_at_expiry: float, largest: float, numerator: float, denominator: float) -> float:
    """Of a boundary that is the strike times the quotient, kept between those at expiry and of the perpetual put."""
    moved = log_at_expiry - logarithm_of_ratio(max(numerator, TINY), max(denominator, TINY))
    return min(max(moved, 0.0), largest)


def share_of_slope(drift: float, fraction: float) -> float:
    """How much of system A's answer to take, the rest of B's."""
    t = min(max((drift * fraction - MOSTLY_SLOPES) / (_ONLY_VALUES - MOSTLY_SLOPES), 0.0), 1.0)
    return 1.0 - t * t * (3.0 - 2.0 * t)


def premium_distances(log_spot_gap: float, deviation: float, drift: float, fraction: float) -> tuple[float, float]:
    """d+ and d- from the spot, `log_spot_gap` above the boundary of an earlier time, to there."""
    spread = deviation * fraction
    centre = log_spot_gap / spread + drift * fraction
    return centre + 0.5 * spread, centre - 0.5 * spread


def premium_term(
    d_plus: float,
    d_minus: float,
    ratio_plus: float,
    ratio_minus: float,
    density_minus: float,
    boundary: float,
    spot: float,
    rate_time: float,
    yield_time: float,
    discount: float,
    carry: float,
) -> float:
    """What early exercise earns at one time: Kim's integrand for a strike of 1, times the whole time to expiry.

    Ratios are Mills' of |d|; `discount` and `carry` are the factors of that time.
    """
    weighted = discount * density_minus
    interest = probability_below(-d_minus, weighted * ratio_minus, discount)
    dividends = probability_below(-d_plus, boundary * weighted * ratio_plus, spot * carry)
    return rate_time * interest - yield_time * dividends


def premium_slopes(
    d_plus: float,
    d_minus: float,
    ratio_plus: float,
    density_minus: float,
    boundary: float,
    spot: float,
    rate_time: float,
    yield_time: float,
    discount: float,
    carry: float,
    spread: float,
) -> tuple[float, float]:
    """First and second derivative of `premium_term` by the spot."""
    weighted = discount * density_minus / spot
    probability = probability_below(-d_plus, boundary * weighted * ratio_plus, carry)
    weighted = weighted / spread
    first = (yield_time * boundary - rate_time) * weighted - yield_time * probability
    second = rate_time * (1.0 + d_minus / spread) + yield_time * boundary * (1.0 - d_plus / spread)
    return first, second * weighted / spot


def european_parts(
    log_spot: float, spot: float, deviation: float, drift: float, rate_time: float, yield_time: float
) -> tuple[float, float, float]:
    """The European put with a strike of 1 and its first two derivatives by the spot."""
    centre = log_spot / deviation + drift
    d_plus = centre + 0.5 * deviation
    d_minus = centre - 0.5 * deviation
    discount = exponential(-rate_time)
    carry = exponential(-yield_time)
    density_plus = carry * density(d_plus)
    tail_minus = discount * density(d_minus) * mills_ratio(abs(d_minus))
    tail_plus = density_plus * mills_ratio(abs(d_plus))
    exercised = probability_below(-d_minus, tail_minus, discount)
    below = probability_below(-d_plus, tail_plus, carry)
    return max(exercised - spot * below, 0.0), -below, density_plus / (spot * deviation)


def certain_exercise(spot: float, strike: float, time: float, rate: float, dividend_yield: float) -> float:
    """When to exercise a put whose spot moves by its drift alone: now, at expiry, or in between."""
    best = 0.0
    value = max(strike - spot, 0.0)
    final = strike * exponential(-rate * time) - spot * exponential(-dividend_yield * time)
    if final > value:
        best = time
        value = final
    if rate * dividend_yield > 0.0 and rate != dividend_yield and spot > 0.0 and strike > 0.0:
        turn = (logarithm_of_ratio(strike, spot) + logarithm_of_ratio(abs(rate), abs(dividend_yield))) / (
            rate - dividend_yield
        )
        if 0.0 < turn < time:
            between = strike * exponential(-rate * turn) - spot * exponential(-dividend_yield * turn)
            if between > value:
                best = turn
    return best


def certain_value_and_greeks(
    sign: float, spot: float, strike: float, time: float, rate: float, dividend_yield: float
) -> tuple[float, float, float, float, float, float]:
    """Price, delta, gamma, vega, theta and rho without volatility or time."""
    if sign > 0.0:
        when = certain_exercise(strike, spot, time, dividend_yield, rate)
    else:
        when = certain_exercise(spot, strike, time, rate, dividend_yield)
    received = spot * exponential(-dividend_yield * when)
    paid = strike * exponential(-rate * when)
    value = sign * (received - paid)
    if value < 0.0:
        return 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    if value == 0.0:
        # At the money both sides are as near; volatility and time alone give it worth.
        at_money = received > 0.0
        return 0.0, 0.5 * sign if at_money else 0.0, float("inf") if at_money else 0.0, 0.0, 0.0, 0.0
    gamma = 0.0
    theta = 0.0
    if when == time and time > 0.0:
        theta = sign * (dividend_yield * received - rate * paid)
    elif when > 0.0:
        gamma = quotient(sign * dividend_yield * received / (spot * spot), rate - dividend_yield)
    return value, sign * received / spot if spot > 0.0 else sign, gamma, 0.0, theta, sign * when * paid
