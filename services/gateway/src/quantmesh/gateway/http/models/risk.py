"""Risk numbers and optimised weights: bodies and answers."""

from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from quantmesh.gateway.http.models.base import Body, DecimalText, Id, Instant, Shown, ShownInstant, Symbol

Method = Literal["historical", "parametric"]
Covariance = Literal["sample", "ewma", "ledoit_wolf", "factor", "garch_dcc"]
Observations = Annotated[int, Field(ge=2, le=10_000, description="Daily returns used; 500 where absent.")]


class PositionBody(Body):
    symbol: Symbol
    quantity: DecimalText


class ValueAtRiskBody(Body):
    """On a portfolio of the caller's, or on positions given here."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "positions": [{"symbol": "AAPL", "quantity": "100"}, {"symbol": "JPM", "quantity": "50"}],
                    "method": "historical",
                    "confidence": 0.99,
                    "horizon_days": 1,
                }
            ]
        }
    )

    portfolio_id: Id | None = None
    positions: Annotated[list[PositionBody] | None, Field(min_length=1, max_length=1000)] = None
    method: Method = "historical"
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.99
    horizon_days: Annotated[int, Field(ge=1, le=250)] = 1
    observations: Observations | None = None
    as_of: Instant | None = None
    known_at: Instant | None = None

    @model_validator(mode="after")
    def _one_book(self) -> Self:
        if (self.portfolio_id is None) == (self.positions is None):
            msg = "give portfolio_id or positions, one of the two"
            raise ValueError(msg)
        return self


class ContributionShown(Shown):
    symbol: str
    market_value: float
    value_at_risk: float
    expected_shortfall: float


class ValueAtRiskShown(Shown):
    """Losses are positive, in `currency`; contributions add up to the totals."""

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
