"""Optimised weights and the frontier: bodies and answers."""

from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from quantmesh.gateway.http.models.base import Body, DecimalText, Instant, Shown, ShownInstant, Symbol
from quantmesh.gateway.http.models.risk import Covariance, Observations, OwnPortfolio

Objective = Literal[
    "minimum_variance",
    "maximum_sharpe",
    "risk_parity",
    "mean_variance",
    "minimum_cvar",
    "hierarchical_risk_parity",
    "black_litterman",
]
Weight = Annotated[float, Field(ge=-10, le=10)]
Weights = Annotated[dict[Symbol, Weight], Field(max_length=1000)]
Share = Annotated[float, Field(ge=0, le=1)]


class BoundsBody(Body):
    minimum: Weight | None = None
    maximum: Weight | None = None


class GroupBody(BoundsBody):
    """Limits on the sum of the weights of `symbols`."""

    name: Annotated[str, Field(min_length=1, max_length=64)]
    symbols: Annotated[list[Symbol], Field(min_length=1, max_length=1000)]


class ViewBody(Body):
    """What a portfolio of `weights` is expected to return a year, in excess of the risk-free rate."""

    weights: Annotated[dict[Symbol, Weight], Field(min_length=1, max_length=1000)]
    expected_return: Annotated[float, Field(ge=-10, le=10)]
    confidence: Annotated[Share | None, Field(description="Absent: as uncertain as the market's own.")] = None


class ConstraintsBody(Body):
    minimum_weight: Annotated[Weight | None, Field(description="For every asset; 0 where absent.")] = None
    maximum_weight: Annotated[Weight | None, Field(description="For every asset; 1 where absent.")] = None
    bounds: Annotated[dict[Symbol, BoundsBody], Field(max_length=1000)] = Field(default_factory=dict)
    groups: Annotated[list[GroupBody], Field(max_length=100)] = Field(default_factory=list)
    maximum_turnover: Annotated[
        float | None, Field(ge=0, le=20, description="The sum of absolute changes from what is held now.")
    ] = None
    cost: Annotated[float, Field(ge=0, le=1, description="A fraction of each amount traded, once a year.")] = 0.0
    maximum_holdings: Annotated[int | None, Field(ge=1, le=1000)] = None
    minimum_position: Annotated[Share | None, Field(description="What a weight that is not 0 is at least.")] = None


class AllocationBody(Body):
    """What every allocation starts from."""

    symbols: Annotated[list[Symbol], Field(max_length=1000)] = Field(default_factory=list)
    constraints: ConstraintsBody = Field(default_factory=ConstraintsBody)
    risk_free_rate: Annotated[float, Field(ge=-1, le=1)] = 0.0
    covariance: Covariance = "sample"
    observations: Observations | None = None
    as_of: Instant | None = None
    known_at: Instant | None = None


class PortfolioOptimizeBody(AllocationBody):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"objective": "minimum_variance", "constraints": {"maximum_weight": 0.4}}]}
    )

    objective: Objective
    risk_aversion: Annotated[float, Field(gt=0, le=1e6, description="Of mean_variance and black_litterman.")] = 2.5
    confidence: Annotated[float, Field(ge=0.5, lt=1, description="Of minimum_cvar.")] = 0.95
    views: Annotated[list[ViewBody], Field(max_length=100, description="Of black_litterman.")] = Field(
        default_factory=list
    )
    market_weights: Annotated[
        Weights, Field(description="What the market holds, for black_litterman; equal weights where absent.")
    ] = Field(default_factory=dict)
    budgets: Annotated[
        dict[Symbol, Annotated[float, Field(ge=1e-6, le=1e6)]],
        Field(max_length=1000, description="Shares in the variance, for risk_parity; equal ones where absent."),
    ] = Field(default_factory=dict)


class OptimizeBody(PortfolioOptimizeBody):
    """On a portfolio's holdings, or on symbols given here."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"objective": "maximum_sharpe", "symbols": ["AAPL", "JPM", "XOM"]}]}
    )

    portfolio_id: OwnPortfolio = None

    @model_validator(mode="after")
    def _some_universe(self) -> Self:
        _check_universe(self.portfolio_id, self.symbols)
        return self


class FrontierBody(AllocationBody):
    """On a portfolio's holdings, or on symbols given here."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"symbols": ["AAPL", "JPM", "XOM"], "points": 10}]})

    portfolio_id: OwnPortfolio = None
    points: Annotated[int, Field(ge=2, le=200)] = 25

    @model_validator(mode="after")
    def _some_universe(self) -> Self:
        _check_universe(self.portfolio_id, self.symbols)
        return self


def _check_universe(portfolio_id: str | None, symbols: list[str]) -> None:
    if portfolio_id is None and not symbols:
        msg = "give portfolio_id or symbols"
        raise ValueError(msg)


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
    objective_value: float
    bound: float | None
    gap: float | None
    iterations: int


class FrontierShown(Shown):
    """From the least variance to the highest expected return, evenly spaced in return."""

    points: list[AllocationShown]
    benchmarks: dict[str, AllocationShown]
    observations: int
    as_of: ShownInstant | None
