"""Risk numbers and optimised weights: bodies and answers."""

from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from quantmesh.gateway.http.models.base import Body, DecimalText, Id, Instant, Shown, ShownInstant, Symbol

Method = Literal["historical", "parametric"]
Objective = Literal["minimum_variance", "maximum_sharpe", "risk_parity"]
Weight = Annotated[float, Field(ge=-10, le=10)]
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


class BoundsBody(Body):
    minimum: Weight | None = None
    maximum: Weight | None = None


class ConstraintsBody(Body):
    minimum_weight: Annotated[Weight | None, Field(description="For every asset; 0 where absent.")] = None
    maximum_weight: Annotated[Weight | None, Field(description="For every asset; 1 where absent.")] = None
    bounds: Annotated[dict[Symbol, BoundsBody], Field(max_length=1000)] = Field(default_factory=dict)


class PortfolioOptimizeBody(Body):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"objective": "minimum_variance", "constraints": {"maximum_weight": 0.4}}]}
    )

    objective: Objective
    symbols: Annotated[list[Symbol], Field(max_length=1000)] = Field(default_factory=list)
    constraints: ConstraintsBody = Field(default_factory=ConstraintsBody)
    risk_free_rate: Annotated[float, Field(ge=-1, le=1)] = 0.0
    observations: Observations | None = None
    as_of: Instant | None = None
    known_at: Instant | None = None


class OptimizeBody(PortfolioOptimizeBody):
    """On a portfolio's holdings, or on symbols given here."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"objective": "maximum_sharpe", "symbols": ["AAPL", "JPM", "XOM"]}]}
    )

    portfolio_id: Id | None = None

    @model_validator(mode="after")
    def _some_universe(self) -> Self:
        if self.portfolio_id is None and not self.symbols:
            msg = "give portfolio_id or symbols"
            raise ValueError(msg)
        return self


class AllocationShown(Shown):
    weights: dict[str, float]
    expected_return: float
    volatility: float
    sharpe: float | None


class ProposedOrderShown(Shown):
    symbol: str
    side: Literal["buy", "sell"]
    quantity: DecimalText
    price: DecimalText | None


class OptimizationShown(Shown):
    """Weights sum to one; statistics are per year, from the same observations for every allocation."""

    objective: Objective
    weights: dict[str, float]
    expected_return: float
    volatility: float
    sharpe: float | None
    benchmarks: dict[str, AllocationShown]
    observations: int
    as_of: ShownInstant | None
    solver: str
    orders: list[ProposedOrderShown]
