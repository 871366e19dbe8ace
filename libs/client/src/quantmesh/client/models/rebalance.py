"""From target weights to orders."""

from datetime import datetime
from decimal import Decimal

from quantmesh.client.models.base import Answer
from quantmesh.client.models.orders import Order


class PlannedTrade(Answer):
    """Estimates at the quotes of now; `slippage` is what `estimated_price` costs against the last `price`."""

    symbol: str
    side: str
    quantity: Decimal
    price: Decimal
    estimated_price: Decimal
    fee: Decimal
    slippage: Decimal
    realized_gain: Decimal
    weight: float
    target_weight: float
    weight_after: float
    stale: bool


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


class Basket(Answer):
    basket_id: str
    orders: tuple[Order, ...]
