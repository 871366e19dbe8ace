"""Exposures: bodies and answers."""

from typing import Annotated

from pydantic import ConfigDict, Field

from quantmesh.gateway.http.models.base import Shown, ShownInstant, Symbol
from quantmesh.gateway.http.models.options import NonNegative
from quantmesh.gateway.http.models.risk import EXAMPLE_PUT, MeasuredBody


class ExposureBody(MeasuredBody):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "positions": [{"symbol": "AAPL", "quantity": "100"}, EXAMPLE_PUT],
                    "rate": 0.03,
                    "daily_volumes": {"AAPL": 80000000},
                },
                {"positions": [{"symbol": "AAPL", "quantity": "100"}, {"symbol": "JPM", "quantity": "50"}]},
            ]
        }
    )

    daily_volumes: Annotated[
        dict[Symbol, NonNegative],
        Field(max_length=1000, description="Average units a day; where one is left out, market's of the last 30 days."),
    ] = Field(default_factory=dict)
    participation_rate: Annotated[
        float, Field(gt=0, le=1, description="The share of the volume that is sold at most.")
    ] = 0.2


class UnderlyingShown(Shown):
    """In money, but for `delta` (units of the underlying) and `gamma` (delta per unit of spot); `dollar_delta` is delta
    times spot, `dollar_gamma` gamma times spot squared. Vega and rho are per 1.00, theta per year; `weight` is that of
    the absolute dollar delta, `daily_volume` null where no volume is known.
    """

    symbol: str
    spot: float
    market_value: float
    delta: float
    dollar_delta: float
    gamma: float
    dollar_gamma: float
    vega: float
    theta: float
    rho: float
    weight: float
    days_to_sell: float | None
    daily_volume: float | None


class ConcentrationShown(Shown):
    """`herfindahl` is the sum of squared weights, `effective_number` how many equal ones are as concentrated."""

    herfindahl: float
    effective_number: float


class LiquidityShown(Shown):
    """`sold_in_a_day` is a share of the gross delta; `longest_days` is null where something never trades."""

    longest_days: float | None
    sold_in_a_day: float


class ExposureShown(Shown):
    exposures: list[UnderlyingShown]
    concentration: ConcentrationShown | None
    liquidity: LiquidityShown | None
    currency: str
    market_value: float
    as_of: ShownInstant | None
