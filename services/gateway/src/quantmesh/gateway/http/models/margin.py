"""Margin: bodies and answers."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from quantmesh.gateway.http.models.base import Amount, DecimalText, Shown, ShownInstant, Symbol
from quantmesh.gateway.http.models.risk import EXAMPLE_PUT, MeasuredBody, PositionOptionShown

Rule = Literal["regulation_t", "portfolio"]
LineRule = Literal[
    "long_stock",
    "short_stock",
    "covered_call",
    "covered_put",
    "call_spread",
    "put_spread",
    "straddle",
    "uncovered_call",
    "uncovered_put",
    "long_option",
]


class MarginBody(MeasuredBody):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "positions": [{"symbol": "AAPL", "quantity": "100"}, EXAMPLE_PUT],
                    "rate": 0.03,
                    "rule": "portfolio",
                    "equity": "2000.00",
                }
            ]
        }
    )

    rule: Rule
    equity: Annotated[
        Amount | None,
        Field(
            description="Net liquidating value; a portfolio's own where absent, and with positions nothing is compared."
        ),
    ] = None
    broad_indices: Annotated[
        list[Symbol], Field(max_length=1000, description="Whose options have an index's rates, by regulation_t.")
    ] = Field(default_factory=list)


class PositionShown(Shown):
    """As positions are asked for."""

    symbol: str
    quantity: DecimalText
    option: PositionOptionShown | None


class LineShown(Shown):
    """One position, or two that are margined together."""

    rule: LineRule
    positions: list[PositionShown]
    units: float
    initial: float
    maintenance: float


class GroupShown(Shown):
    """Of one underlying; `spot_move` and `volatility_move` are those of the worst scenario."""

    symbol: str
    requirement: float
    scan_loss: float
    minimum: float
    binding: Literal["scan", "minimum"]
    spot_move: float
    volatility_move: float


class CureShown(Shown):
    """Adding `change` brings the requirement down to `requirement`, which the equity meets."""

    change: PositionShown
    requirement: float
    traded_value: float


class CuredShown(Shown):
    positions: list[PositionShown]


class ShortfallShown(Shown):
    """`amount` is also the least deposit that cures it; `cures` are the least reductions of single positions that do,
    the smallest trade first; `proportional` is the share of every position that, closed, does. `suggestion` is the book
    after the first of the cures, or without any after the proportional one in whole lots, ready to be asked for.
    """

    amount: float
    cures: list[CureShown]
    proportional: float | None
    suggestion: CuredShown | None


class MarginShown(Shown):
    """`lines` and `initial` are those of `regulation_t`, whose `requirement` is the maintenance margin; `groups` those
    of `portfolio`.
    """

    rule: Rule
    requirement: float
    initial: float | None
    lines: list[LineShown]
    groups: list[GroupShown]
    equity: float | None
    shortfall: ShortfallShown | None
    currency: str
    market_value: float
    as_of: ShownInstant | None
