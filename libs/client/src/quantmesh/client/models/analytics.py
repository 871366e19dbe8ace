"""Option prices, risk numbers, optimised weights and forecasts."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from quantmesh.client.models.base import Answer


class Greeks(Answer):
    """Vega and rho per 1.00 of volatility and rate, theta per year; None where there is no finite value.

    From epsilon on those that `"greeks": "all"` asks for.
    """

    delta: float | None
    gamma: float | None
    vega: float | None
    theta: float | None
    rho: float | None
    epsilon: float | None = None
    vanna: float | None = None
    charm: float | None = None
    volga: float | None = None
    veta: float | None = None
    vera: float | None = None
    speed: float | None = None
    zomma: float | None = None
    color: float | None = None
    ultima: float | None = None


class OptionPrice(Answer):
    price: float
    model: str
    engine: str
    greeks: Greeks | None
    standard_error: float | None
    quote_id: str


Column = tuple[float | None, ...] | None


class PriceColumns(Answer):
    price: tuple[float, ...]
    delta: Column = None
    gamma: Column = None
    vega: Column = None
    theta: Column = None
    rho: Column = None
    epsilon: Column = None
    vanna: Column = None
    charm: Column = None
    volga: Column = None
    veta: Column = None
    vera: Column = None
    speed: Column = None
    zomma: Column = None
    color: Column = None
    ultima: Column = None


class PriceBatch(Answer):
    model: str
    columns: PriceColumns
    rows: int


class Contribution(Answer):
    symbol: str
    market_value: float
    value_at_risk: float
    expected_shortfall: float


class ValueAtRisk(Answer):
    """Losses are positive, in `currency`; contributions add up to the totals."""

    value_at_risk: float
    expected_shortfall: float
    contributions: tuple[Contribution, ...]
    observations: int
    as_of: datetime | None
    currency: str
    market_value: float
    method: str
    confidence: float
    horizon_days: int
    stale: bool


class Allocation(Answer):
    """Statistics per year."""

    weights: Mapping[str, float]
    expected_return: float
    volatility: float
    sharpe: float | None


class ProposedOrder(Answer):
    symbol: str
    side: str
    quantity: Decimal
    price: Decimal | None


class Optimization(Allocation):
    objective: str
    benchmarks: Mapping[str, Allocation]
    observations: int
    as_of: datetime | None
    solver: str
    orders: tuple[ProposedOrder, ...]


class Skill(Answer):
    """Walk-forward and out of sample, beside the naive forecast on the same windows."""

    rmse: float | None
    naive_rmse: float | None
    skill: float | None
    directional_accuracy: float | None
    interval_coverage: float | None
    interval_confidence: float | None
    windows: int
    beats_naive: bool


class Forecast(Answer):
    id: str
    symbol: str
    timeframe: str
    last_price: float
    predicted_price: float
    confidence_lower: float
    confidence_upper: float
    direction: str
    confidence_score: float
    model: str
    model_version: str
    skill: Skill | None
    as_of: datetime | None
    published_at: datetime | None
    note: str | None


class TrainedModel(Answer):
    name: str
    version: str
    timeframe: str
    skill: Skill | None
    symbols: tuple[str, ...]
    trained_at: datetime | None
    training_end: datetime | None
    active: bool
