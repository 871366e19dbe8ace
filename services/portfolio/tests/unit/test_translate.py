"""What is told over gRPC of a transaction and of an order."""

from decimal import Decimal
from uuid import uuid4

import pytest

from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb
from quantmesh.portfolio.adapters import translate
from quantmesh.portfolio.core.model import Entry, TransactionType
from quantmesh.portfolio.core.numbers import ZERO
from quantmesh.portfolio.core.orders import Order, OrderRequest, OrderSide, OrderStatus, OrderType, TimeInForce

from .samples import START, asked


@pytest.mark.parametrize("kind", TransactionType)
def test_a_transaction_is_told_as_what_it_is(kind: TransactionType) -> None:
    told = translate.entry(Entry(asked(kind.value), "USD", ZERO, ()))
    assert pb.TransactionType.Name(told.input.type) == f"TRANSACTION_TYPE_{kind.name}"


@pytest.mark.parametrize("side", OrderSide)
@pytest.mark.parametrize("status", OrderStatus)
def test_an_order_is_told_as_what_it_is(side: OrderSide, status: OrderStatus) -> None:
    request = OrderRequest("AAPL", side, OrderType.MARKET, Decimal(1), TimeInForce.IOC)
    told = translate.order(Order(uuid4(), uuid4(), request, "USD", START, status))
    assert pb.OrderSide.Name(told.side) == f"ORDER_SIDE_{side.name}"
    assert pb.OrderType.Name(told.type) == "ORDER_TYPE_MARKET"
    assert pb.TimeInForce.Name(told.time_in_force) == "TIME_IN_FORCE_IOC"
    assert pb.OrderStatus.Name(told.status) == f"ORDER_STATUS_{status.name}"
