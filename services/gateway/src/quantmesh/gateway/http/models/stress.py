"""Stress: bodies and answers."""

from typing import Annotated, Self

from pydantic import ConfigDict, Field, model_validator

from quantmesh.gateway.http.models.base import Amount, Body, Shown, ShownDate, ShownInstant, Symbol
from quantmesh.gateway.http.models.options import NonNegative
from quantmesh.gateway.http.models.risk import (
    EXAMPLE_PUT,
    Covariance,
    MeasuredBody,
    Observations,
    PositionOptionShown,
)

Move = Annotated[float, Field(ge=-1, le=100)]


class ShockBody(Body):
    """Moves are relative (-0.2: a fall by 20 %), shifts are added, in money and in volatility."""

    spot_move: Move = 0.0
    spot_shift: float = 0.0
    volatility_move: Move = 0.0
    volatility_shift: Annotated[float, Field(ge=-10, le=10)] = 0.0


class ReverseBody(Body):
    """The likeliest move that loses so much, under a covariance of daily returns."""

    loss: Annotated[Amount, Field(gt=0)]
    covariance: Covariance = "sample"
    observations: Observations | None = None


class StressBody(MeasuredBody):
    """`episodes` of the past, `shocks` per symbol, a `reverse` stress, or several of them."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "positions": [{"symbol": "AAPL", "quantity": "100"}, EXAMPLE_PUT],
                    "rate": 0.03,
                    "episodes": ["dot_com", "lehman", "covid"],
                    "shocks": {"AAPL": {"spot_move": -0.2, "volatility_move": 0.5}},
                    "reverse": {"loss": 1000},
                }
            ]
        }
    )

    episodes: Annotated[
        list[Annotated[str, Field(max_length=64)]],
        Field(max_length=20, description="Such as dot_com, lehman, covid; an unknown name answers all there are."),
    ] = Field(default_factory=list)
    shocks: Annotated[dict[Symbol, ShockBody], Field(max_length=1000, description="By symbol; the others stay.")] = (
        Field(default_factory=dict)
    )
    rate_shift: Annotated[float, Field(ge=-1, le=1, description="Beside the shocks.")] = 0.0
    elapsed_years: Annotated[NonNegative, Field(le=100, description="By which options age, beside the shocks.")] = 0.0
    reverse: ReverseBody | None = None

    @property
    def has_shocks(self) -> bool:
        return bool(self.shocks or self.rate_shift or self.elapsed_years)

    @model_validator(mode="after")
    def _some_stress(self) -> Self:
        if not (self.episodes or self.has_shocks or self.reverse is not None):
            msg = "give episodes, shocks or reverse"
            raise ValueError(msg)
        return self


class PositionProfitShown(Shown):
    """`market_value` is that before any move."""

    symbol: str
    option: PositionOptionShown | None
    market_value: float
    profit: float


class OutcomeShown(Shown):
    """Negative where the book loses; the positions' profits add up to `profit`."""

    profit: float
    positions: list[PositionProfitShown]


class EpisodeShown(Shown):
    """Moves count from the close of `first_day`; `worst` is the close at which the book had lost the most."""

    name: str
    first_day: ShownDate
    last_day: ShownDate
    last: OutcomeShown
    worst_day: ShownDate
    worst: OutcomeShown
    spot_moves: dict[str, float]


class ReverseShown(Shown):
    """`distance` is Mahalanobis's, in deviations of one day; not `is_exact`: the best of several searches."""

    distance: float
    spot_moves: dict[str, float]
    outcome: OutcomeShown
    is_exact: bool


class StressShown(Shown):
    episodes: list[EpisodeShown]
    shocks: OutcomeShown | None
    reverse: ReverseShown | None
    currency: str
    market_value: float
    as_of: ShownInstant | None
