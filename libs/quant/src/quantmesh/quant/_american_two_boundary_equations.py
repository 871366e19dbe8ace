"""What the boundaries of a put with dividend_yield < rate < 0 satisfy, collocated, for columns of contracts.

For a strike of 1 the upper boundary is exp(-g), the lower one rate / dividend_yield * exp(g). Each equation is that of
the slope at the boundary, as logarithms of two sums of positive terms: what is earned and what is lost by exercise.
"""

import math
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quantmesh.quant._american_schemes import angles, collocation_points, interpolation_weights
from quantmesh.quant._arguments import Floats

_LOG_ROOT_TWO_PI = 0.9189385332046727
LEAST = 1e-300
_LEAST_RATIO = 0.01
# How fast the boundaries leave their starts, in deviations: a first guess for the upper, a limit for the lower.
_PACE_SCALE = 2.0 * math.sqrt(2.0 * math.pi)
_LEAST_PACE = 1.5
LOWER_PACE = 0.6388


class Sizes(NamedTuple):
    collocation: int
    quadrature: int
    premium: int
    tolerance: float  # of the value at the boundaries, for a strike of 1; beyond it they are not trusted


class Puts(NamedTuple):
    """Columns on a strike of 1."""

    rate: Floats
    dividend_yield: Floats
    volatility: Floats

    def taken(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> "Puts":
        return Puts(*(column[rows] for column in self))

    @property
    def width(self) -> Floats:
        """Between the boundaries at expiry, in log."""
        found: Floats = np.log1p((self.dividend_yield - self.rate) / self.rate)
        return found

    @property
    def never_meet(self) -> NDArray[np.bool_]:
        """Section 2 of the paper: so low a volatility that both boundaries have perpetual limits."""
        found: NDArray[np.bool_] = self.volatility <= np.sqrt(-2.0 * self.dividend_yield) - np.sqrt(-2.0 * self.rate)
        return found

    @property
    def largest_upper(self) -> Floats:
        """The upper gap of the perpetual put; without one, that which reaches where the lower boundary starts."""
        variance = self.volatility**2
        slope = 2.0 * (self.rate - self.dividend_yield) / variance - 1.0
        root = np.sqrt(np.maximum(slope * slope + 8.0 * self.rate / variance, 0.0))
        return np.where(self.never_meet, np.log1p(2.0 / np.maximum(slope + root, LEAST)), self.width)


class Rule(NamedTuple):
    fractions: Floats  # (collocation,)
    elapsed: Floats  # (collocation, quadrature): root of the time elapsed over the span
    left: Floats  # of that left
    layer: Floats  # weights of integrals over the elapsed time's root, twice
    volume: Floats  # weights of integrals over the elapsed time
    interpolation: Floats  # (collocation, quadrature, collocation)


@cache
def rule_of(sizes: Sizes) -> Rule:
    count = sizes.collocation
    fractions = collocation_points(count)
    sine, cosine, weight = angles(sizes.quadrature)
    return Rule(
        fractions,
        np.outer(fractions, sine),
        np.outer(fractions, cosine),
        2.0 * np.outer(fractions, cosine * weight),
        2.0 * np.outer(fractions**2, sine * cosine * weight),
        interpolation_weights(count, np.outer(fractions, cosine)),
    )


def _interpolate(rule: Rule, values: Floats) -> Floats:
    count, points, _ = rule.interpolation.shape
    return (values @ rule.interpolation.reshape(count * points, count).T).reshape(-1, count, points)


def upper_pace(drift: Floats) -> Floats:
    """How many deviations the upper boundary lies below the strike, just before expiry.

    Evans, Kuske and Keller, "American options on assets with dividends near expiry" (2002).
    """
    pace: Floats = np.sqrt(2.0 * np.log(_LEAST_PACE + 1.0 / (_PACE_SCALE * drift)))
    return pace


def first_upper(puts: Puts, span: Floats, fractions: Floats) -> Floats:
    """Gaps at (rows or 1, ...) roots of time over the span: what the upper one lacks of these is smooth."""
    shape = (-1,) + (1,) * (fractions.ndim - 1)
    deviation = (puts.volatility * np.sqrt(span)).reshape(shape) * fractions
    drift = ((puts.rate - puts.dividend_yield) * np.sqrt(span) / puts.volatility).reshape(shape) * fractions
    largest = puts.largest_upper.reshape(shape)
    gap: Floats = largest * -np.expm1(-upper_pace(drift) * deviation / largest)
    return gap


def _jacobian(rule: Rule, own: Floats, there: Floats) -> Floats:
    """Of equations that depend on the gap where they hold, and on those of every quadrature point."""
    jacobian: Floats = np.matmul(there.transpose(1, 0, 2), rule.interpolation).transpose(1, 0, 2).copy()
    index = np.arange(own.shape[1])
    jacobian[:, index, index] += own
    return jacobian


def upper_system(puts: Puts, span: Floats, rule: Rule, gap: Floats, *, scaled: bool) -> tuple[Floats, Floats]:
    """Residuals (rows, points) and their derivatives by the gaps."""
    from scipy.special import log_ndtr, ndtr

    rate, dividend_yield = ((column * span)[:, None, None] for column in puts[:2])
    deviation = (puts.volatility * np.sqrt(span))[:, None, None]
    drift = (rate - dividend_yield) / deviation
    here = gap[:, :, None]
    if scaled:
        scale_here = first_upper(puts, span, rule.fractions[None]) ** 2
        scale_there = first_upper(puts, span, rule.left[None]) ** 2
        square = scale_there * np.maximum(1.0 + _interpolate(rule, gap**2 / scale_here - 1.0), _LEAST_RATIO)
    else:
        scale_here = scale_there = np.ones(1)
        square = np.maximum(_interpolate(rule, gap**2), LEAST)
    there = np.sqrt(square)
    spread = deviation * rule.elapsed
    plus = (there - here) / spread + drift * rule.elapsed + 0.5 * spread
    minus = plus - spread
    elapsed = rule.elapsed**2
    earned = -rate * np.expm1(puts.width[:, None, None] - there)  # rate less what the boundary yields
    layer = rule.layer / deviation * np.exp(-0.5 * minus * minus - rate * elapsed + here - _LOG_ROOT_TWO_PI)
    held = rule.volume * -dividend_yield * np.exp(-dividend_yield * elapsed) * ndtr(plus)
    total = np.maximum(np.sum(held + layer * earned, axis=-1), LEAST)
    by_there = layer * earned * minus / spread
    by_here = np.sum(-layer * rate - by_there, axis=-1)

    spread = deviation[:, 0] * rule.fractions
    at_expiry = -gap / spread + drift[:, 0] * rule.fractions + 0.5 * spread
    log_probability = log_ndtr(at_expiry)
    slope = np.exp(-0.5 * at_expiry**2 - _LOG_ROOT_TWO_PI - log_probability) / spread
    residual = log_probability - dividend_yield[:, 0] * rule.fractions**2 - np.log(total)
    by_gap = by_there * scale_there / (total[:, :, None] * there)
    jacobian = _jacobian(rule, np.zeros_like(gap), by_gap) * (gap / scale_here)[:, None, :]
    index = np.arange(gap.shape[1])
    jacobian[:, index, index] += by_here / total - slope
    return residual, jacobian


def lower_system(puts: Puts, span: Floats, rule: Rule, gap: Floats) -> tuple[Floats, Floats]:
    """Residuals (rows, points) and their derivatives by the gaps."""
    from scipy.special import ndtr

    rate, dividend_yield = ((column * span)[:, None, None] for column in puts[:2])
    deviation = (puts.volatility * np.sqrt(span))[:, None, None]
    here = gap[:, :, None]
    there = _interpolate(rule, gap)
    spread = deviation * rule.elapsed
    plus = (here - there) / spread + (rate - dividend_yield) / deviation * rule.elapsed + 0.5 * spread
    minus = plus - spread
    elapsed = rule.elapsed**2
    layer = rule.layer / deviation * np.exp(-0.5 * minus * minus - rate * elapsed - here - _LOG_ROOT_TWO_PI)
    earned = layer * np.expm1(there)
    level = layer + earned
    held = np.sum(rule.volume * np.exp(-dividend_yield * elapsed) * ndtr(-plus), axis=-1)
    total = np.maximum(np.sum(earned, axis=-1), LEAST)
    moved = earned * minus / spread
    by_here = -np.sum(level, axis=-1) / held + np.sum(earned + moved, axis=-1) / total
    by_there = level / held[:, :, None] - (level + moved) / total[:, :, None]
    return np.log(held) - np.log(total), _jacobian(rule, by_here, by_there)
