"""Options that a barrier, or one of two, knocks in or out."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

from quantmesh.quant._arguments import POSITIVE_STRIKE, PRICE, Floats, check_scalar, sign_of
from quantmesh.quant.errors import DomainError
from quantmesh.quant.monte_carlo._curves import Schedule
from quantmesh.quant.monte_carlo._payoff import (
    Evaluation,
    Monitored,
    Monitoring,
    check_choice,
    check_one_asset,
    check_strike_and_time,
    single_asset_controls,
    stride_of,
)
from quantmesh.quant.monte_carlo._process import Process
from quantmesh.quant.monte_carlo._vanilla import OptionType

BarrierType = Literal["down_and_out", "down_and_in", "up_and_out", "up_and_in"]


@dataclass(frozen=True, slots=True)
class Barrier(Monitored):
    """A European option that dies, or comes to life, when the spot reaches the barrier.

    Discrete monitoring looks at so many equally spaced dates, expiry the last (None: every step). The rebate is paid
    when the option dies, or at expiry if it never came to life (Haug's convention).
    """

    option_type: OptionType
    barrier_type: BarrierType
    strike: float
    barrier: float
    time_to_expiry: float
    rebate: float = 0.0
    monitoring: Monitoring = "continuous"
    observations: int | None = None
    uniforms = 0

    def __post_init__(self) -> None:
        sign_of(self.option_type)
        check_choice("barrier_type", self.barrier_type, get_args(BarrierType))
        check_strike_and_time(self.strike, self.time_to_expiry)
        check_scalar(self.barrier, POSITIVE_STRIKE._replace(name="barrier"))
        check_scalar(self.rebate, PRICE._replace(name="rebate"))
        self.check_monitoring()

    def check(self, process: Process) -> None:
        check_one_asset(process)
        spot = process.asset_spots[0]
        if self.barrier_type.startswith("down") and self.barrier >= spot:
            raise DomainError("barrier", self.barrier, f"below the spot of {spot:g}, as it is {self.barrier_type}")
        if self.barrier_type.startswith("up") and self.barrier <= spot:
            raise DomainError("barrier", self.barrier, f"above the spot of {spot:g}, as it is {self.barrier_type}")

    def evaluation(self, process: Process, schedule: Schedule) -> Evaluation:
        level = math.log(self.barrier)
        lower, upper = (level, math.inf) if self.barrier_type.startswith("down") else (-math.inf, level)
        return _evaluation(self, (lower, upper), self.barrier_type.endswith("in"), process, schedule)


@dataclass(frozen=True, slots=True)
class DoubleBarrier(Monitored):
    """A European option that dies, or comes to life, when the spot reaches either barrier; otherwise as `Barrier`."""

    option_type: OptionType
    barrier_type: Literal["knock_out", "knock_in"]
    strike: float
    lower_barrier: float
    upper_barrier: float
    time_to_expiry: float
    rebate: float = 0.0
    monitoring: Monitoring = "continuous"
    observations: int | None = None
    uniforms = 0

    def __post_init__(self) -> None:
        sign_of(self.option_type)
        check_choice("barrier_type", self.barrier_type, ("knock_out", "knock_in"))
        check_strike_and_time(self.strike, self.time_to_expiry)
        check_scalar(self.lower_barrier, POSITIVE_STRIKE._replace(name="lower_barrier"))
        check_scalar(self.upper_barrier, POSITIVE_STRIKE._replace(name="upper_barrier"))
        check_scalar(self.rebate, PRICE._replace(name="rebate"))
        self.check_monitoring()

    def check(self, process: Process) -> None:
        check_one_asset(process)
        spot = process.asset_spots[0]
        if self.lower_barrier >= spot:
            raise DomainError("lower_barrier", self.lower_barrier, f"below the spot of {spot:g}")
        if self.upper_barrier <= spot:
            raise DomainError("upper_barrier", self.upper_barrier, f"above the spot of {spot:g}")

    def evaluation(self, process: Process, schedule: Schedule) -> Evaluation:
        barriers = math.log(self.lower_barrier), math.log(self.upper_barrier)
        return _evaluation(self, barriers, self.barrier_type == "knock_in", process, schedule)


def _evaluation(
    payoff: Barrier | DoubleBarrier,
    log_barriers: tuple[float, float],
    knocks_in: bool,
    process: Process,
    schedule: Schedule,
) -> Evaluation:
    from quantmesh.quant.monte_carlo import _payoff_kernels as kernels

    sign = sign_of(payoff.option_type)
    stride = stride_of(payoff.observations, schedule.steps)
    start = math.log(process.asset_spots[0])
    discounts = schedule.discounts(process.rate)

    def fill(block: Floats, values: Floats, row: int) -> None:
        kernels.barrier(
            block,
            stride,
            payoff.needs_variance,
            start,
            *log_barriers,
            knocks_in,
            payoff.rebate,
            discounts,
            sign,
            payoff.strike,
            values,
            row,
        )

    return Evaluation(fill, single_asset_controls(process, schedule, sign, payoff.strike))
