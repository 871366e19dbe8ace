"""Models and surfaces from market quotes: bodies and answers."""

from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, JsonValue, model_validator

from quantmesh.gateway.http.models.base import Body, Shown
from quantmesh.gateway.http.models.options import NonNegative, OptionType, Positive, Style

MAXIMUM_QUOTES = 2_000

_QUOTES: list[JsonValue] = [
    {"option_type": "put", "strike": 90, "time_to_expiry": 0.5, "implied_volatility": 0.24},
    {"option_type": "put", "strike": 95, "time_to_expiry": 0.5, "implied_volatility": 0.225},
    {"option_type": "call", "strike": 100, "time_to_expiry": 0.5, "implied_volatility": 0.21},
    {"option_type": "call", "strike": 105, "time_to_expiry": 0.5, "implied_volatility": 0.2},
    {"option_type": "call", "strike": 110, "time_to_expiry": 0.5, "implied_volatility": 0.195},
]


class QuoteBody(Body):
    """A `price` or an `implied_volatility`; `bid` and `ask`, where they are known, in the same unit."""

    option_type: OptionType
    strike: Positive
    time_to_expiry: Positive
    price: NonNegative | None = None
    implied_volatility: Positive | None = None
    bid: NonNegative | None = None
    ask: NonNegative | None = None

    @model_validator(mode="after")
    def _one_value(self) -> Self:
        if (self.price is None) == (self.implied_volatility is None):
            msg = "give price or implied_volatility, one of the two"
            raise ValueError(msg)
        return self


class MarketBody(Body):
    quotes: Annotated[list[QuoteBody], Field(min_length=1, max_length=MAXIMUM_QUOTES)]
    spot: Positive
    rate: float = 0.0
    dividend_yield: float = 0.0


class CalibrateBody(MarketBody):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"model": "heston", "spot": 100, "rate": 0.02, "quotes": _QUOTES}]}
    )

    model: Literal["black_scholes", "heston", "bates", "sabr"]
    fixed: Annotated[
        dict[Annotated[str, Field(max_length=32)], float],
        Field(max_length=16, description="Parameters that keep this value."),
    ] = Field(default_factory=dict)
    confidence: Annotated[float, Field(gt=0, lt=1, description="Of the parameters' intervals.")] = 0.95


class IntervalShown(Shown):
    lower: float
    upper: float


class CalibrationShown(Shown):
    """`residuals` are implied volatilities, the model's less the quote's, in the order of the quotes."""

    model: str
    parameters: dict[str, float]
    intervals: dict[str, IntervalShown | None]
    at_bound: list[str]
    residuals: list[float]
    price_residuals: list[float]
    rmse: float
    price_rmse: float
    iterations: int
    converged: bool
    seconds: float
    confidence: float


class SurfaceMarketBody(MarketBody):
    forwards: Annotated[
        Literal["carry", "parity"],
        Field(description="`carry`: from spot, rate and dividend yield; `parity`: from pairs of a call and a put."),
    ] = "carry"
    parametrization: Literal["svi", "ssvi"] = "svi"


class PointBody(Body):
    strike: Positive
    time_to_expiry: NonNegative


class SurfaceBody(SurfaceMarketBody):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"spot": 100, "rate": 0.02, "quotes": _QUOTES, "points": [{"strike": 97.5, "time_to_expiry": 0.4}]}
            ]
        }
    )

    points: Annotated[
        list[PointBody], Field(max_length=10_000, description="Where the surface's volatility is wanted.")
    ] = Field(default_factory=list)


class SmileShown(Shown):
    """Total variance is a + b (rho (k - m) + sqrt((k - m)^2 + sigma^2)) at k = ln(strike / forward)."""

    time_to_expiry: float
    forward: float
    a: float
    b: float
    rho: float
    m: float
    sigma: float
    discount_factor: float | None


class MarginShown(Shown):
    """The least of a quantity that arbitrage makes negative; no strike where it lies in a wing's end."""

    value: float
    strike: float | None
    time_to_expiry: float


class ArbitrageShown(Shown):
    butterfly: MarginShown
    calendar: MarginShown


class SurfaceShown(Shown):
    parametrization: Literal["svi", "ssvi"]
    smiles: list[SmileShown]
    residuals: list[float]
    rmse: float
    arbitrage: ArbitrageShown
    iterations: int
    volatilities: list[float]


class GridOptionBody(Body):
    option_type: OptionType
    strike: Positive
    time_to_expiry: Positive


class LocalVolatilityBody(SurfaceMarketBody):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "spot": 100,
                    "rate": 0.02,
                    "quotes": _QUOTES,
                    "options": [{"option_type": "put", "strike": 95, "time_to_expiry": 0.5}],
                }
            ]
        }
    )

    options: Annotated[list[GridOptionBody], Field(max_length=1_000)] = Field(default_factory=list)
    style: Style = "european"


class LocalVolatilityShown(Shown):
    """`volatilities` has a row per time and a column per spot; `prices` are in the order of `options`."""

    times: list[float]
    spots: list[float]
    volatilities: list[list[float]]
    prices: list[float]
    surface: SurfaceShown
