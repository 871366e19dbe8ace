"""What may be asked of an order, and of its replacement."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from quantmesh.portfolio.core.order_errors import IllegalTransition, InvalidOrder, OrderChanged
from quantmesh.portfolio.core.order_states import OrderStatus
from quantmesh.portfolio.core.orders import OrderRequest, OrderSide, OrderType, TimeInForce
from quantmesh.portfolio.core.replace_order import Replacement

from .order_samples import order, request
from .samples import START


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"symbol": "aapl"}, "symbol"),
        ({"quantity": Decimal(0)}, "quantity"),
        ({"quantity": Decimal(-1)}, "quantity"),
        ({"quantity": Decimal("NaN")}, "quantity"),
        ({"client_order_id": "x" * 129}, "client_order_id"),
        ({"client_order_id": "a\nb"}, "client_order_id"),
        ({"limit_price": Decimal(1)}, "limit_price"),
        ({"stop_price": Decimal(1)}, "stop_price"),
        ({"type": OrderType.LIMIT}, "limit_price"),
        ({"type": OrderType.LIMIT, "limit_price": Decimal(0)}, "limit_price"),
        ({"type": OrderType.LIMIT, "limit_price": Decimal("Infinity")}, "limit_price"),
        ({"type": OrderType.LIMIT, "limit_price": Decimal(10) ** 4, "quantity": Decimal(10) ** 11}, "limit_price"),
        ({"type": OrderType.STOP}, "stop_price"),
        ({"type": OrderType.STOP_LIMIT, "limit_price": Decimal(1)}, "stop_price"),
    ],
)
def test_a_request_names_the_field_that_is_wrong(changes: dict[str, Any], field: str) -> None:
    asked: dict[str, Any] = {
        "symbol": "AAPL",
        "side": OrderSide.BUY,
        "type": OrderType.MARKET,
        "quantity": Decimal(1),
        "time_in_force": TimeInForce.DAY,
    }
    with pytest.raises(InvalidOrder) as refused:
        OrderRequest(**{**asked, **changes})
    assert [violation.field for violation in refused.value.violations] == [field]


@pytest.mark.parametrize("tif", ["ioc", "fok"])
def test_a_stop_waits_so_that_it_cannot_be_settled_at_once(tif: str) -> None:
    with pytest.raises(InvalidOrder, match="takes day or gtc") as refused:
        request(stop_price="120", tif=tif)
    assert [violation.field for violation in refused.value.violations] == ["time_in_force"]


@pytest.mark.parametrize(
    ("asked", "at_once"),
    [
        (request(), True),
        (request(tif="gtc"), True),
        (request(limit_price="1", tif="ioc"), True),
        (request(limit_price="1", tif="fok"), True),
        (request(limit_price="1"), False),
        (request(stop_price="1", tif="gtc"), False),
    ],
)
def test_what_has_a_price_and_time_may_wait(asked: OrderRequest, at_once: bool) -> None:
    assert asked.must_trade_now is at_once


def test_an_average_price_is_of_all_fills() -> None:
    assert order().average_fill_price is None
    filled = order(filled_quantity=Decimal(3), notional=Decimal(10))
    assert filled.average_fill_price == Decimal("3.333333333333333333")


def test_a_replacement_changes_what_it_names() -> None:
    resting = order(request(quantity="10", limit_price="130", tif="gtc"))
    assert Replacement(quantity=Decimal(7)).of(resting) == replace(resting.request, quantity=Decimal(7))
    changed = Replacement(limit_price=Decimal(131)).of(resting)
    assert (changed.limit_price, changed.quantity) == (Decimal(131), Decimal(10))


@pytest.mark.parametrize(
    ("replacement", "field", "words"),
    [
        ({"quantity": Decimal(4)}, "quantity", "must be more than the 4 that are filled"),
        ({"limit_price": Decimal(1)}, "limit_price", "is not taken by a stop order"),
        ({"stop_price": Decimal(1)}, "stop_price", "has been triggered"),
    ],
)
def test_a_replacement_names_what_cannot_be(replacement: dict[str, Decimal], field: str, words: str) -> None:
    partly = order(
        request(stop_price="120", tif="gtc"),
        OrderStatus.PARTIALLY_FILLED,
        filled_quantity=Decimal(4),
        triggered_at=START,
    )
    with pytest.raises(InvalidOrder, match=words) as refused:
        Replacement(**replacement).of(partly)
    assert [violation.field for violation in refused.value.violations] == [field]


def test_a_replacement_of_nothing_is_refused() -> None:
    with pytest.raises(InvalidOrder, match="at least one of"):
        Replacement()


def test_an_order_that_has_ended_is_not_replaced() -> None:
    with pytest.raises(IllegalTransition, match="that is filled cannot be replaced"):
        Replacement(quantity=Decimal(20)).of(order(status=OrderStatus.FILLED))


def test_a_version_that_was_not_seen_is_refused() -> None:
    order(version=3).expect(3)
    order(version=3).expect(None)
    with pytest.raises(OrderChanged, match="at version 3, not 2"):
        order(version=3).expect(2)
