"""Option pricing: bodies and answers."""

from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, JsonValue, model_validator

from quantmesh.gateway.http.models.base import Body, Day, Query, Shown, ShownInstant
from quantmesh.gateway.http.models.pricing_models import Accuracy, DividendBody, GreekOrders, Model, check_fields

Style = Literal["european", "american"]
OptionType = Literal["call", "put"]
Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]

MAXIMUM_JSON_ROWS = 65_536
NumberColumn = Annotated[list[float], Field(min_length=1, max_length=MAXIMUM_JSON_ROWS)]
TypeColumn = Annotated[list[OptionType], Field(min_length=1, max_length=MAXIMUM_JSON_ROWS)]

EXAMPLE_CONTRACT: dict[str, JsonValue] = {
    "model": "black_scholes",
    "style": "european",
    "option_type": "call",
    "spot": 100,
    "strike": 100,
    "time_to_expiry": 1.0,
    "rate": 0.05,
    "dividend_yield": 0.0,
}
_HESTON: dict[str, JsonValue] = {"model": "heston", "v0": 0.04, "kappa": 1.5, "theta": 0.05, "sigma": 0.6, "rho": -0.7}


class _Contract(Body):
    model: Model = "black_scholes"
    style: Style = "european"
    option_type: OptionType
    spot: Positive | None = None
    forward: Annotated[
        float | None, Field(description="In place of `spot` and `dividend_yield` for black_76, bachelier and SABR.")
    ] = None
    strike: float
    time_to_expiry: Annotated[Positive | None, Field(description="In years, Act/365F; this or `expiry`.")] = None
    expiry: Annotated[
        Day | None, Field(description="The last day of trading, up to its close in New York; this or `time_to_expiry`.")
    ] = None
    rate: float = 0.0
    dividend_yield: float = 0.0

    @model_validator(mode="after")
    def _one_expiry(self) -> Self:
        if (self.time_to_expiry is None) == (self.expiry is None):
            msg = "give time_to_expiry or expiry, one of the two"
            raise ValueError(msg)
        return self


def given_fields(body: Body) -> list[str]:
    """The names of the fields that have a value."""
    return [name for name in body.model_fields_set if getattr(body, name) is not None]


class PriceBody(_Contract):
    """One contract, with the parameters of its model: a `volatility`, or those of heston, bates or SABR.

    `sabr` prices by Hagan's lognormal expansion, `sabr_normal` by the normal one, which takes forwards and strikes of
    either sign where `beta` is 0. Their vega is by `alpha`.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {**EXAMPLE_CONTRACT, "volatility": 0.2, "greeks": True},
                {**EXAMPLE_CONTRACT, "volatility": 0.2, "greeks": "all"},
                {**EXAMPLE_CONTRACT, "style": "american", "volatility": 0.2, "accuracy": "accurate"},
                {**EXAMPLE_CONTRACT, "volatility": 0.2, "dividends": [{"time": 0.5, "amount": 1.5}]},
                {**EXAMPLE_CONTRACT, **_HESTON},
                {
                    "model": "sabr",
                    "option_type": "call",
                    "forward": 0.03,
                    "strike": 0.035,
                    "time_to_expiry": 1.0,
                    "rate": 0.03,
                    "alpha": 0.04,
                    "beta": 0.5,
                    "rho": -0.3,
                    "nu": 0.4,
                },
            ]
        }
    )

    volatility: NonNegative | None = None
    v0: NonNegative | None = None
    kappa: NonNegative | None = None
    theta: NonNegative | None = None
    sigma: NonNegative | None = None
    rho: Annotated[float, Field(ge=-1, le=1)] | None = None
    jump_intensity: NonNegative | None = None
    jump_mean: float | None = None
    jump_volatility: NonNegative | None = None
    alpha: NonNegative | None = None
    beta: Annotated[float, Field(ge=0, le=1)] | None = None
    nu: NonNegative | None = None
    shift: Annotated[float | None, Field(description="Added to forward and strike by SABR; 0 where absent.")] = None
    accuracy: Annotated[Accuracy | None, Field(description="Of American exercise; `accurate` where absent.")] = None
    dividends: Annotated[
        list[DividendBody], Field(max_length=100, description="In cash, for black_scholes of either style.")
    ] = Field(default_factory=list)
    greeks: GreekOrders = True

    @model_validator(mode="after")
    def _fields_of_its_model(self) -> Self:
        check_fields(self.model, given_fields(self))
        return self


class GreeksShown(Shown):
    """Vega and rho per 1.00 of volatility and rate, theta per year. Null where there is no finite value.

    From epsilon on (by dividend yield; not on forwards) where `all` are asked for: vanna, volga and vera are delta,
    vega and rho by volatility; charm, veta and color delta, vega and gamma by calendar time; speed and zomma gamma by
    spot and volatility; ultima volga by volatility.
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


class PriceShown(Shown):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "price": 10.450583572185565,
                    "model": "black_scholes",
                    "engine": "closed_form",
                    "greeks": {
                        "delta": 0.6368306511756191,
                        "gamma": 0.018762017345846895,
                        "vega": 37.52403469169379,
                        "theta": -6.414027546438197,
                        "rho": 53.232481545376345,
                    },
                    "standard_error": None,
                    "quote_id": "019aa2b0-0f4e-7c3a-8b1d-3f2b7c1d9e10",
                }
            ]
        }
    )

    price: float
    model: str
    engine: str
    greeks: GreeksShown | None
    standard_error: float | None
    quote_id: str


class ContractColumns(Body):
    """Each a list, or a scalar that counts for every row."""

    option_type: TypeColumn | OptionType
    spot: NumberColumn | float | None = None
    forward: NumberColumn | float | None = None
    strike: NumberColumn | float
    time_to_expiry: NumberColumn | float
    rate: NumberColumn | float = 0.0
    dividend_yield: NumberColumn | float = 0.0

    @model_validator(mode="after")
    def _same_length(self) -> Self:
        lengths = {name: len(value) for name, value in self if isinstance(value, list)}
        if not lengths:
            msg = "at least one column must be a list"
            raise ValueError(msg)
        if len(set(lengths.values())) > 1:
            msg = f"all columns must have the same length; they have {lengths}"
            raise ValueError(msg)
        return self

    @property
    def rows(self) -> int:
        return next(len(value) for _, value in self if isinstance(value, list))


class PriceColumns(ContractColumns):
    volatility: NumberColumn | float | None = None
    v0: NumberColumn | float | None = None
    kappa: NumberColumn | float | None = None
    theta: NumberColumn | float | None = None
    sigma: NumberColumn | float | None = None
    rho: NumberColumn | float | None = None
    jump_intensity: NumberColumn | float | None = None
    jump_mean: NumberColumn | float | None = None
    jump_volatility: NumberColumn | float | None = None
    alpha: NumberColumn | float | None = None
    beta: NumberColumn | float | None = None
    nu: NumberColumn | float | None = None
    shift: NumberColumn | float | None = None


class PriceBatchBody(Body):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "model": "black_scholes",
                    "style": "european",
                    "columns": {
                        "option_type": ["call", "put"],
                        "spot": 100.0,
                        "strike": [95.0, 105.0],
                        "time_to_expiry": 0.5,
                        "rate": 0.03,
                        "volatility": [0.22, 0.19],
                    },
                    "greeks": True,
                }
            ]
        }
    )

    model: Model = "black_scholes"
    style: Style = "european"
    accuracy: Accuracy | None = None
    columns: PriceColumns
    greeks: GreekOrders = False

    @model_validator(mode="after")
    def _columns_of_its_model(self) -> Self:
        check_fields(self.model, given_fields(self.columns), place=("columns",))
        return self


class BatchQuery(Query):
    """How an Arrow body is to be priced; a JSON body says it itself."""

    model: Model = "black_scholes"
    style: Style = "european"
    accuracy: Accuracy | None = None
    greeks: GreekOrders = False


ShownColumn = list[float | None] | None


class PriceColumnsShown(Shown):
    """Greeks as for one price, those that are asked for."""

    price: list[float]
    delta: ShownColumn = None
    gamma: ShownColumn = None
    vega: ShownColumn = None
    theta: ShownColumn = None
    rho: ShownColumn = None
    epsilon: ShownColumn = None
    vanna: ShownColumn = None
    charm: ShownColumn = None
    volga: ShownColumn = None
    veta: ShownColumn = None
    vera: ShownColumn = None
    speed: ShownColumn = None
    zomma: ShownColumn = None
    color: ShownColumn = None
    ultima: ShownColumn = None


class PriceBatchShown(Shown):
    model: str
    columns: PriceColumnsShown
    rows: int


class QuoteRecordShown(Shown):
    """A quote explained: what went in, what came out, and which code and inputs made it."""

    quote_id: str
    request: dict[str, JsonValue]
    response: PriceShown
    code_version: str
    input_hash: str
    recorded_at: ShownInstant
