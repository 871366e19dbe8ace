"""What a simulation asks of a process, and what several processes share."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol, Self

import numpy as np

from quantmesh.quant._arguments import DIVIDEND_YIELD, POSITIVE_SPOT, RATE, Floats, check_scalar
from quantmesh.quant.monte_carlo._curves import Curve, Schedule, check_curve, shifted

Evolve = Callable[[Floats], None]


class Process(Protocol):
    """One or several assets under one rate; each `with_` answers the same process with one input moved."""

    @property
    def rate(self) -> Curve: ...
    @property
    def asset_spots(self) -> tuple[float, ...]: ...
    @property
    def factors(self) -> int:
        """Normal numbers per step."""

    def carries(self, schedule: Schedule) -> Floats:
        """Logarithms of forwards over spots, `[step, asset]`, at the end of every step."""

    def evolve(self, schedule: Schedule, with_variance: bool) -> Evolve:
        """What turns a block of normals into logarithms of spots, in place."""

    def with_spots(self, spots: tuple[float, ...]) -> Self: ...
    def with_rate_shift(self, shift: float) -> Self: ...
    def volatility_ranges(self) -> tuple[tuple[float, float], ...]:
        """Per asset the lowest and the highest of the volatilities that a shift moves."""

    def with_volatility_shifts(self, shifts: tuple[float, ...]) -> Self: ...


def carries(rate: Curve, dividend_yields: tuple[Curve, ...], schedule: Schedule) -> Floats:
    accrued = [schedule.accrued(rate) - schedule.accrued(dividend_yield) for dividend_yield in dividend_yields]
    return np.cumsum(np.array(accrued).T, axis=0)


@dataclass(frozen=True, slots=True, eq=False)
class OneAsset:
    """What processes of one asset share: rate and dividend yield per year may be piecewise constant in time."""

    spot: float
    rate: Curve
    dividend_yield: Curve

    def __post_init__(self) -> None:
        check_scalar(self.spot, POSITIVE_SPOT)
        check_curve("rate", self.rate, RATE)
        check_curve("dividend_yield", self.dividend_yield, DIVIDEND_YIELD)

    @property
    def asset_spots(self) -> tuple[float, ...]:
        return (self.spot,)

    def carries(self, schedule: Schedule) -> Floats:
        return carries(self.rate, (self.dividend_yield,), schedule)

    def with_spots(self, spots: tuple[float, ...]) -> Self:
        return replace(self, spot=spots[0])

    def with_rate_shift(self, shift: float) -> Self:
        return replace(self, rate=shifted(self.rate, shift))
