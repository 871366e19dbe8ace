"""What a simulation prices. `option_type`, `strike` and `time_to_expiry` may stand in the payoff or beside it."""

from typing import Annotated, Literal

from pydantic import Field

from quantmesh.gateway.http.models.base import Body
from quantmesh.gateway.http.models.options import NonNegative, OptionType, Positive

Observations = Annotated[
    int, Field(ge=1, le=10_000, description="Equally spaced dates, expiry the last; every step where absent.")
]
Dates = Annotated[int, Field(ge=1, le=10_000, description="Equally spaced dates, expiry the last.")]
Monitoring = Literal["continuous", "discrete"]
MAXIMUM_ASSETS = 50


class _OnExpiry(Body):
    time_to_expiry: Positive | None = None


class _Option(_OnExpiry):
    option_type: OptionType | None = None
    strike: float | None = None


class EuropeanPayoff(_Option):
    kind: Literal["european"]


class AmericanPayoff(_Option):
    """By least squares: the price is a lower bound, and the answer has an upper one."""

    kind: Literal["american"]


class AsianPayoff(_Option):
    kind: Literal["asian"]
    averaging: Literal["arithmetic", "geometric"] = "arithmetic"
    observations: Observations | None = None


class BarrierPayoff(_Option):
    kind: Literal["barrier"]
    barrier_type: Literal["down_and_out", "down_and_in", "up_and_out", "up_and_in"]
    barrier: Positive
    rebate: NonNegative = 0.0
    monitoring: Monitoring = "continuous"
    observations: Observations | None = None


class DoubleBarrierPayoff(_Option):
    kind: Literal["double_barrier"]
    barrier_type: Literal["knock_out", "knock_in"]
    lower_barrier: Positive
    upper_barrier: Positive
    rebate: NonNegative = 0.0
    monitoring: Monitoring = "continuous"
    observations: Observations | None = None


class LookbackPayoff(_Option):
    """Without a strike it is floating."""

    kind: Literal["lookback"]
    extreme: Annotated[
        Positive | None, Field(description="Highest or lowest so far; absent where observation begins now.")
    ] = None
    monitoring: Monitoring = "continuous"
    observations: Observations | None = None


class DigitalPayoff(_Option):
    kind: Literal["digital"]
    payout: NonNegative = 1.0
    settlement: Literal["cash", "asset"] = "cash"


class BasketPayoff(_Option):
    kind: Literal["basket"]
    weights: Annotated[list[float], Field(min_length=1, max_length=MAXIMUM_ASSETS)]


class SpreadPayoff(_Option):
    kind: Literal["spread"]


class BestOfPayoff(_Option):
    kind: Literal["best_of"]


class WorstOfPayoff(_Option):
    kind: Literal["worst_of"]


class CliquetPayoff(_OnExpiry):
    kind: Literal["cliquet"]
    observations: Dates
    local_floor: float = 0.0
    local_cap: float | None = None
    global_floor: float | None = None
    global_cap: float | None = None
    notional: Positive = 1.0
    initial_spot: Positive | None = None


class AutocallablePayoff(_OnExpiry):
    kind: Literal["autocallable"]
    observations: Dates
    coupon: float
    autocall_barrier: Positive = 1.0
    protection_barrier: NonNegative = 0.6
    notional: Positive = 100.0
    initial_spots: Annotated[list[Positive], Field(max_length=MAXIMUM_ASSETS)] = Field(default_factory=list)


Payoff = Annotated[
    EuropeanPayoff
    | AmericanPayoff
    | AsianPayoff
    | BarrierPayoff
    | DoubleBarrierPayoff
    | LookbackPayoff
    | DigitalPayoff
    | BasketPayoff
    | SpreadPayoff
    | BestOfPayoff
    | WorstOfPayoff
    | CliquetPayoff
    | AutocallablePayoff,
    Field(discriminator="kind"),
]
