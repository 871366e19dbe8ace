"""Rates, yields and volatilities that may depend on time, and the dates of a simulation."""

from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from quantmesh.quant._arguments import Domain, Floats, check_scalar
from quantmesh.quant.errors import DomainError


@dataclass(frozen=True, slots=True)
class PiecewiseConstant:
    """`values[i]` holds between `times[i - 1]` and `times[i]`, in years; the first and the last reach on without end.

    There is one value more than times.
    """

    times: tuple[float, ...]
    values: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.values) != len(self.times) + 1:
            raise DomainError("values", f"{len(self.values)} values", f"one more than the {len(self.times)} times")
        for index, (earlier, later) in enumerate(pairwise((0.0, *self.times))):
            if not earlier < later < np.inf:
                raise DomainError("times", later, "positive, finite and increasing", index)

    def shifted(self, by: float) -> "PiecewiseConstant":
        return PiecewiseConstant(self.times, tuple(value + by for value in self.values))


Curve = float | PiecewiseConstant


def check_curve(name: str, curve: Curve, domain: Domain) -> None:
    for value in curve.values if isinstance(curve, PiecewiseConstant) else (curve,):
        check_scalar(value, domain._replace(name=name))


def shifted(curve: Curve, by: float) -> Curve:
    return curve.shifted(by) if isinstance(curve, PiecewiseConstant) else curve + by


def range_of(curve: Curve) -> tuple[float, float]:
    return (min(curve.values), max(curve.values)) if isinstance(curve, PiecewiseConstant) else (curve, curve)


def integral(curve: Curve, times: Floats, power: int = 1) -> Floats:
    """From time 0 to each of `times`, negative for those before it."""
    if not isinstance(curve, PiecewiseConstant):
        return curve**power * times
    values = np.array(curve.values) ** power
    knots = np.array((0.0, *curve.times))
    upto = np.concatenate(([0.0], np.cumsum(values[:-1] * np.diff(knots))))
    piece = np.maximum(np.searchsorted(knots, times, side="right") - 1, 0)
    result: Floats = upto[piece] + values[piece] * (times - knots[piece])
    return result


class Schedule(NamedTuple):
    """`steps + 1` times in years, the first of them now: 0, or a little off for a derivative by time."""

    times: Floats

    @property
    def steps(self) -> int:
        return self.times.size - 1

    @property
    def lengths(self) -> Floats:
        return np.diff(self.times)

    def accrued(self, curve: Curve, power: int = 1) -> Floats:
        """The integral over each step."""
        return np.diff(integral(curve, self.times, power))

    def total(self, curve: Curve, power: int = 1) -> float:
        ends = integral(curve, self.times[[0, -1]], power)
        return float(ends[1] - ends[0])

    def discounts(self, rate: Curve) -> Floats:
        """Discount factors of all times, 1 for the first."""
        accrued = integral(rate, self.times)
        discounts: Floats = np.exp(accrued[0] - accrued)
        return discounts

    def discount(self, rate: Curve) -> float:
        """The discount factor of the last time."""
        return float(self.discounts(rate)[-1])


def schedule_of(time_to_expiry: float, steps: int) -> Schedule:
    return Schedule(np.linspace(0.0, time_to_expiry, steps + 1))


def moved(schedule: Schedule, start: float, absorbing: int) -> Schedule:
    """Now is `start` instead of 0; the first `absorbing` steps change their lengths, so that later dates stay."""
    times = schedule.times.copy()
    times[: absorbing + 1] = np.linspace(start, times[absorbing], absorbing + 1)
    return Schedule(times)
