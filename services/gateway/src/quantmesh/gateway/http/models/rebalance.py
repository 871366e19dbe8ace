"""Rebalancing: bodies and answers."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, ValidationInfo, field_validator

from quantmesh.gateway.http.models.base import (
    Body,
    DecimalText,
    PositiveDecimal,
    Shown,
    ShownInstant,
    Symbol,
)
from quantmesh.gateway.http.models.orders import OrderShown, Side
from quantmesh.gateway.http.models.portfolios import TranslationRateShown

Weight = Annotated[float, Field(ge=0, le=1)]


class RebalanceBody(Body):
    """`target_weights` as an optimisation answers them: of the total value in the base currency less the cash buffer,
    together at most 1. What is held and not named is sold. Amounts are in the base currency."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"target_weights": {"AAPL": 0.6, "JPM": 0.4}, "cash_buffer": "500.00", "minimum_trade": "100.00"}
            ]
        }
    )

    target_weights: Annotated[dict[Symbol, Weight], Field(max_length=1000)]
    cash_buffer: Annotated[
        DecimalText | None, Field(description="Stays as cash of the base currency; nothing where absent.")
    ] = None
    minimum_trade: Annotated[DecimalText | None, Field(description="Trades of less are left out.")] = None
    tax_aware: Annotated[
        bool, Field(description="Sales together realise no more than maximum_realized_gain, by the account's lots.")
    ] = False
    maximum_realized_gain: Annotated[DecimalText | None, Field(description="With tax_aware; 0 where absent.")] = None

    @field_validator("maximum_realized_gain")
    @classmethod
    def _counts(cls, amount: str | None, info: ValidationInfo) -> str | None:
        if amount is not None and not info.data.get("tax_aware", True):
            msg = "limits a plan whose tax_aware is true, and no other"
            raise ValueError(msg)
        return amount


class BasketOrderBody(Body):
    symbol: Symbol
    side: Side
    quantity: PositiveDecimal


class BasketBody(Body):
    """Market orders as a plan lists them, or fewer; at most one per symbol."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"orders": [{"symbol": "AAPL", "side": "buy", "quantity": "5"}]}]}
    )

    orders: Annotated[list[BasketOrderBody], Field(min_length=1, max_length=1000)]


class BasketOrderShown(Shown):
    symbol: str
    side: Side
    quantity: DecimalText


class PlannedTradeShown(BasketOrderShown):
    """In the instrument's `currency`. `slippage` is what `estimated_price` costs against the last `price`;
    `realized_gain` is before the fee."""

    currency: str
    price: DecimalText
    estimated_price: DecimalText
    fee: DecimalText
    slippage: DecimalText
    realized_gain: DecimalText
    weight: float
    target_weight: float
    weight_after: float
    stale: bool


class CurrencyCashShown(Shown):
    """Free cash of one currency, in it: `before` and `proceeds` less `purchases` and `fees` is `after`. `kept` is to
    stay of it; `shortfall` is what is lacking for that, and for the purchases that gave way."""

    currency: str
    before: DecimalText
    proceeds: DecimalText
    purchases: DecimalText
    fees: DecimalText
    after: DecimalText
    kept: DecimalText
    shortfall: DecimalText


class CashMoveShown(Shown):
    """A transaction to record, with the time at which it happens."""

    type: Literal["withdrawal", "deposit"]
    amount: DecimalText
    currency: str


class RebalanceSuggestion(Shown):
    """The least conversion that pays for the purchases that gave way, once the plan's orders are placed: withdrawals
    and deposits to record, and those purchases, as one more basket. What withdrawals do not cover has to be paid in."""

    transactions: list[CashMoveShown]
    orders: list[BasketOrderShown]


class RebalanceShown(Shown):
    """Estimates at the quotes of now, sales first; nothing is recorded. Drift is half the sum of the absolute distances
    from the target weights, which are of what is `invested`. Totals are in the base currency at `exchange_rates`. Each
    currency pays for its own purchases: where one cannot, they give way, and `suggestion` says what would pay for them.
    """

    orders: list[PlannedTradeShown]
    base_currency: str
    invested: DecimalText
    cash: DecimalText
    cash_after: DecimalText
    drift: float
    drift_after: float
    fees: DecimalText
    slippage: DecimalText
    realized_gain: DecimalText
    lot_method: Literal["average", "fifo", "lifo", "specific"]
    as_of: ShownInstant | None
    seq: int
    cash_by_currency: list[CurrencyCashShown]
    exchange_rates: list[TranslationRateShown]
    suggestion: Annotated[RebalanceSuggestion | None, Field(description="Null where no currency is short.")]


class BasketShown(Shown):
    """In the order in which they were placed: sales first."""

    basket_id: str
    orders: list[OrderShown]
