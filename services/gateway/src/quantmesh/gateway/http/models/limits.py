"""Risk limits: bodies and answers."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from quantmesh.gateway.http.models.base import (
    Body,
    DecimalText,
    Id,
    Instant,
    PositiveDecimal,
    Query,
    Shown,
    ShownInstant,
    Symbol,
)
from quantmesh.gateway.http.models.margin import Rule as MarginRule

LimitRule = Literal[
    "gross_exposure",
    "net_exposure",
    "leverage",
    "position_weight",
    "symbol_notional",
    "order_notional",
    "value_at_risk",
    "expected_shortfall",
    "margin_utilisation",
    "initial_margin",
    "daily_loss",
    "open_orders",
]
TailMethod = Literal["historical", "parametric"]
LimitState = Literal["ok", "warning", "breached", "unknown"]


class LimitBody(Body):
    """Money in the portfolio's base currency; a ratio to the equity for leverage, position_weight,
    margin_utilisation and initial_margin; a count for open_orders."""

    rule: LimitRule
    limit: DecimalText
    warning: Annotated[DecimalText | None, Field(description="From where on it is warned; at most the limit.")] = None
    symbol: Annotated[
        Symbol | None, Field(description="Of symbol_notional; where absent it is of each symbol by itself.")
    ] = None
    method: Annotated[
        TailMethod | None, Field(description="Of value_at_risk and expected_shortfall; historical where absent.")
    ] = None
    confidence: Annotated[float | None, Field(gt=0.5, lt=1, description="Of the same; 0.99 where absent.")] = None
    horizon_days: Annotated[int | None, Field(ge=1, le=250, description="Of the same; 1 where absent.")] = None
    margin_rule: Annotated[
        MarginRule | None, Field(description="Of margin_utilisation; regulation_t where absent.")
    ] = None


class LimitsBody(Body):
    """The whole definition; without any limit nothing is limited any more."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "limits": [
                        {"rule": "position_weight", "limit": "0.25", "warning": "0.2"},
                        {"rule": "value_at_risk", "limit": "5000", "confidence": 0.99, "horizon_days": 1},
                        {"rule": "daily_loss", "limit": "2000"},
                    ]
                }
            ]
        }
    )

    limits: Annotated[list[LimitBody], Field(max_length=100)]


class LimitsQuery(Query):
    known_at: Annotated[
        Instant | None,
        Field(description="The definition as known at this system time, without utilisation; now where absent."),
    ] = None


class TriedOrderBody(Body):
    symbol: Symbol
    side: Literal["buy", "sell"]
    quantity: PositiveDecimal
    price: Annotated[
        PositiveDecimal | None, Field(description="Of a limit or a stop; the last quote's where absent.")
    ] = None


class WhatIfBody(Body):
    """Orders that are tried together."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"orders": [{"symbol": "AAPL", "side": "buy", "quantity": "10"}]}]}
    )

    orders: Annotated[list[TriedOrderBody], Field(min_length=1, max_length=1000)]


class LimitShown(Shown):
    """`symbol` is the limit's own; of parameters that the rule has not they are null."""

    rule: LimitRule
    limit: DecimalText | None
    warning: DecimalText | None
    symbol: str | None
    method: TailMethod | None
    confidence: float | None
    horizon_days: int | None
    margin_rule: MarginRule | None


class LimitUtilisationShown(LimitShown):
    """`value` is null where it is unknown, which `reason` explains, or beyond every number; `largest` is the symbol
    whose value it is, of rules that look at each."""

    value: DecimalText | None
    utilisation: float | None
    state: LimitState
    largest: str | None
    reason: str | None


class LimitsShown(Shown):
    portfolio_id: str
    version: int
    recorded_at: ShownInstant | None
    limits: list[LimitShown]


class LimitsUsedShown(LimitsShown):
    """`utilisation` is in the order of the limits; `as_of` is market time."""

    utilisation: list[LimitUtilisationShown]
    base_currency: str
    as_of: ShownInstant | None


class LimitChangeShown(LimitShown):
    """`limit` is null where nothing limits the figure."""

    before: DecimalText | None
    after: DecimalText | None
    largest: str | None
    reason: str | None
    denied: bool


class TriedSuggestion(Shown):
    """The same orders with the largest quantities that pass."""

    orders: list[TriedOrderBody]


class WhatIfShown(Shown):
    """Open orders of the same side count as filled, before and after. `suggestion` is null where the orders are
    allowed, and where no quantity would pass."""

    portfolio_id: Id
    allowed: bool
    changes: list[LimitChangeShown]
    suggestion: TriedSuggestion | None
    base_currency: str
    as_of: ShownInstant | None
