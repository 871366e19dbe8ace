"""Parts of an order that the ledger cannot post wait for a larger one; parts are whole lots."""

from dataclasses import replace
from decimal import Decimal

import pytest

from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb
from quantmesh.portfolio.core.errors import InsufficientCash
from quantmesh.portfolio.core.execution import ExecutionCosts
from quantmesh.portfolio.core.market import Adjustment

from . import order_desk
from .fakes import COSTS, Service, User, asset, quote
from .order_desk import Desk, sized

LEAST_FEE = COSTS | {"minimum_fee": Decimal(5)}


@pytest.fixture
def least_fee(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(order_desk, "COSTS", LEAST_FEE)
    service.rpc._costs = ExecutionCosts(**LEAST_FEE)
    service.market.known["PENNY"] = asset("PENNY", Adjustment.RAW)
    service.market.live["PENNY"] = quote("PENNY", "2.00")


async def holder(service: Service, cash: str) -> tuple[User, str]:
    """Of 1,000 that were bought for one dollar each, with `cash` left."""
    user = service.user()
    portfolio = await user.create()
    await user.deposit(portfolio.id, str(1000 + Decimal(cash)))
    await user.record(portfolio.id, type="buy", symbol="PENNY", quantity="1000", price="1", at="2020-01-03")
    return user, portfolio.id


@pytest.mark.usefixtures("least_fee")
async def test_a_part_that_brings_less_than_its_fee_waits_for_a_larger_one(service: Service) -> None:
    user, portfolio_id = await holder(service, cash="0")
    desk = Desk(service, user)
    resting = await user.order(portfolio_id, "1000", side="sell", symbol="PENNY", limit="2.10", tif="gtc")
    assert await desk.fill(resting.id, "1000", sized("2.20", "2", minutes=1, symbol="PENNY")) is None
    filled = await desk.fill(resting.id, "1000", sized("2.20", "600", minutes=2, symbol="PENNY"))
    assert filled is not None
    assert filled.filled_quantity == 600


@pytest.mark.usefixtures("least_fee")
async def test_a_part_whose_fee_other_cash_pays_is_filled(service: Service) -> None:
    user, portfolio_id = await holder(service, cash="1")
    resting = await user.order(portfolio_id, "1000", side="sell", symbol="PENNY", limit="2.10", tif="gtc")
    filled = await Desk(service, user).fill(resting.id, "1000", sized("2.20", "2", minutes=1, symbol="PENNY"))
    assert filled is not None
    assert filled.filled_quantity == 2


@pytest.mark.usefixtures("least_fee")
async def test_a_whole_order_that_brings_less_than_its_fee_is_refused(service: Service) -> None:
    user, portfolio_id = await holder(service, cash="0")
    resting = await user.order(portfolio_id, "2", side="sell", symbol="PENNY", limit="2.10", tif="gtc")
    with pytest.raises(InsufficientCash):
        await Desk(service, user).fill(resting.id, "2", sized("2.20", "2", minutes=1, symbol="PENNY"))


async def test_a_part_of_less_than_a_cent_waits_for_a_larger_one(service: Service) -> None:
    service.market.known["BTC"] = replace(asset("BTC", Adjustment.RAW), lot_size=Decimal("0.00000001"))
    service.market.live["BTC"] = replace(quote("BTC", "20000.00"), ask_size=Decimal("0.00000001"))
    user = service.user()
    portfolio = await user.create()
    await user.deposit(portfolio.id, "100000.00")
    placed = await user.order(portfolio.id, "1", symbol="BTC")
    assert (placed.status, placed.filled_quantity.value) == (pb.ORDER_STATUS_ACCEPTED, "0")
    filled = await Desk(service, user).fill(placed.id, "1", sized("19999", "0.5", minutes=1, symbol="BTC"))
    assert filled is not None
    assert filled.filled_quantity == Decimal("0.5")


async def test_a_size_that_is_no_whole_lot_fills_whole_ones(service: Service) -> None:
    user = service.user()
    portfolio = await user.create()
    await user.deposit(portfolio.id, "10000.00")
    resting = await user.order(portfolio.id, "5", limit="120", tif="gtc")
    desk = Desk(service, user)
    part = await desk.fill(resting.id, "2.5", sized("119", "2.5", minutes=1))
    assert part is not None
    assert part.filled_quantity == 2
    rest = await desk.fill(resting.id, "3", sized("119", "10", minutes=2))
    assert rest is not None
    assert rest.filled_quantity == 5
