"""Risk numbers and optimised weights: bodies and answers."""

from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, JsonValue, model_validator

from quantmesh.gateway.http.models.base import Body, DecimalText, Id, Instant, Shown, ShownInstant, Symbol
from quantmesh.gateway.http.models.options import OptionType, Positive, Style
from quantmesh.gateway.http.models.pricing_models import check_places

Method = Literal["historical", "parametric", "filtered_historical", "monte_carlo"]
Covariance = Literal["sample", "ewma", "ledoit_wolf", "factor", "garch_dcc"]
Observations = Annotated[int, Field(ge=2, le=10_000, description="Daily returns used; 500 where absent.")]

OwnPortfolio = Annotated[
    Id | None,
    Field(
        description="One of the caller's portfolios; naming it needs the scope portfolio:read too.",
        json_schema_extra={"x-required-scope": "portfolio:read"},
    ),
]

EXAMPLE_PUT: JsonValue = {
    "symbol": "AAPL",
    "quantity": "1",
    "option": {
        "option_type": "put",
        "style": "american",
        "strike": 130,
        "time_to_expiry": 0.5,
        "volatility": 0.3,
        "multiplier": 100,
    },
}


class PositionOptionBody(Body):
    """An option on the position's symbol, worth its price at the underlying's last close."""

    option_type: OptionType
    style: Style = "european"
    strike: Positive
    time_to_expiry: Annotated[Positive, Field(description="In years, Act/365F, from the last close.")]
    volatility: Positive
    multiplier: Annotated[Positive, Field(description="Units of the underlying in one contract.")] = 1.0


class PositionBody(Body):
    """`option` may be given, or a listed contract's own symbol: it then has the terms that market lists."""

    symbol: Symbol
    quantity: DecimalText
    option: PositionOptionBody | None = None


class MeasuredBody(Body):
    """A portfolio of the caller's, whose listed options count by their underlyings, or positions given here."""

    portfolio_id: OwnPortfolio = None
    positions: Annotated[list[PositionBody] | None, Field(min_length=1, max_length=1000)] = None
    rate: Annotated[float, Field(ge=-1, le=1, description="Per year, for options.")] = 0.0
    as_of: Instant | None = None
    known_at: Instant | None = None

    @model_validator(mode="after")
    def _one_book(self) -> Self:
        if (self.portfolio_id is None) == (self.positions is None):
            msg = "give portfolio_id or positions, one of the two"
            raise ValueError(msg)
        return self


class ValueAtRiskBody(MeasuredBody):
    """On a portfolio of the caller's, or on positions given here."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "positions": [{"symbol": "AAPL", "quantity": "100"}, {"symbol": "JPM", "quantity": "50"}],
                    "method": "historical",
                    "confidence": 0.99,
                    "horizon_days": 1,
                },
                {
                    "positions": [{"symbol": "AAPL", "quantity": "100"}, EXAMPLE_PUT],
                    "rate": 0.03,
                    "method": "monte_carlo",
                    "covariance": "ledoit_wolf",
                    "distribution": "student_t",
                    "degrees_of_freedom": 4,
                    "paths": 20000,
                    "seed": 7,
                },
            ]
        }
    )

    method: Method = "historical"
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.99
    horizon_days: Annotated[int, Field(ge=1, le=250)] = 1
    observations: Observations | None = None
    covariance: Annotated[Covariance, Field(description="Of `parametric` and `monte_carlo`.")] = "sample"
    distribution: Annotated[
        Literal["normal", "student_t"], Field(description="Of `monte_carlo`: both have the same covariance.")
    ] = "normal"
    degrees_of_freedom: Annotated[float | None, Field(gt=2, le=1e6, description="Of `student_t`; 5 where absent.")] = (
        None
    )
    paths: Annotated[int, Field(ge=2, le=100_000, description="Of simulated figures.")] = 10_000
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0

    @model_validator(mode="after")
    def _distribution_of_its_method(self) -> Self:
        if self.distribution == "student_t" and self.method != "monte_carlo":
            check_places({}, {("distribution",): f"{self.method} does not take student_t"})
        if self.degrees_of_freedom is not None and self.distribution != "student_t":
            check_places({}, {("degrees_of_freedom",): f"{self.distribution} does not take them"})
        return self


class PositionOptionShown(Shown):
    option_type: OptionType
    style: Style
    strike: float
    time_to_expiry: float
    volatility: float
    multiplier: float


class ContributionShown(Shown):
    """`marginal` is the value's change for one unit of money more of the position, null where it is worth nothing;
    `incremental` is by how much the value falls without it.
    """

    symbol: str
    option: PositionOptionShown | None
    market_value: float
    value_at_risk: float
    expected_shortfall: float
    marginal: float | None
    incremental: float


class ValueAtRiskShown(Shown):
    """Losses are positive, in `currency`; contributions add up to the totals. A `parametric` figure of a book with
    options has one per underlying, every other one per position. Standard errors are those of simulated figures.
    """

    value_at_risk: float
    expected_shortfall: float
    contributions: list[ContributionShown]
    observations: int
    as_of: ShownInstant | None
    currency: str
    market_value: float
    method: Method
    confidence: float
    horizon_days: int
    stale: bool
    standard_error: float | None
    shortfall_standard_error: float | None
