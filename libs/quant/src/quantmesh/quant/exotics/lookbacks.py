"""European options on the highest or lowest spot, observed continuously, with closed forms.

Goldman, Sosin and Gatto (1979) for floating strikes, Conze and Viswanathan (1991) for fixed ones; Haug, sections 4.15.1
and 4.15.2. All four follow from the expectations of the extremes.
"""

import numpy as np
from numpy.typing import ArrayLike

from quantmesh.quant._arguments import POSITIVE_SPOT, POSITIVE_STRIKE, Floats
from quantmesh.quant._evaluation import Value
from quantmesh.quant.exotics._columns import (
    MARKET,
    Flags,
    checked,
    normal,
    raise_where,
    scaled_normal,
    standardized,
)

_EXTREME = POSITIVE_STRIKE._replace(name="extreme")
# The formula divides by the cost of carry: nearer to zero it is interpolated. Over the option's life, and in deviations
# of the spot, or of 1 where they are more; so the error is some 1e-10 of such a deviation.
_SMALLEST_CARRY = 1e-5


def floating(
    option_type: ArrayLike,
    spot: ArrayLike,
    extreme: ArrayLike,
    time_to_expiry: ArrayLike,
    rate: ArrayLike,
    dividend_yield: ArrayLike,
    volatility: ArrayLike,
) -> Value:
    """A call pays the spot less the lowest, a put the highest less the spot; `extreme` is that so far."""
    domains = (POSITIVE_SPOT, _EXTREME, *MARKET)
    arguments = checked(option_type, domains, spot, extreme, time_to_expiry, rate, dividend_yield, volatility)
    s, level, t, r, q, v = arguments.values
    phi = arguments.sign
    _check_extreme(phi < 0, s, level)
    discounted_extreme = level * np.exp(-r * t) - phi * _excess(-phi, s, level, t, r, q, v)
    return arguments.answer(np.maximum(phi * (s * np.exp(-q * t) - discounted_extreme), 0.0))


def fixed(
    option_type: ArrayLike,
    spot: ArrayLike,
    strike: ArrayLike,
    extreme: ArrayLike,
    time_to_expiry: ArrayLike,
    rate: ArrayLike,
    dividend_yield: ArrayLike,
    volatility: ArrayLike,
) -> Value:
    """A call pays the highest less the strike, a put the strike less the lowest; `extreme` is that so far."""
    domains = (POSITIVE_SPOT, POSITIVE_STRIKE, _EXTREME, *MARKET)
    arguments = checked(option_type, domains, spot, strike, extreme, time_to_expiry, rate, dividend_yield, volatility)
    s, x, extreme_so_far, t, r, q, v = arguments.values
    phi = arguments.sign
    _check_extreme(phi > 0, s, extreme_so_far)
    level = np.where(phi > 0, np.maximum(x, extreme_so_far), np.minimum(x, extreme_so_far))
    value = np.exp(-r * t) * phi * (level - x) + _excess(phi, s, level, t, r, q, v)
    return arguments.answer(np.maximum(value, 0.0))


def _check_extreme(is_highest: Flags, s: Floats, level: Floats) -> None:
    raise_where(is_highest & (level < s), "extreme", level, lambda row: f"the highest so far, at least {s[row]:g}")
    raise_where(~is_highest & (level > s), "extreme", level, lambda row: f"the lowest so far, at most {s[row]:g}")


def _excess(phi: Floats, s: Floats, level: Floats, t: Floats, r: Floats, q: Floats, v: Floats) -> Floats:
    """The discounted expectation of how far the maximum (phi = 1) or minimum (-1) goes beyond the level."""
    carry = r - q
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        smallest = _SMALLEST_CARRY * np.minimum(v * np.sqrt(t), 1.0) / t
        outside = np.where(np.abs(carry) < smallest, smallest, carry)
        share = np.where(np.abs(carry) < smallest, 0.5 * (1.0 + carry / smallest), 1.0)
        formula = share * _formula(phi, s, level, t, r, outside, v)
        formula = formula + (1.0 - share) * _formula(phi, s, level, t, r, -outside, v)
    farthest = s * np.exp(np.maximum(phi * carry * t, 0.0) * phi)
    certain = np.exp(-r * t) * np.maximum(phi * (farthest - level), 0.0)
    return np.where(v * np.sqrt(t) > 0.0, formula, certain)


def _formula(phi: Floats, s: Floats, level: Floats, t: Floats, r: Floats, carry: Floats, v: Floats) -> Floats:
    deviation = v * np.sqrt(t)
    logarithm = np.log(s / level)
    d1 = standardized(logarithm, carry * t, deviation)
    power = 2.0 * carry / v**2
    discount, growth = np.exp(-r * t), np.exp(carry * t)
    option = s * growth * normal(phi * d1) - level * normal(phi * (d1 - deviation))
    reflected = scaled_normal(-power * logarithm, phi * (d1 - power * deviation))
    return phi * discount * (option + s / power * (growth * normal(phi * d1) - reflected))
