"""Prices by simulation: bodies and answers."""

from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from quantmesh.gateway.http.models.base import Body, Shown
from quantmesh.gateway.http.models.options import NonNegative, OptionType, Positive
from quantmesh.gateway.http.models.payoffs import MAXIMUM_ASSETS, Payoff
from quantmesh.gateway.http.models.pricing_models import PARAMETERS, check_places

OF_CONTRACT = ("option_type", "strike", "time_to_expiry")


class CurveBody(Body):
    """`values[i]` holds up to `times[i]`, in years; there is one value more than times."""

    times: Annotated[list[Positive], Field(max_length=1000)]
    values: Annotated[list[float], Field(min_length=1, max_length=1001)]


Curve = float | CurveBody


class GridBody(Body):
    """Local volatilities: a row per time, a column per spot."""

    times: Annotated[list[NonNegative], Field(min_length=1, max_length=1000)]
    spots: Annotated[list[Positive], Field(min_length=2, max_length=1000)]
    volatilities: Annotated[list[list[NonNegative]], Field(min_length=1, max_length=1000)]

    @model_validator(mode="after")
    def _one_volatility_for_each_time_and_spot(self) -> Self:
        check_shape("volatilities", self.volatilities, len(self.times), len(self.spots))
        return self


def check_shape(name: str, rows: list[list[float]], count: int, length: int) -> None:
    """Raises ValidationError unless there are `count` rows of `length` values each."""
    if len(rows) != count or any(len(row) != length for row in rows):
        check_places({}, {(name,): f"must be {count} rows of {length} values each"})


_FIELDS = {
    "black_scholes": ("spot", "volatility"),
    "heston": ("spot", *PARAMETERS["heston"]),
    "local_volatility": ("spot", "grid"),
}
_SEVERAL = ("spots", "volatilities", "correlation")


class MonteCarloBody(Body):
    """One asset with a `spot`, or several correlated ones with `spots`, `volatilities` and a `correlation`."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "payoff": {"kind": "asian", "option_type": "call", "strike": 100},
                    "spot": 100,
                    "time_to_expiry": 1.0,
                    "rate": 0.05,
                    "volatility": 0.2,
                    "paths": 16384,
                    "steps": 52,
                    "sampler": "sobol",
                    "seed": 7,
                }
            ]
        }
    )

    payoff: Payoff
    option_type: OptionType | None = None
    strike: float | None = None
    time_to_expiry: Positive | None = None
    model: Literal["black_scholes", "heston", "local_volatility"] = "black_scholes"
    spot: Positive | None = None
    rate: Curve = 0.0
    dividend_yield: Curve = 0.0
    volatility: Curve | None = None
    v0: NonNegative | None = None
    kappa: NonNegative | None = None
    theta: NonNegative | None = None
    sigma: NonNegative | None = None
    rho: Annotated[float, Field(ge=-1, le=1)] | None = None
    grid: GridBody | None = None
    spots: Annotated[list[Positive], Field(min_length=2, max_length=MAXIMUM_ASSETS)] | None = None
    dividend_yields: Annotated[list[Curve], Field(min_length=2, max_length=MAXIMUM_ASSETS)] | None = None
    volatilities: Annotated[list[Curve], Field(min_length=2, max_length=MAXIMUM_ASSETS)] | None = None
    correlation: (
        Annotated[
            list[Annotated[list[float], Field(max_length=MAXIMUM_ASSETS)]],
            Field(min_length=2, max_length=MAXIMUM_ASSETS),
        ]
        | None
    ) = None
    paths: Annotated[int, Field(ge=2, le=2**31)] = 65_536
    steps: Annotated[int, Field(ge=1, le=10_000)] = 252
    sampler: Literal["sobol", "pseudo"] = "sobol"
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    greeks: bool = False

    @model_validator(mode="after")
    def _complete(self) -> Self:
        given = {name for name in self.model_fields_set if getattr(self, name) is not None}
        several = bool(given.intersection({*_SEVERAL, "dividend_yields"}))
        needed = set(_SEVERAL if several else _FIELDS[self.model])
        own = {*_SEVERAL, "dividend_yields", "dividend_yield"}.union(*_FIELDS.values())
        taken = needed | ({"dividend_yields"} if several else {"dividend_yield"})
        missing: dict[tuple[str, ...], str] = {(name,): "the process needs it" for name in needed - given}
        for name in OF_CONTRACT:
            if name in type(self.payoff).model_fields:
                inside = getattr(self.payoff, name) is not None
                if inside and name in given:
                    missing[("payoff", name)] = "it is also beside the payoff: give it once"
                elif not inside and name not in given and not (self.payoff.kind == "lookback" and name == "strike"):
                    missing[("payoff", name)] = f"{self.payoff.kind} needs it, here or beside the payoff"
            elif name in given:
                missing[(name,)] = f"{self.payoff.kind} does not take it"
        unwanted: dict[tuple[str, ...], str] = {(name,): "the process does not take it" for name in given & own - taken}
        if several and self.model != "black_scholes":
            unwanted[("model",)] = "several assets move by black_scholes alone"
        check_places(missing, unwanted)
        if self.spots is not None and self.correlation is not None:
            check_shape("correlation", self.correlation, len(self.spots), len(self.spots))
        return self


class EstimateShown(Shown):
    price: float
    standard_error: float


Sensitivity = float | list[float | None] | None


class SensitivitiesShown(Shown):
    """One number, or one for each of several assets."""

    delta: Sensitivity
    gamma: Sensitivity
    vega: Sensitivity
    theta: Sensitivity
    rho: Sensitivity


class SimulatedGreeksShown(SensitivitiesShown):
    standard_errors: SensitivitiesShown


class SimulationShown(EstimateShown):
    """The same seed gives the same answer to the last bit. An American price is a lower bound."""

    engine: str
    paths: int
    steps: int
    sampler: str
    seed: int
    replications: int | None
    control_variates: list[str]
    upper_bound: EstimateShown | None
    greeks: SimulatedGreeksShown | None
