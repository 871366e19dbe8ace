"""Options on the average of the spot, and the law of its geometric average."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from quantmesh.quant._arguments import Floats, sign_of
from quantmesh.quant.monte_carlo._curves import Schedule
from quantmesh.quant.monte_carlo._lognormal import GeometricBrownianMotion
from quantmesh.quant.monte_carlo._payoff import (
    Control,
    Evaluation,
    OnDates,
    check_choice,
    check_one_asset,
    check_strike_and_time,
    discounted_lognormal,
    spot_control,
    stride_of,
)
from quantmesh.quant.monte_carlo._process import Process
from quantmesh.quant.monte_carlo._vanilla import OptionType


@dataclass(frozen=True, slots=True)
class Asian(OnDates):
    """max(A - K, 0) or max(K - A, 0), A the average at so many equally spaced dates, expiry the last; None: every step.

    Under geometric Brownian motion the geometric average is the arithmetic one's control (Kemna and Vorst 1990).
    """

    option_type: OptionType
    strike: float
    time_to_expiry: float
    averaging: Literal["arithmetic", "geometric"] = "arithmetic"
    observations: int | None = None

    def __post_init__(self) -> None:
        sign_of(self.option_type)
        check_strike_and_time(self.strike, self.time_to_expiry)
        check_choice("averaging", self.averaging, ("arithmetic", "geometric"))

    def check(self, process: Process) -> None:
        check_one_asset(process)

    def evaluation(self, process: Process, schedule: Schedule) -> Evaluation:
        from quantmesh.quant.monte_carlo import _payoff_kernels as kernels

        sign, strike = sign_of(self.option_type), self.strike
        stride = stride_of(self.observations, schedule.steps)
        discount = schedule.discount(process.rate)
        average = kernels.arithmetic_average if self.averaging == "arithmetic" else kernels.geometric_average

        def fill_average(block: Floats, values: Floats, row: int) -> None:
            average(block, stride, values, row)
            values[row] *= discount

        def fill(block: Floats, values: Floats, row: int) -> None:
            fill_average(block, values, row)
            values[row] = np.maximum(sign * (values[row] - discount * strike), 0.0)

        def fill_geometric(block: Floats, values: Floats, row: int) -> None:
            kernels.geometric_average(block, stride, values, row)
            values[row] *= discount

        def fill_geometric_option(block: Floats, values: Floats, row: int) -> None:
            fill_geometric(block, values, row)
            values[row] = np.maximum(sign * (values[row] - discount * strike), 0.0)

        controls: tuple[Control, ...] = ()
        if self.averaging == "arithmetic":
            forwards = process.asset_spots[0] * np.exp(process.carries(schedule)[stride - 1 :: stride, 0])
            controls = (Control("arithmetic average", discount * float(np.mean(forwards)), fill_average),)
        if isinstance(process, GeometricBrownianMotion):
            log_mean, variance = geometric_average(process, schedule, stride)
            expectation = discount * math.exp(log_mean + 0.5 * variance)
            controls = (*controls, Control("geometric average", expectation, fill_geometric))
            if self.averaging == "arithmetic":
                price = discounted_lognormal(sign, log_mean, variance, strike, discount)
                controls = (*controls, Control("geometric option", price, fill_geometric_option))
        return Evaluation(fill, controls or (spot_control(process, schedule),))


def geometric_average(process: GeometricBrownianMotion, schedule: Schedule, stride: int) -> tuple[float, float]:
    """Mean and variance of its logarithm."""
    variances = process.variances(schedule)[:, 0, 0]
    observed = process.carries(schedule)[:, 0] - 0.5 * np.cumsum(variances)
    # The increment over a step counts in every observation after it.
    after = np.ceil(np.arange(schedule.steps, 0, -1) / stride) * (stride / schedule.steps)
    mean = math.log(process.spot) + float(np.mean(observed[stride - 1 :: stride]))
    return mean, float(np.sum(variances * after**2))
