"""European options with one continuous barrier or two, with closed forms."""

import numpy as np
from numpy.typing import ArrayLike

from quantmesh.quant import black_scholes
from quantmesh.quant._arguments import POSITIVE_SPOT, POSITIVE_STRIKE, Floats
from quantmesh.quant._evaluation import Value
from quantmesh.quant.errors import DomainError
from quantmesh.quant.exotics._columns import (
    MARKET,
    REBATE,
    checked,
    normal,
    raise_where,
    scaled_normal,
    standardized,
)

BARRIER_TYPES = ("down_and_out", "down_and_in", "up_and_out", "up_and_in")
_BARRIER = POSITIVE_STRIKE._replace(name="barrier")
_LOWER, _UPPER = POSITIVE_STRIKE._replace(name="lower_barrier"), POSITIVE_STRIKE._replace(name="upper_barrier")
# Images to either side: the terms fall as exp(-2 n^2 width^2 / variance). Where the deviation is above the width they
# fall too slowly, and those of the sine series, so many, as exp(-n^2 pi^2 variance / 2 width^2).
_IMAGES = 10
_SINES = 4


def price(
    option_type: ArrayLike,
    barrier_type: str,
    spot: ArrayLike,
    strike: ArrayLike,
    barrier: ArrayLike,
    rebate: ArrayLike,
    time_to_expiry: ArrayLike,
    rate: ArrayLike,
    dividend_yield: ArrayLike,
    volatility: ArrayLike,
) -> Value:
    """Reiner and Rubinstein (1991), as in Haug, "The Complete Guide to Option Pricing Formulas", section 4.17.1.

    `barrier_type` is "down_and_out", "down_and_in", "up_and_out" or "up_and_in". An out option pays its rebate when it
    is hit, an in option at expiry if it never was. The spot must be on the living side of the barrier.
    """
    if barrier_type not in BARRIER_TYPES:
        raise DomainError("barrier_type", repr(barrier_type), " or ".join(f'"{name}"' for name in BARRIER_TYPES))
    is_down, is_in = barrier_type.startswith("down"), barrier_type.endswith("in")
    domains = (POSITIVE_SPOT, POSITIVE_STRIKE, _BARRIER, REBATE, *MARKET)
    arguments = checked(
        option_type, domains, spot, strike, barrier, rebate, time_to_expiry, rate, dividend_yield, volatility
    )
    s, _x, h = arguments.values[:3]
    side = "below" if is_down else "above"
    raise_where(s <= h if is_down else s >= h, "barrier", h, lambda row: f"{side} the spot of {s[row]:g}")
    eta = 1.0 if is_down else -1.0
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        formula = _reiner_rubinstein(arguments.sign, eta, is_in, *arguments.values)
    deviation = arguments.values[7] * np.sqrt(arguments.values[4])
    value = np.where(deviation > 0.0, formula, _certain(arguments.sign, is_down, is_in, *arguments.values))
    return arguments.answer(np.maximum(value, 0.0))


def _reiner_rubinstein(
    phi: Floats,
    eta: float,
    is_in: bool,
    s: Floats,
    x: Floats,
    h: Floats,
    rebate: Floats,
    t: Floats,
    r: Floats,
    q: Floats,
    v: Floats,
) -> Floats:
    """Letters are Haug's."""
    deviation = v * np.sqrt(t)
    mu = (r - q) / v**2 - 0.5
    carried, discounted = s * np.exp(-q * t), x * np.exp(-r * t)
    reflection = np.log(h / s)
    drift = (r - q) * t
    x1, x2 = standardized(np.log(s / x), drift, deviation), standardized(-reflection, drift, deviation)
    y1, y2 = standardized(2 * reflection + np.log(s / x), drift, deviation), standardized(reflection, drift, deviation)
    a = phi * (carried * normal(phi * x1) - discounted * normal(phi * (x1 - deviation)))
    b = phi * (carried * normal(phi * x2) - discounted * normal(phi * (x2 - deviation)))
    c, d = (
        phi
        * (
            carried * scaled_normal(2 * (mu + 1) * reflection, eta * y)
            - discounted * scaled_normal(2 * mu * reflection, eta * (y - deviation))
        )
        for y in (y1, y2)
    )
    above = x > h
    if is_in:
        never = normal(eta * (x2 - deviation)) - scaled_normal(2 * mu * reflection, eta * (y2 - deviation))
        e = rebate * np.exp(-r * t) * never
        plain = np.where(above, c if eta > 0 else a, a - b + d if eta > 0 else b - c + d)
        reflected = np.where(above, b - c + d if eta > 0 else a - b + d, a if eta > 0 else c)
        return np.where(phi > 0, plain, reflected) + e
    call = np.where(above, a - c if eta > 0 else 0.0, b - d if eta > 0 else a - b + c - d)
    put = np.where(above, a - b + c - d if eta > 0 else b - d, 0.0 if eta > 0 else a - c)
    return np.where(phi > 0, call, put) + rebate * _discounted_hit(eta, reflection, mu, r, v, deviation)


def _discounted_hit(eta: float, reflection: Floats, mu: Floats, r: Floats, v: Floats, deviation: Floats) -> Floats:
    """Haug's F: of 1 paid at the first hit. Under a rate far below zero its root is imaginary, the sum still real."""
    from scipy.special import log_ndtr

    excess = 2.0 * r / v**2
    root = np.sqrt((mu**2 + excess).astype(np.complex128))
    # Of mu + root and mu - root one cancels: their product tells it from the other.
    larger = np.where(mu < 0.0, mu - root, mu + root)
    smaller = -excess / np.where(larger == 0.0, 1.0, larger)
    total, difference = np.where(mu < 0.0, smaller, larger), np.where(mu < 0.0, larger, smaller)
    z = reflection / deviation + root * deviation
    first = np.exp(total * reflection + log_ndtr(eta * z))
    second = np.exp(difference * reflection + log_ndtr(eta * (z - 2.0 * root * deviation)))
    found: Floats = np.nan_to_num((first + second).real)
    return found


def _certain(
    phi: Floats,
    is_down: bool,
    is_in: bool,
    s: Floats,
    x: Floats,
    h: Floats,
    rebate: Floats,
    t: Floats,
    r: Floats,
    q: Floats,
    _v: Floats,
) -> Floats:
    """Without volatility or time: the forward runs along one curve."""
    final = s * np.exp((r - q) * t)
    hit = final <= h if is_down else final >= h
    payoff = np.exp(-r * t) * np.maximum(phi * (final - x), 0.0)
    if is_in:
        return np.where(hit, payoff, rebate * np.exp(-r * t))
    with np.errstate(divide="ignore", invalid="ignore"):
        first = np.where(hit, np.log(h / s) / (r - q), 0.0)
    return np.where(hit, rebate * np.exp(-r * first), payoff)


def double_price(
    option_type: ArrayLike,
    barrier_type: str,
    spot: ArrayLike,
    strike: ArrayLike,
    lower_barrier: ArrayLike,
    upper_barrier: ArrayLike,
    time_to_expiry: ArrayLike,
    rate: ArrayLike,
    dividend_yield: ArrayLike,
    volatility: ArrayLike,
) -> Value:
    """Ikeda and Kunitomo (1992) with flat barriers, as in Haug, section 4.17.3; "knock_out" or "knock_in".

    Where hardly any path stays between the barriers, the sine series of Pelsser (Pricing double barrier options using
    Laplace transforms, 2000).
    """
    if barrier_type not in {"knock_out", "knock_in"}:
        raise DomainError("barrier_type", repr(barrier_type), '"knock_out" or "knock_in"')
    domains = (POSITIVE_SPOT, POSITIVE_STRIKE, _LOWER, _UPPER, *MARKET)
    arguments = checked(
        option_type,
        domains,
        spot,
        strike,
        lower_barrier,
        upper_barrier,
        time_to_expiry,
        rate,
        dividend_yield,
        volatility,
    )
    s, x, lower, upper, t, r, q, v = arguments.values
    raise_where(s <= lower, "lower_barrier", lower, lambda row: f"below the spot of {s[row]:g}")
    raise_where(s >= upper, "upper_barrier", upper, lambda row: f"above the spot of {s[row]:g}")
    deviation = v * np.sqrt(t)
    final = s * np.exp((r - q) * t)
    certain = np.exp(-r * t) * np.maximum(arguments.sign * (final - x), 0.0) * ((final > lower) & (final < upper))
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        images = _ikeda_kunitomo(arguments.sign, s, x, lower, upper, t, r, q, v)
        sines = _pelsser(arguments.sign, s, x, lower, upper, t, r, q, v)
    formula = np.where(deviation > np.log(upper / lower), sines, images)
    value = np.maximum(np.where(deviation > 0.0, formula, certain), 0.0)
    if barrier_type == "knock_in":
        value = np.maximum(black_scholes.price(arguments.sign, s, x, t, r, q, v) - value, 0.0)
    return arguments.answer(value)


def _ikeda_kunitomo(
    phi: Floats,
    s: Floats,
    x: Floats,
    lower: Floats,
    upper: Floats,
    t: Floats,
    r: Floats,
    q: Floats,
    v: Floats,
) -> Floats:
    deviation, drift = v * np.sqrt(t), (r - q) * t
    carried, discounted = s * np.exp(-q * t), x * np.exp(-r * t)
    # The payoff is paid between these ends.
    inner = np.clip(x, lower, upper)
    low, high = np.where(phi > 0, inner, lower), np.where(phi > 0, upper, inner)
    power = 2.0 * (r - q) / v**2 + 1.0
    log_spot, log_lower, log_ends = np.log(s), np.log(lower), (np.log(low), np.log(high))
    width, reflection = np.log(upper / lower), np.log(lower / s)
    total = np.zeros_like(carried)
    for n in range(-_IMAGES, _IMAGES + 1):
        # The spot moved by n widths twice, and its reflection in the lower barrier.
        for weight, exponent, image in (
            (1.0, n * width, log_spot + 2 * n * width),
            (-1.0, reflection - n * width, 2 * log_lower - log_spot - 2 * n * width),
        ):
            ends = [standardized(image - end, drift, deviation) for end in log_ends]
            shares = _scaled_between(power * exponent, *ends)
            cash = _scaled_between((power - 2.0) * exponent, *(end - deviation for end in ends))
            total = total + weight * (carried * shares - discounted * cash)
    return phi * total


def _scaled_between(exponent: Floats, above: Floats, below: Floats) -> Floats:
    """exp(exponent) times what the normal distribution has between, of the tails that do not cancel."""
    is_right = above + below > 0.0
    high, low = np.where(is_right, -below, above), np.where(is_right, -above, below)
    return scaled_normal(exponent, high) - scaled_normal(exponent, low)


def _pelsser(
    phi: Floats,
    s: Floats,
    x: Floats,
    lower: Floats,
    upper: Floats,
    t: Floats,
    r: Floats,
    q: Floats,
    v: Floats,
) -> Floats:
    width, start = np.log(upper / lower), np.log(s / lower)
    inner = np.log(np.clip(x, lower, upper) / lower)
    low, high = np.where(phi > 0, inner, 0.0), np.where(phi > 0, width, inner)
    drift = (r - q) / v**2 - 0.5
    total = np.zeros_like(start)
    for n in range(1, _SINES + 1):
        frequency = n * np.pi / width
        decay = -r * t - 0.5 * v**2 * t * (drift**2 + frequency**2)
        # The integrals of the payoff's two parts over where it is paid.
        for amount, power in ((lower, drift + 1.0), (-x, drift)):
            for sign, end in ((1.0, high), (-1.0, low)):
                wave = power * np.sin(frequency * end) - frequency * np.cos(frequency * end)
                grown = np.exp(decay - drift * start + power * end) * wave / (power**2 + frequency**2)
                total = total + sign * amount * grown * np.sin(frequency * start)
    return phi * 2.0 / width * total
