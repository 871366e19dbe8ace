"""Payoffs on the returns of periods, and notes that are called early."""

import math
from dataclasses import dataclass

import numpy as np

from quantmesh.quant._arguments import POSITIVE_STRIKE, PRICE, TIME_TO_EXPIRY, Domain, Floats, check_scalar
from quantmesh.quant.errors import DomainError
from quantmesh.quant.monte_carlo._curves import Schedule
from quantmesh.quant.monte_carlo._payoff import (
    Control,
    Evaluation,
    OnDates,
    check_one_asset,
    spot_controls,
    stride_of,
)
from quantmesh.quant.monte_carlo._process import Process

_RETURN = Domain("return", -math.inf, math.inf, "a return, or an infinity for none")
_NOTIONAL = PRICE._replace(name="notional")


@dataclass(frozen=True, slots=True)
class Cliquet(OnDates):
    """The sum of the returns over equal periods, each between local floor and cap, their sum between the global ones.

    Paid at expiry on the notional. The first period begins at `initial_spot`, None for today's.
    """

    observations: int
    time_to_expiry: float
    local_floor: float = 0.0
    local_cap: float = math.inf
    global_floor: float = -math.inf
    global_cap: float = math.inf
    notional: float = 1.0
    initial_spot: float | None = None

    def __post_init__(self) -> None:
        check_scalar(self.time_to_expiry, TIME_TO_EXPIRY)
        check_scalar(self.notional, _NOTIONAL)
        for name in ("local", "global"):
            floor, cap = getattr(self, f"{name}_floor"), getattr(self, f"{name}_cap")
            check_scalar(floor, _RETURN._replace(name=f"{name}_floor"))
            if not cap >= floor:
                raise DomainError(f"{name}_cap", cap, f"at least the floor of {floor:g}")
        if self.initial_spot is not None:
            check_scalar(self.initial_spot, POSITIVE_STRIKE._replace(name="initial_spot"))

    def check(self, process: Process) -> None:
        check_one_asset(process)

    def evaluation(self, process: Process, schedule: Schedule) -> Evaluation:
        from quantmesh.quant.monte_carlo import _exotic_kernels as kernels

        spot = process.asset_spots[0]
        start = math.log(spot if self.initial_spot is None else self.initial_spot)
        stride = stride_of(self.observations, schedule.steps)
        amount = self.notional * schedule.discount(process.rate)
        bounds = self.local_floor, self.local_cap, self.global_floor, self.global_cap

        def fill(block: Floats, values: Floats, row: int) -> None:
            kernels.cliquet(block, stride, start, *bounds, amount, values, row)

        def fill_unbounded(block: Floats, values: Floats, row: int) -> None:
            kernels.cliquet(block, stride, start, -math.inf, math.inf, -math.inf, math.inf, amount, values, row)

        carries = process.carries(schedule)[stride - 1 :: stride, 0]
        growth = np.exp(np.diff(carries, prepend=start - math.log(spot)))
        expectation = amount * float(np.sum(growth - 1.0))
        return Evaluation(fill, (Control("returns without bounds", expectation, fill_unbounded),))


@dataclass(frozen=True, slots=True)
class Autocallable(OnDates):
    """A note that is repaid, with a coupon for every date so far, when all assets stand at or above the barrier.

    At the last date, if never called, it repays the notional where the worst asset stands at or above the protection
    barrier, and else that asset's share of its initial spot. Barriers are fractions of `initial_spots`, None for
    today's; the coupon is a fraction of the notional per date.
    """

    observations: int
    time_to_expiry: float
    coupon: float
    autocall_barrier: float = 1.0
    protection_barrier: float = 0.6
    notional: float = 100.0
    initial_spots: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        check_scalar(self.time_to_expiry, TIME_TO_EXPIRY)
        check_scalar(self.coupon, PRICE._replace(name="coupon"))
        check_scalar(self.autocall_barrier, POSITIVE_STRIKE._replace(name="autocall_barrier"))
        check_scalar(self.protection_barrier, POSITIVE_STRIKE._replace(name="protection_barrier"))
        check_scalar(self.notional, _NOTIONAL)
        for index, spot in enumerate(self.initial_spots or ()):
            check_scalar(spot, POSITIVE_STRIKE._replace(name=f"initial_spots[{index}]"))

    def check(self, process: Process) -> None:
        if self.initial_spots is not None and len(self.initial_spots) != len(process.asset_spots):
            wanted = f"one for each of the {len(process.asset_spots)} assets"
            raise DomainError("initial_spots", f"{len(self.initial_spots)} of them", wanted)

    def evaluation(self, process: Process, schedule: Schedule) -> Evaluation:
        from quantmesh.quant.monte_carlo import _exotic_kernels as kernels

        stride = stride_of(self.observations, schedule.steps)
        starts = np.log(np.array(self.initial_spots or process.asset_spots, dtype=np.float64))
        barrier, protection = math.log(self.autocall_barrier), math.log(self.protection_barrier)
        discounts = schedule.discounts(process.rate)

        def fill(block: Floats, values: Floats, row: int) -> None:
            kernels.autocallable(
                block, stride, starts, barrier, self.coupon, protection, self.notional, discounts, values, row
            )

        return Evaluation(fill, spot_controls(process, schedule))
