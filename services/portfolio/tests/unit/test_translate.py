"""What is told over gRPC of a transaction and of an order."""

from decimal import Decimal
from uuid import uuid4

import pytest

from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb
from quantmesh.portfolio.adapters import translate, translate_orders
from quantmesh.portfolio.core.model import Entry, TransactionType
from quantmesh.portfolio.core.numbers import ZERO
from quantmesh.portfolio.core.order_states import OrderStatus
from quantmesh.portfolio.core.orders import PRICES, Order, OrderRequest, OrderSide, OrderType, TimeInForce

from .samples import START, asked


@pytest.mark.parametrize("kind", TransactionType)
def test_a_transaction_is_told_as_what_it_is(kind: TransactionType) -> None:
    told = translate.entry(Entry(asked(kind.value), "USD", ZERO, ()))
    assert pb.TransactionType.Name(told.input.type) == f"TRANSACTION_TYPE_{kind.name}"


@pytest.mark.parametrize("side", OrderSide)
@pytest.mark.parametrize("status", OrderStatus)
def test_an_order_is_told_as_what_it_is(side: OrderSide, status: OrderStatus) -> None:
    request = OrderRequest("AAPL", side, OrderType.MARKET, Decimal(1), TimeInForce.IOC)
    told = translate_orders.order(Order(uuid4(), uuid4(), request, "USD", START, status))
    assert pb.OrderSide.Name(told.side) == f"ORDER_SIDE_{side.name}"
    assert pb.OrderType.Name(told.type) == "ORDER_TYPE_MARKET"
    assert pb.TimeInForce.Name(told.time_in_force) == "TIME_IN_FORCE_IOC"
    assert pb.OrderStatus.Name(told.status) == f"ORDER_STATUS_{status.name}"


@pytest.mark.parametrize("kind", OrderType)
@pytest.mark.parametrize("lasting", [TimeInForce.DAY, TimeInForce.GTC])
def test_a_request_is_read_as_it_was_told(kind: OrderType, lasting: TimeInForce) -> None:
    prices = {name: Decimal("129.5") for name in PRICES[kind]}
    request = OrderRequest("AAPL", OrderSide.SELL, kind, Decimal(3), lasting, "mine", **prices)
    told = translate_orders.order(Order(uuid4(), uuid4(), request, "USD", START, OrderStatus.ACCEPTED))
    names = {field.name for field in pb.PlaceOrderRequest.DESCRIPTOR.fields}
    asked_again = pb.PlaceOrderRequest(
        **{field.name: value for field, value in told.ListFields() if field.name in names}
    )
    assert translate_orders.order_request(asked_again) == request
