"""From target weights to orders."""

from datetime import datetime
from decimal import Decimal

from quantmesh.client.models.base import Answer
from quantmesh.client.models.orders import Order
from quantmesh.client.models.portfolios import TranslationRate


class BasketOrder(Answer):
    symbol: str
    side: str
    quantity: Decimal


class PlannedTrade(BasketOrder):
    """Estimates at the quotes of now; `slippage` is what `estimated_price` costs against the last `price`."""

    currency: str
    price: Decimal
    estimated_price: Decimal
    fee: Decimal
    slippage: Decimal
    realized_gain: Decimal
    weight: float
    target_weight: float
    weight_after: float
    stale: bool


class CurrencyCash(Answer):
    """Free cash of one currency; `shortfall` is what is lacking for what is `kept`, and for purchases that gave way."""

    currency: str
    before: Decimal
    proceeds: Decimal
    purchases: Decimal
    fees: Decimal
    after: Decimal
    kept: Decimal
    shortfall: Decimal


class CashMove(Answer):
    """`type` is withdrawal or deposit."""

    type: str
    amount: Decimal
    currency: str


class RebalanceSuggestion(Answer):
    """A conversion that pays for the purchases that gave way: to be recorded once the plan's orders are placed."""

    transactions: tuple[CashMove, ...]
    orders: tuple[BasketOrder, ...]


class RebalancePlan(Answer):
    """Sales first; drift is half the sum of the absolute distances from the target weights."""

    orders: tuple[PlannedTrade, ...]
    base_currency: str
    invested: Decimal
    cash: Decimal
    cash_after: Decimal
    drift: float
    drift_after: float
    fees: Decimal
    slippage: Decimal
    realized_gain: Decimal
    lot_method: str
    as_of: datetime | None
    seq: int
    cash_by_currency: tuple[CurrencyCash, ...]
    exchange_rates: tuple[TranslationRate, ...]
    suggestion: RebalanceSuggestion | None


class Basket(Answer):
    basket_id: str
    orders: tuple[Order, ...]
