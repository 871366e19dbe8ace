"""Options on the highest or the lowest spot."""

import math
from dataclasses import dataclass

from quantmesh.quant._arguments import POSITIVE_STRIKE, STRIKE, TIME_TO_EXPIRY, Floats, check_scalar, sign_of
from quantmesh.quant.errors import DomainError
from quantmesh.quant.monte_carlo._curves import Schedule
from quantmesh.quant.monte_carlo._payoff import (
    Evaluation,
    Monitored,
    Monitoring,
    check_one_asset,
    single_asset_controls,
    stride_of,
)
from quantmesh.quant.monte_carlo._process import Process
from quantmesh.quant.monte_carlo._vanilla import OptionType


@dataclass(frozen=True, slots=True)
class Lookback(Monitored):
    """With a strike a call pays the highest less the strike and a put the strike less the lowest spot.

    Without one, floating, a call pays the final spot less the lowest and a put the highest less the final. `extreme` is
    the highest or lowest so far, None where observation begins now. Discrete monitoring looks at so many equally
    spaced dates, expiry the last (None: every step), and at today's spot.
    """

    option_type: OptionType
    time_to_expiry: float
    strike: float | None = None
    extreme: float | None = None
    monitoring: Monitoring = "continuous"
    observations: int | None = None

    def __post_init__(self) -> None:
        sign_of(self.option_type)
        check_scalar(self.time_to_expiry, TIME_TO_EXPIRY)
        if self.strike is not None:
            check_scalar(self.strike, STRIKE)
        if self.extreme is not None:
            check_scalar(self.extreme, POSITIVE_STRIKE._replace(name="extreme"))
        self.check_monitoring()

    @property
    def uniforms(self) -> int:
        return int(self.needs_variance)

    @property
    def _takes_highest(self) -> bool:
        return (self.option_type == "call") == (self.strike is not None)

    def check(self, process: Process) -> None:
        check_one_asset(process)
        spot = process.asset_spots[0]
        if self.extreme is None:
            return
        if self._takes_highest and self.extreme < spot:
            raise DomainError("extreme", self.extreme, f"the highest so far, at least the spot of {spot:g}")
        if not self._takes_highest and self.extreme > spot:
            raise DomainError("extreme", self.extreme, f"the lowest so far, at most the spot of {spot:g}")

    def evaluation(self, process: Process, schedule: Schedule) -> Evaluation:
        from quantmesh.quant.monte_carlo import _exotic_kernels as kernels

        sign = sign_of(self.option_type)
        side = 1.0 if self._takes_highest else -1.0
        start = math.log(process.asset_spots[0])
        # A derivative by the spot may carry it beyond the extreme, which then moves along.
        extreme = start if self.extreme is None else side * max(side * start, side * math.log(self.extreme))
        stride = stride_of(self.observations, schedule.steps)
        strike = self.strike or 0.0
        discount = schedule.discount(process.rate)

        def fill(block: Floats, values: Floats, row: int) -> None:
            kernels.lookback(
                block,
                stride,
                self.needs_variance,
                start,
                extreme,
                side,
                self.strike is None,
                sign,
                strike,
                discount,
                values,
                row,
            )

        level = math.exp(extreme) if self.strike is None else self.strike
        return Evaluation(fill, single_asset_controls(process, schedule, sign, level))
