"""Option prices, implied volatilities, and what explains a quote."""

from collections.abc import Mapping
from datetime import datetime

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


class QuoteRecord(Answer):
    """A quote explained: what went in, what came out, and which code and inputs made it."""

    quote_id: str
    request: Mapping[str, object]
    response: OptionPrice
    code_version: str
    input_hash: str
    recorded_at: datetime


class ImpliedVolatility(Answer):
    model: str
    implied_volatility: float


class RowError(Answer):
    """Rows count from 0."""

    index: int
    reason: str


class ImpliedVolatilityColumn(Answer):
    implied_volatility: tuple[float | None, ...]


class ImpliedVolatilities(Answer):
    """None where no volatility gives the price, which `errors` explains."""

    model: str
    columns: ImpliedVolatilityColumn
    errors: tuple[RowError, ...]
