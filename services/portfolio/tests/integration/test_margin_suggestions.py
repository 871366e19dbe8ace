"""What margin refuses of an order suggests the largest one that it carries: fee and what only closes included."""

import json
from decimal import Decimal
from typing import Any

import pytest

from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb
from quantmesh.portfolio.core.execution import ExecutionCosts
from quantmesh.portfolio.core.ledger_errors import MarginExceeded

from .fakes import COSTS, NO_CONTEXT, Service, User, quote
from .messages import order_request


async def with_margin(service: Service, cash: str, **costs: Any) -> tuple[User, str]:
    service.rpc._costs = ExecutionCosts(**(COSTS | costs))
    user = service.user()
    user.call()
    asked = pb.CreatePortfolioRequest(name="Margin", base_currency="USD", margin_enabled=True)
    portfolio_id = (await user.rpc.CreatePortfolio(asked, NO_CONTEXT)).portfolio.id
    await user.deposit(portfolio_id, cash)
    return user, portfolio_id


async def refused(user: User, portfolio_id: str, quantity: str, side: str = "buy") -> Decimal | None:
    """What the refusal suggests in place of `quantity`."""
    with pytest.raises(MarginExceeded) as refusal:
        await user.order(portfolio_id, quantity, side=side)
    suggestion = json.loads(refusal.value.metadata.get("suggestion", "{}"))
    return Decimal(suggestion["quantity"]) if suggestion else None


async def passes(user: User, portfolio_id: str, quantity: Decimal, side: str = "buy") -> bool:
    user.call()
    asked = pb.PreviewOrderRequest(order=order_request(portfolio_id, str(quantity), side=side))
    return not (await user.rpc.PreviewOrder(asked, NO_CONTEXT)).preview.HasField("denial")


@pytest.mark.parametrize("side", ["buy", "sell"])
@pytest.mark.parametrize(("basis_points", "least"), [("1", "0"), ("100", "0"), ("1", "25"), ("0", "0")])
async def test_one_lot_more_than_is_suggested_does_not_pass(
    service: Service, side: str, basis_points: str, least: str
) -> None:
    user, portfolio_id = await with_margin(
        service, "10000.00", fee_basis_points=Decimal(basis_points), minimum_fee=Decimal(least)
    )
    largest = await refused(user, portfolio_id, "100000", side)
    assert largest is not None
    assert await passes(user, portfolio_id, largest, side)
    assert not await passes(user, portfolio_id, largest + 1, side)


async def test_what_only_closes_is_suggested_where_nothing_beyond_it_is_carried(service: Service) -> None:
    user, portfolio_id = await with_margin(service, "1000.00")
    await user.order(portfolio_id, "15")
    service.market.live["AAPL"] = quote("AAPL", "60.00")  # more is lost than there was
    assert await refused(user, portfolio_id, "20", "sell") == 15
    closed = await user.order(portfolio_id, "15", side="sell")
    assert closed.status == pb.ORDER_STATUS_FILLED
    assert await refused(user, portfolio_id, "1") is None
