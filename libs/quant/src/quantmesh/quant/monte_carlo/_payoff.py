"""What a simulation asks of a payoff, and what several payoffs share: their checks and their control variates."""

import math
from collections.abc import Callable
from typing import Literal, NamedTuple, Protocol, get_args

import numpy as np

from quantmesh.quant import black_scholes
from quantmesh.quant._arguments import STRIKE, TIME_TO_EXPIRY, Floats, check_scalar
from quantmesh.quant.errors import DomainError
from quantmesh.quant.monte_carlo._curves import Schedule
from quantmesh.quant.monte_carlo._lognormal import GeometricBrownianMotion
from quantmesh.quant.monte_carlo._process import Process

# Discounted values of a block of paths into one row: `fill(block, values, row)`.
Fill = Callable[[Floats, Floats, int], None]
Monitoring = Literal["continuous", "discrete"]


class Control(NamedTuple):
    """A discounted payoff with a known expectation; without `fill` the payoff itself writes its row."""

    name: str
    expectation: float
    fill: Fill | None


class Evaluation(NamedTuple):
    """The payoff goes to row 0, its controls to the rows after it."""

    fill: Fill
    controls: tuple[Control, ...]

    def __call__(self, block: Floats, values: Floats) -> None:
        self.fill(block, values, 0)
        for row, control in enumerate(self.controls, start=1):
            if control.fill is not None:
                control.fill(block, values, row)


class Payoff(Protocol):
    @property
    def time_to_expiry(self) -> float: ...
    @property
    def needs_variance(self) -> bool:
        """Whether it needs the variance of every step, which only one asset has."""

    @property
    def needs_normals(self) -> bool:
        """Whether it looks at the normals themselves too."""

    @property
    def observations(self) -> int | None:
        """How many equally spaced dates the contract has, None where it takes them as they come."""

    @property
    def uniforms(self) -> int:
        """Uniform numbers per step that it needs beside the normals of the process."""

    def first_date(self, steps: int) -> int:
        """The number of the first step that ends on a date of the contract; those before may change their lengths."""

    def check(self, process: Process) -> None:
        """Raises DomainError for a process that the payoff does not fit."""

    def evaluation(self, process: Process, schedule: Schedule) -> Evaluation: ...


class AtExpiry:
    """What payoffs share that look at nothing but the end of a path."""

    __slots__ = ()
    needs_variance = False
    needs_normals = False
    uniforms = 0
    observations = None

    def first_date(self, steps: int) -> int:
        return steps


class OnDates:
    """What payoffs share that look at nothing but the spots of equally spaced dates."""

    __slots__ = ()
    needs_variance = False
    needs_normals = False
    uniforms = 0
    observations: int | None

    def first_date(self, steps: int) -> int:
        return stride_of(self.observations, steps)


class Monitored:
    """What payoffs share that look for an extreme, between the steps too where monitoring is continuous."""

    __slots__ = ()
    needs_normals = False
    monitoring: Monitoring
    observations: int | None

    @property
    def needs_variance(self) -> bool:
        return self.monitoring == "continuous"

    def first_date(self, steps: int) -> int:
        return steps if self.needs_variance else stride_of(self.observations, steps)

    def check_monitoring(self) -> None:
        check_choice("monitoring", self.monitoring, get_args(Monitoring))
        if self.needs_variance and self.observations is not None:
            raise DomainError("observations", self.observations, "None for continuous monitoring")


def check_one_asset(process: Process) -> None:
    if len(process.asset_spots) != 1:
        raise DomainError("process", f"{len(process.asset_spots)} assets", "one of a single asset for this payoff")


def check_observations(observations: int | None, steps: int) -> None:
    if observations is not None and (observations < 1 or steps % observations):
        raise DomainError("observations", observations, f"a positive divisor of the {steps} steps")


def stride_of(observations: int | None, steps: int) -> int:
    return 1 if observations is None else steps // observations


def check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise DomainError(name, repr(value), " or ".join(f'"{choice}"' for choice in choices))


def check_strike_and_time(strike: float, time_to_expiry: float) -> None:
    check_scalar(strike, STRIKE)
    check_scalar(time_to_expiry, TIME_TO_EXPIRY)


def discounted_lognormal(sign: int, log_mean: float, variance: float, strike: float, discount: float) -> float:
    """Of a vanilla payoff on exp(a normal with this mean and variance)."""
    forward = math.exp(log_mean + 0.5 * variance)
    return discount * float(black_scholes.price(sign, forward, strike, 1.0, 0.0, 0.0, math.sqrt(variance)))


def spot_control(process: Process, schedule: Schedule, asset: int = 0) -> Control:
    """The spot at expiry, whose expectation is the forward."""
    from quantmesh.quant.monte_carlo import _payoff_kernels as kernels

    discount = schedule.discount(process.rate)
    forward = process.asset_spots[asset] * math.exp(process.carries(schedule)[-1, asset])

    def fill(block: Floats, values: Floats, row: int) -> None:
        kernels.european(block, asset, 1.0, 0.0, discount, values, row)

    return Control("spot" if len(process.asset_spots) == 1 else f"spot {asset}", discount * forward, fill)


def spot_controls(process: Process, schedule: Schedule) -> tuple[Control, ...]:
    return tuple(spot_control(process, schedule, asset) for asset in range(len(process.asset_spots)))


def european_fill(process: Process, schedule: Schedule, sign: int, strike: float) -> Fill:
    from quantmesh.quant.monte_carlo import _payoff_kernels as kernels

    discount = schedule.discount(process.rate)

    def fill(block: Floats, values: Floats, row: int) -> None:
        kernels.european(block, 0, sign, strike, discount, values, row)

    return fill


def single_asset_controls(process: Process, schedule: Schedule, sign: int, strike: float) -> tuple[Control, ...]:
    """The spot at expiry, and the European option where its price is known."""
    spot = spot_control(process, schedule)
    if not isinstance(process, GeometricBrownianMotion):
        return (spot,)
    variance = float(np.sum(process.variances(schedule)))
    log_mean = math.log(process.spot) + float(process.carries(schedule)[-1, 0]) - 0.5 * variance
    discount = schedule.discount(process.rate)
    price = discounted_lognormal(sign, log_mean, variance, strike, discount)
    return spot, Control("european", price, european_fill(process, schedule, sign, strike))
