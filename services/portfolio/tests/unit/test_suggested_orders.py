"""What margin refuses of an order suggests a whole one, in lots."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from quantmesh.portfolio.core.buying_power import suggest_less
from quantmesh.portfolio.core.execution import ExecutionCosts, Venue
from quantmesh.portfolio.core.ledger_errors import MarginExceeded
from quantmesh.portfolio.core.market import Adjustment, Asset, MarketClock
from quantmesh.portfolio.core.model import TransactionInput, TransactionType
from quantmesh.portfolio.core.numbers import ZERO
from quantmesh.portfolio.core.opening import Opening
from quantmesh.portfolio.core.orders import Order, OrderRequest, OrderSide, OrderType, TimeInForce

REQUEST = OrderRequest(
    "IBM",
    OrderSide.BUY,
    OrderType.LIMIT,
    Decimal(90),
    TimeInForce.GTC,
    limit_price=Decimal("10.50"),
    client_order_id="mine",
)
ORDER = Order(UUID(int=1), UUID(int=2), REQUEST, "USD", datetime(2020, 1, 2, tzinfo=UTC))


COSTS = ExecutionCosts(Decimal(0), Decimal(0), Decimal(0))
# 57.5 of the 90 are carried.
FILL = TransactionInput(
    TransactionType.BUY, ORDER.created_at, "USD", "IBM", quantity=Decimal(90), price=Decimal("10.50"), fee=ZERO
)
OPENING = Opening(FILL, "USD", shortfall=Decimal("170.62"), closes=ZERO)


def suggested(opening: Opening | None, lot: str, order: Order = ORDER, costs: ExecutionCosts = COSTS) -> Any:
    asset = Asset("IBM", "USD", Adjustment.RAW, Decimal("0.01"), Decimal(lot), tradable=True)
    refusal = MarginExceeded("USD", required=Decimal(2), equity=Decimal(1), field="quantity", opening=opening)
    suggest_less(refusal, order, Venue(asset, None, MarketClock(ORDER.created_at, open=True), costs))
    assert refusal.metadata["rule"] == "margin"
    return json.loads(refusal.metadata.get("suggestion", "null"))


@pytest.mark.parametrize(("lot", "quantity"), [("10", "50"), ("1", "57"), ("0.5", "57.5"), ("0", "57")])
def test_the_order_that_passes_is_whole(lot: str, quantity: str) -> None:
    assert suggested(OPENING, lot) == {
        "portfolio_id": str(UUID(int=2)),
        "client_order_id": "mine",
        "symbol": "IBM",
        "side": "buy",
        "type": "limit",
        "quantity": quantity,
        "limit_price": "10.5",
        "time_in_force": "gtc",
    }


def test_where_no_lot_passes_nothing_is_suggested() -> None:
    assert suggested(None, "1") is None
    assert suggested(OPENING, "60") is None


def test_a_fee_on_what_is_traded_shrinks_with_it() -> None:
    """Of 90 at 10.50 a percent is 9.45: with 3.05 of it spared, 58 units more than half are carried."""
    costs = replace(COSTS, fee_basis_points=Decimal(100))
    assert suggested(OPENING, "1", costs=costs)["quantity"] == "58"


def test_what_only_closes_is_suggested_at_least() -> None:
    assert suggested(replace(OPENING, shortfall=Decimal(10_000), closes=Decimal(15)), "1")["quantity"] == "15"


def test_a_replacement_names_what_may_be_changed_of_the_order() -> None:
    stop = replace(REQUEST, type=OrderType.STOP_LIMIT, stop_price=Decimal(10))
    resting = replace(ORDER, request=stop, version=2, filled_quantity=Decimal(3))
    assert suggested(OPENING, "1", resting) == {"quantity": "60", "limit_price": "10.5", "stop_price": "10"}
    triggered = replace(resting, triggered_at=ORDER.created_at)
    assert suggested(OPENING, "1", triggered) == {"quantity": "60", "limit_price": "10.5"}
