"""Payoffs of the spot at expiry: European and digital options."""

from dataclasses import dataclass
from typing import Literal

from quantmesh.quant._arguments import PRICE, Floats, check_scalar, sign_of
from quantmesh.quant.monte_carlo._curves import Schedule
from quantmesh.quant.monte_carlo._payoff import (
    AtExpiry,
    Evaluation,
    check_choice,
    check_one_asset,
    check_strike_and_time,
    european_fill,
    single_asset_controls,
    spot_control,
)
from quantmesh.quant.monte_carlo._process import Process

OptionType = Literal["call", "put"]


@dataclass(frozen=True, slots=True)
class European(AtExpiry):
    """max(S - K, 0) or max(K - S, 0) at expiry."""

    option_type: OptionType
    strike: float
    time_to_expiry: float

    def __post_init__(self) -> None:
        sign_of(self.option_type)
        check_strike_and_time(self.strike, self.time_to_expiry)

    def check(self, process: Process) -> None:
        check_one_asset(process)

    def evaluation(self, process: Process, schedule: Schedule) -> Evaluation:
        fill = european_fill(process, schedule, sign_of(self.option_type), self.strike)
        return Evaluation(fill, (spot_control(process, schedule),))


@dataclass(frozen=True, slots=True)
class Digital(AtExpiry):
    """`payout` in cash, or that many shares, where the option ends in the money."""

    option_type: OptionType
    strike: float
    time_to_expiry: float
    payout: float = 1.0
    settlement: Literal["cash", "asset"] = "cash"

    def __post_init__(self) -> None:
        sign_of(self.option_type)
        check_strike_and_time(self.strike, self.time_to_expiry)
        check_scalar(self.payout, PRICE._replace(name="payout"))
        check_choice("settlement", self.settlement, ("cash", "asset"))

    def check(self, process: Process) -> None:
        check_one_asset(process)

    def evaluation(self, process: Process, schedule: Schedule) -> Evaluation:
        from quantmesh.quant.monte_carlo import _payoff_kernels as kernels

        sign = sign_of(self.option_type)
        discount = schedule.discount(process.rate)
        cash, shares = (self.payout, 0.0) if self.settlement == "cash" else (0.0, self.payout)

        def fill(block: Floats, values: Floats, row: int) -> None:
            kernels.digital(block, sign, self.strike, cash, shares, discount, values, row)

        return Evaluation(fill, single_asset_controls(process, schedule, sign, self.strike))
