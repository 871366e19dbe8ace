"""Options with cash dividends where nothing is left to chance, as plain Python and source of their kernels.

That is so without volatility, at a strike of nothing, and where the spot is so far off that it cannot come to the
strike (or, below, cannot survive the next dividend): there prices are linear in the spot and early exercise knows when.
"""

import math
from typing import Any

from quantmesh.quant._american_formulas import LEAST_DEVIATION, certain_value_and_greeks
from quantmesh.quant._limits import LARGEST_EXPONENT, SMALLEST_AMOUNT

# A spot so many deviations away never comes back, to double accuracy.
_REACH = 10.0
# Where early exercise waits for a spot even farther away, what is lost is below a thousand millionth.
_MOST_FARTHER = 20.0
# Relative step of differences by the spot, and the jump of a slope that is a kink or rounding.
_SPOT_STEP = 1e-4
_KINK = 1e-2
_ROUNDING = 1e-10


def paid_until(time: float, dividend_times: Any, dividend_amounts: Any) -> float:
    total = 0.0
    for event in range(dividend_times.size):
        total += dividend_amounts[event] if dividend_times[event] <= time else 0.0
    return total


def certain_ends(
    strike: float,
    deviation: float,
    drift: float,
    rate: float,
    dividend_yield: float,
    time: float,
    dividend_times: Any,
    dividend_amounts: Any,
    american: bool,
) -> tuple[float, float]:
    """Spots at the first and below, and at the second and above, are certain."""
    if deviation < LEAST_DEVIATION or strike == 0.0:
        return 0.0, 0.0
    up = _REACH * deviation + abs(drift)
    down = up
    if american and rate * dividend_yield > 0.0:
        # At rate / yield strikes to wait begins or ceases to pay.
        farther = math.log(rate / dividend_yield)
        up += min(max(farther, 0.0), _MOST_FARTHER)
        down += min(max(-farther, 0.0), _MOST_FARTHER)
    least = strike
    for event in range(dividend_times.size - 1, -1, -1):
        if dividend_times[event] <= time and dividend_amounts[event] > 0.0:
            least = min(strike, dividend_amounts[event])
    above = math.exp(min(up, LARGEST_EXPONENT)) * (strike + paid_until(time, dividend_times, dividend_amounts))
    return math.exp(-min(down, LARGEST_EXPONENT)) * least, above


def certain_answer(
    sign: float,
    spot: float,
    strike: float,
    time: float,
    rate: float,
    dividend_yield: float,
    dividend_times: Any,
    dividend_amounts: Any,
    american: bool,
    answer: Any,
) -> None:
    """Price, delta and gamma of `certain_price`: infinite gamma where the price has a kink."""
    terms = (strike, time, rate, dividend_yield, dividend_times, dividend_amounts, american)
    step = _SPOT_STEP * (spot if spot > 0.0 else max(strike, SMALLEST_AMOUNT))
    middle = certain_price(sign, spot, *terms)
    up = (certain_price(sign, spot + step, *terms) - middle) / step
    down = (middle - certain_price(sign, spot - step, *terms)) / step if spot > 0.0 else up
    answer[0] = middle
    answer[1] = 0.5 * (up + down)
    bend = abs(up - down)
    answer[2] = math.inf if bend > _KINK else (up - down) / step if bend > _ROUNDING else 0.0


def certain_price(
    sign: float,
    spot: float,
    strike: float,
    time: float,
    rate: float,
    dividend_yield: float,
    dividend_times: Any,
    dividend_amounts: Any,
    american: bool,
) -> float:
    """Where the spot moves by drift and dividends alone, or where what is received does not depend on its moves."""
    best = 0.0
    early = 0.0
    for event in range(dividend_times.size + 1):
        paid = event < dividend_times.size and dividend_times[event] <= time
        late = dividend_times[event] if paid else time
        discount = math.exp(-rate * early)
        if american:
            value = certain_value_and_greeks(sign, spot, strike, late - early, rate, dividend_yield)[0]
            best = max(best, discount * value)
        spot *= math.exp((rate - dividend_yield) * (late - early))
        early = late
        if not paid:
            break
        spot = max(spot - dividend_amounts[event], 0.0)
    return max(best, math.exp(-rate * time) * sign * (spot - strike))
