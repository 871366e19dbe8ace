"""What margin refuses of an order suggests a whole one, in lots."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from quantmesh.portfolio.core.buying_power import suggest_less
from quantmesh.portfolio.core.ledger_errors import MarginExceeded
from quantmesh.portfolio.core.market import Adjustment, Asset
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


def suggested(passing: str | None, lot: str) -> Any:
    asset = Asset("IBM", "USD", Adjustment.RAW, Decimal("0.01"), Decimal(lot), tradable=True)
    refusal = MarginExceeded(
        "USD",
        required=Decimal(2),
        equity=Decimal(1),
        field="quantity",
        passing=None if passing is None else Decimal(passing),
    )
    suggest_less(refusal, ORDER, asset)
    assert refusal.metadata["rule"] == "margin"
    return json.loads(refusal.metadata.get("suggestion", "null"))


@pytest.mark.parametrize(
    ("passing", "lot", "quantity"),
    [
        ("57.5", "10", "50"),
        ("57.5", "1", "57"),
        ("57.5", "0.5", "57.5"),
        ("57.5", "0", "57"),
        ("57.5", "0.000000000000000001", "57.5"),
    ],
)
def test_the_order_that_passes_is_whole(passing: str, lot: str, quantity: str) -> None:
    assert suggested(passing, lot) == {
        "portfolio_id": str(UUID(int=2)),
        "client_order_id": "mine",
        "symbol": "IBM",
        "side": "buy",
        "type": "limit",
        "quantity": quantity,
        "limit_price": "10.5",
        "time_in_force": "gtc",
    }


@pytest.mark.parametrize("passing", [None, "9.9"])
def test_where_no_lot_passes_nothing_is_suggested(passing: str | None) -> None:
    assert suggested(passing, "10") is None
