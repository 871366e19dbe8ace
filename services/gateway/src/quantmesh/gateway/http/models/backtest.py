"""Backtests of value at risk: bodies and answers."""

from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from quantmesh.gateway.http.models.base import Body, Instant, Shown, ShownDate, ShownInstant
from quantmesh.gateway.http.models.options import Positive
from quantmesh.gateway.http.models.risk import EXAMPLE_PUT, OwnPortfolio, PositionBody

MOST_DAYS = 2_500
Days = Annotated[int, Field(ge=2, le=MOST_DAYS)]
Series = Annotated[list[float], Field(min_length=2, max_length=10_000)]
PositiveSeries = Annotated[list[Positive], Field(min_length=2, max_length=10_000)]


class BacktestBody(Body):
    """On a portfolio or positions, whose forecasts are remade day by day, or on forecasts given with their profits.

    Options count on every past day with their strikes as far from the spot as they are now, and as long to live.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "positions": [{"symbol": "AAPL", "quantity": "100"}, {"symbol": "JPM", "quantity": "50"}],
                    "method": "historical",
                    "confidence": 0.99,
                    "days": 250,
                    "window": 500,
                },
                {
                    "positions": [{"symbol": "AAPL", "quantity": "100"}, EXAMPLE_PUT],
                    "rate": 0.03,
                    "days": 250,
                    "window": 250,
                },
                {
                    "profits": [12.5, -31.0, 4.2, -8.8],
                    "value_at_risk": [30.0, 30.0, 29.5, 29.0],
                    "confidence": 0.975,
                },
            ]
        }
    )

    portfolio_id: OwnPortfolio = None
    positions: Annotated[list[PositionBody] | None, Field(min_length=1, max_length=1000)] = None
    method: Literal["historical", "parametric"] = "historical"
    days: Annotated[Days, Field(description="Days that are forecast.")] = 250
    window: Annotated[Days, Field(description="Daily returns behind each forecast.")] = 500
    rate: Annotated[float, Field(ge=-1, le=1, description="Per year, for options.")] = 0.0
    as_of: Instant | None = None
    known_at: Instant | None = None
    profits: Annotated[Series | None, Field(description="Per day, negative where it lost.")] = None
    value_at_risk: PositiveSeries | None = None
    expected_shortfall: PositiveSeries | None = None
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.99
    seed: Annotated[int, Field(ge=0, lt=2**32, description="Of the simulated p-values.")] = 0

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        given = [self.portfolio_id is not None, self.positions is not None, self.profits is not None]
        if sum(given) != 1:
            msg = "give portfolio_id, positions or profits, one of the three"
            raise ValueError(msg)
        if (self.profits is None) != (self.value_at_risk is None):
            msg = "give profits and value_at_risk together"
            raise ValueError(msg)
        if self.expected_shortfall is not None and self.profits is None:
            msg = "give expected_shortfall with profits alone"
            raise ValueError(msg)
        return self


class LikelihoodRatioShown(Shown):
    statistic: float
    p_value: float


class TrafficLightShown(Shown):
    """`multiplier_increase` adds to the capital multiplier of 3; there is one for 250 days at 99 % alone."""

    zone: Literal["green", "yellow", "red"]
    cumulative_probability: float
    multiplier_increase: float | None


class ShortfallTestShown(Shown):
    """0 is expected, negative where the shortfall was too low; `z1` is null without an exception."""

    z1: float | None
    z1_p_value: float | None
    z2: float
    z2_p_value: float


class DayShown(Shown):
    date: ShownDate
    profit: float
    value_at_risk: float
    expected_shortfall: float


class BacktestShown(Shown):
    """`shortfall` is null where none was forecast; `series`, `currency` and `as_of` are those of remade forecasts."""

    observations: int
    exceptions: int
    expected_exceptions: float
    confidence: float
    kupiec: LikelihoodRatioShown
    independence: LikelihoodRatioShown
    conditional_coverage: LikelihoodRatioShown
    traffic_light: TrafficLightShown
    shortfall: ShortfallTestShown | None
    series: list[DayShown]
    currency: str | None
    as_of: ShownInstant | None
