"""One option on a grid of spots: Crank and Nicolson's steps back from expiry, as plain Python and source of its kernel.

The grid is uniform in an angle `xi` with ln(spot / strike) = width sinh(xi), so that it is finest at the strike, which
is one of its points. Steps grow with the distance from expiry, since the exercise boundary moves like its root; after
expiry and after each dividend two steps are taken as four implicit halves (Rannacher, 1984), which damp the kinks.
Early exercise is a linear complementarity problem, solved at each step by policy iteration (Howard; Reisinger and
Witte, 2012) whatever the shape of the exercise region.
"""

import math
from typing import Any

import numpy as np

from quantmesh.quant._american_certain_formulas import certain_answer, certain_ends, paid_until

# The grid ends so many standard deviations beyond strike and spot.
_REACH = 6.0
_SMOOTHED_STEPS = 2
_LEAST_STEPS = 4
_LEAST_SHARE_LEFT = 0.2
_MOST_POLICIES = 60


def fill_grid(lowest: float, highest: float, drift: float, deviation: float, x: Any) -> None:
    """Logs of spot over strike, increasing, with room for spots between `lowest` and `highest` to drift and diffuse."""
    low = min(0.0, lowest, lowest + drift, -drift) - _REACH * deviation
    high = max(0.0, highest, highest + drift, -drift) + _REACH * deviation
    width = deviation
    first = math.asinh(low / width)
    step = (math.asinh(high / width) - first) / (x.size - 1)
    at_strike = math.floor(0.5 - first / step)
    for i in range(x.size):
        x[i] = width * math.sinh((i - at_strike) * step)


def fill_operator(x: Any, rate: float, dividend_yield: float, volatility: float, operator: Any) -> None:
    """Rows below, on and above the diagonal of the Black-Scholes operator; at both ends the value is linear in spot."""
    half_variance = 0.5 * volatility * volatility
    drift = rate - dividend_yield - half_variance
    last = x.size - 1
    for i in range(1, last):
        down = x[i] - x[i - 1]
        up = x[i + 1] - x[i]
        operator[0, i] = (2.0 * half_variance - drift * up) / (down * (down + up))
        operator[2, i] = (2.0 * half_variance + drift * down) / (up * (down + up))
        operator[1, i] = -operator[0, i] - operator[2, i] - rate
    growth = (rate - dividend_yield) / (math.exp(x[1] - x[0]) - 1.0)
    operator[0, 0], operator[1, 0], operator[2, 0] = 0.0, -growth - rate, growth
    growth = (rate - dividend_yield) / (1.0 - math.exp(x[last - 1] - x[last]))
    operator[0, last], operator[1, last], operator[2, last] = -growth, growth - rate, 0.0


def step_back(values: Any, payoff: Any, operator: Any, step: float, weight: float, american: bool, work: Any) -> None:
    """`values` a time `step` earlier; `weight` is that of the implicit side, 1 or 1/2.

    Rows of `work`: right side, exercised (1) or held (0), and two of elimination.
    """
    last = values.size - 1
    right, exercised, ratio, solution = work[0], work[1], work[2], work[3]
    explicit = (1.0 - weight) * step
    implicit = weight * step
    for i in range(values.size):
        below = operator[0, i] * values[i - 1] if i > 0 else 0.0
        above = operator[2, i] * values[i + 1] if i < last else 0.0
        right[i] = values[i] + explicit * (below + operator[1, i] * values[i] + above)
        if not american:
            exercised[i] = 0.0
    for _ in range(_MOST_POLICIES):
        for i in range(values.size):
            if exercised[i] == 1.0:
                ratio[i] = 0.0
                solution[i] = payoff[i]
            else:
                lower = -implicit * operator[0, i]
                diagonal = 1.0 - implicit * operator[1, i]
                if i > 0:
                    diagonal -= lower * ratio[i - 1]
                ratio[i] = -implicit * operator[2, i] / diagonal
                solution[i] = (right[i] - (lower * solution[i - 1] if i > 0 else 0.0)) / diagonal
        values[last] = solution[last]
        for i in range(last - 1, -1, -1):
            values[i] = solution[i] - ratio[i] * values[i + 1]
        if not american:
            return
        changed = False
        for i in range(values.size):
            below = operator[0, i] * values[i - 1] if i > 0 else 0.0
            above = operator[2, i] * values[i + 1] if i < last else 0.0
            residual = values[i] - implicit * (below + operator[1, i] * values[i] + above) - right[i]
            better = 1.0 if values[i] - payoff[i] < residual else 0.0
            if better != exercised[i]:
                exercised[i] = better
                changed = True
        if not changed:
            return


def march(values: Any, payoff: Any, operator: Any, length: float, steps: float, american: bool, work: Any) -> None:
    """`values` a time `length` earlier, by so many steps or a few more."""
    count = max(math.ceil(steps), _LEAST_STEPS) if length > 0.0 else 0
    done = 0.0
    for step in range(1, count + 1):
        reached = length * (step / count) ** 2
        if step <= _SMOOTHED_STEPS:
            for _ in range(2):
                step_back(values, payoff, operator, 0.5 * (reached - done), 1.0, american, work)
        else:
            step_back(values, payoff, operator, reached - done, 0.5, american, work)
        done = reached


def interpolated(x: Any, values: Any, at: float) -> float:
    """Cubic between the grid's points; linear in the spot below the grid."""
    if at < x[0]:
        low = math.exp(x[0])
        slope = (values[1] - values[0]) / (math.exp(x[1]) - low)
        below: float = values[0] + slope * (math.exp(at) - low)
        return below
    first = min(max(np.searchsorted(x, at) - 2, 0), x.size - 4)
    total = 0.0
    for i in range(first, first + 4):
        weight = 1.0
        for j in range(first, first + 4):
            if j != i:
                weight *= (at - x[j]) / (x[i] - x[j])
        total += weight * values[i]
    return total


def drop_by_dividend(x: Any, values: Any, share: float, payoff: Any, american: bool, before: Any) -> None:
    """Values just before the spot falls by `share` of the strike, or to nothing where it is lower."""
    for i in range(x.size):
        left = math.exp(x[i]) - share
        before[i] = interpolated(x, values, math.log(left) if left > 0.0 else -math.inf)
    for i in range(x.size):
        values[i] = max(before[i], payoff[i]) if american else before[i]


def price_on_grid(
    sign: float,
    spots: Any,
    strike: float,
    time: float,
    rate: float,
    dividend_yield: float,
    volatility: float,
    dividend_times: Any,
    dividend_amounts: Any,
    american: bool,
    points: int,
    steps: int,
    answers: Any,
) -> None:
    """Price, delta and gamma per spot. Dividends are in order of their times; those after expiry do not count."""
    deviation = volatility * math.sqrt(time)
    drift = (rate - dividend_yield - 0.5 * volatility * volatility) * time
    below, above = certain_ends(
        strike, deviation, drift, rate, dividend_yield, time, dividend_times, dividend_amounts, american
    )
    lowest = math.inf
    highest = 0.0
    for i in range(spots.size):
        if below < spots[i] < above:
            lowest = min(lowest, spots[i])
            highest = max(highest, spots[i])
        else:
            certain_answer(
                sign,
                spots[i],
                strike,
                time,
                rate,
                dividend_yield,
                dividend_times,
                dividend_amounts,
                american,
                answers[i],
            )
    if highest == 0.0:
        return
    x = np.empty(points)
    operator = np.empty((3, points))
    work = np.zeros((4, points))
    # Below the grid values are linear in the spot, which a put's soon are.
    lowest = max(lowest - paid_until(time, dividend_times, dividend_amounts), _LEAST_SHARE_LEFT * lowest)
    fill_grid(math.log(lowest / strike), math.log(highest / strike), drift, deviation, x)
    fill_operator(x, rate, dividend_yield, volatility, operator)
    payoff = np.empty(points)
    values = np.empty(points)
    for i in range(points):
        payoff[i] = sign * (math.exp(x[i]) - 1.0)
        values[i] = max(payoff[i], 0.0)
        work[1, i] = 1.0 if american and payoff[i] > 0.0 else 0.0
    late = time
    for event in range(dividend_times.size - 1, -1, -1):
        if dividend_times[event] <= time:
            length = late - dividend_times[event]
            march(values, payoff, operator, length, steps * math.sqrt(length / time), american, work)
            drop_by_dividend(x, values, dividend_amounts[event] / strike, payoff, american, work[0])
            late = dividend_times[event]
    march(values, payoff, operator, late, steps * math.sqrt(late / time), american, work)
    for i in range(spots.size):
        if below < spots[i] < above:
            read_off(x, values, sign, spots[i], strike, american, answers[i])


def read_off(x: Any, values: Any, sign: float, spot: float, strike: float, american: bool, answer: Any) -> None:
    """Price, delta and gamma; the latter by differences of the cubic, a grid step to each side."""
    at = math.log(spot / strike)
    nearest = min(max(np.searchsorted(x, at), 1), x.size - 2)
    shift = 0.5 * (x[nearest + 1] - x[nearest - 1])
    up = strike * interpolated(x, values, at + shift)
    middle = strike * interpolated(x, values, at)
    down = strike * interpolated(x, values, at - shift)
    intrinsic = sign * (spot - strike)
    answer[0] = max(middle, intrinsic, 0.0) if american else max(middle, 0.0)
    slope = (up - down) / (2.0 * shift)
    answer[1] = slope / spot
    answer[2] = ((up - 2.0 * middle + down) / (shift * shift) - slope) / (spot * spot)
