"""Implied volatilities: bodies and answers."""

from typing import Self

from pydantic import ConfigDict, model_validator

from quantmesh.gateway.http.models.base import Body, Day, Shown
from quantmesh.gateway.http.models.options import (
    EXAMPLE_CONTRACT,
    ContractColumns,
    NonNegative,
    NumberColumn,
    OptionType,
    Positive,
    Style,
    given_fields,
)
from quantmesh.gateway.http.models.pricing_models import Model, check_fields


class ImpliedVolatilityColumns(ContractColumns):
    price: NumberColumn | float


class ImpliedVolatilityBody(Body):
    """One contract with its `price`, or `columns` of them."""

    model_config = ConfigDict(json_schema_extra={"examples": [{**EXAMPLE_CONTRACT, "price": 10.450583572185565}]})

    model: Model = "black_scholes"
    style: Style = "european"
    option_type: OptionType | None = None
    spot: Positive | None = None
    forward: float | None = None
    strike: float | None = None
    time_to_expiry: Positive | None = None
    expiry: Day | None = None
    rate: float | None = None
    dividend_yield: float | None = None
    price: NonNegative | None = None
    columns: ImpliedVolatilityColumns | None = None

    @model_validator(mode="after")
    def _scalar_or_columns(self) -> Self:
        given = {*given_fields(self)} - {"model", "style", "columns"}
        if self.columns is not None:
            if given:
                msg = "with columns, every value belongs in columns; a scalar there counts for every row"
                raise ValueError(msg)
            check_fields(self.model, given_fields(self.columns), asked=("price",), place=("columns",))
            return self
        missing = [name for name in ("option_type", "strike") if name not in given]
        if missing:
            msg = f"missing: {', '.join(missing)} (or columns)"
            raise ValueError(msg)
        check_fields(self.model, given, asked=("price",))
        if ("time_to_expiry" in given) == ("expiry" in given):
            msg = "give time_to_expiry or expiry, one of the two"
            raise ValueError(msg)
        return self


class RowError(Shown):
    index: int
    reason: str


class ImpliedVolatilityColumnsShown(Shown):
    implied_volatility: list[float | None]


class ImpliedVolatilityShown(Shown):
    """A scalar request answers `implied_volatility`; columns answer `columns` and an error per row without one."""

    model: str
    implied_volatility: float | None = None
    columns: ImpliedVolatilityColumnsShown | None = None
    errors: list[RowError] | None = None
