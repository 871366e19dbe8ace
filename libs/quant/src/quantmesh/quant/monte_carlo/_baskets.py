"""Options on several assets at expiry: their weighted sum, the difference of two, the best and the worst."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from quantmesh.quant._arguments import Domain, Floats, check_scalar, sign_of
from quantmesh.quant.errors import DomainError
from quantmesh.quant.monte_carlo._curves import Schedule
from quantmesh.quant.monte_carlo._lognormal import CorrelatedAssets
from quantmesh.quant.monte_carlo._payoff import (
    AtExpiry,
    Control,
    Evaluation,
    Fill,
    check_strike_and_time,
    discounted_lognormal,
    spot_controls,
)
from quantmesh.quant.monte_carlo._process import Process
from quantmesh.quant.monte_carlo._vanilla import OptionType

_WEIGHT = Domain("weights", -1e100, 1e100, "a finite number")
_SPREAD_STRIKE = Domain("strike", -1e100, 1e100, "a finite number")


@dataclass(frozen=True, slots=True)
class Basket(AtExpiry):
    """max(B - K, 0) or max(K - B, 0) on the sum B of the spots times their `weights`.

    Under geometric Brownian motion with positive weights the geometric basket is a control.
    """

    option_type: OptionType
    strike: float
    time_to_expiry: float
    weights: tuple[float, ...]

    def __post_init__(self) -> None:
        sign_of(self.option_type)
        check_strike_and_time(self.strike, self.time_to_expiry)
        for index, weight in enumerate(self.weights):
            check_scalar(weight, _WEIGHT._replace(name=f"weights[{index}]"))

    def check(self, process: Process) -> None:
        if len(self.weights) != len(process.asset_spots):
            wanted = f"one for each of the {len(process.asset_spots)} assets"
            raise DomainError("weights", f"{len(self.weights)} weights", wanted)

    def evaluation(self, process: Process, schedule: Schedule) -> Evaluation:
        sign = sign_of(self.option_type)
        controls = spot_controls(process, schedule)
        if isinstance(process, CorrelatedAssets) and min(self.weights) > 0.0:
            controls = (*controls, _geometric_control(self.weights, process, schedule, sign, self.strike))
        return Evaluation(_weighted_sum(self.weights, process, schedule, sign, self.strike), controls)


@dataclass(frozen=True, slots=True)
class Spread(AtExpiry):
    """max(S1 - S2 - K, 0) or max(K - S1 + S2, 0) on two assets; the strike may be negative."""

    option_type: OptionType
    strike: float
    time_to_expiry: float

    def __post_init__(self) -> None:
        sign_of(self.option_type)
        check_scalar(self.strike, _SPREAD_STRIKE)
        check_strike_and_time(0.0, self.time_to_expiry)

    def check(self, process: Process) -> None:
        if len(process.asset_spots) != 2:
            raise DomainError("process", f"{len(process.asset_spots)} assets", "one of two assets for a spread")

    def evaluation(self, process: Process, schedule: Schedule) -> Evaluation:
        sign = sign_of(self.option_type)
        fill = _weighted_sum((1.0, -1.0), process, schedule, sign, self.strike)
        return Evaluation(fill, spot_controls(process, schedule))


@dataclass(frozen=True, slots=True)
class _Ranked(AtExpiry):
    option_type: OptionType
    strike: float
    time_to_expiry: float
    side: ClassVar[float]

    def __post_init__(self) -> None:
        sign_of(self.option_type)
        check_strike_and_time(self.strike, self.time_to_expiry)

    def check(self, process: Process) -> None:
        if len(process.asset_spots) < 2:
            raise DomainError("process", "one asset", "one of several assets for this payoff")

    def evaluation(self, process: Process, schedule: Schedule) -> Evaluation:
        from quantmesh.quant.monte_carlo import _exotic_kernels as kernels

        sign, assets = sign_of(self.option_type), len(process.asset_spots)
        discount = schedule.discount(process.rate)

        def fill(block: Floats, values: Floats, row: int) -> None:
            kernels.ranked(block, assets, self.side, sign, self.strike, discount, values, row)

        return Evaluation(fill, spot_controls(process, schedule))


class BestOf(_Ranked):
    """A call or a put on the greatest of the spots at expiry."""

    __slots__ = ()
    side = 1.0


class WorstOf(_Ranked):
    """A call or a put on the least of the spots at expiry."""

    __slots__ = ()
    side = -1.0


def _weighted_sum(weights: tuple[float, ...], process: Process, schedule: Schedule, sign: int, strike: float) -> Fill:
    from quantmesh.quant.monte_carlo import _exotic_kernels as kernels

    factors = np.array(weights, dtype=np.float64)
    discount = schedule.discount(process.rate)

    def fill(block: Floats, values: Floats, row: int) -> None:
        kernels.basket(block, factors, sign, strike, discount, values, row)

    return fill


def _geometric_control(
    weights: tuple[float, ...], process: CorrelatedAssets, schedule: Schedule, sign: int, strike: float
) -> Control:
    """The product of the spots to their shares of today's basket, scaled to start where the basket does."""
    from quantmesh.quant.monte_carlo import _exotic_kernels as kernels

    spots = np.array(process.asset_spots)
    basket = float(np.dot(weights, spots))
    exponents = np.array(weights) * spots / basket
    log_scale = math.log(basket) - float(exponents @ np.log(spots))
    covariance = process.variances(schedule).sum(axis=0)
    drifts = process.carries(schedule)[-1] - 0.5 * np.diagonal(covariance)
    discount = schedule.discount(process.rate)
    # Assets that cancel each other leave rounding alone, of either sign.
    variance = max(float(exponents @ covariance @ exponents), 0.0)
    price = discounted_lognormal(sign, math.log(basket) + float(exponents @ drifts), variance, strike, discount)

    def fill(block: Floats, values: Floats, row: int) -> None:
        kernels.geometric_basket(block, exponents, log_scale, sign, strike, discount, values, row)

    return Control("geometric basket", price, fill)
