"""Whoever wants out of an order needs no market: neither its owner nor the kill switch waits for its time."""

import asyncio
from collections.abc import Collection, Mapping

import pytest

from quantmesh.api.portfolio.v1 import halts_pb2
from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb
from quantmesh.local.testing import RunningServer
from quantmesh.portfolio.adapters.rpc import PortfolioRpc
from quantmesh.portfolio.adapters.rpc.halts import HaltRpc
from quantmesh.portfolio.core.execution import ExecutionCosts
from quantmesh.portfolio.core.market import Asset, MarketClock

from .fakes import COSTS, NO_CONTEXT, FakeMarket, Service, User
from .order_desk import Desk
from .venues import venue_service


class Hanging(FakeMarket):
    """Takes a question, and never answers."""

    async def clock(self) -> MarketClock:
        await asyncio.Event().wait()
        raise AssertionError

    async def assets(self, symbols: Collection[str]) -> Mapping[str, Asset]:
        await asyncio.Event().wait()
        raise AssertionError


@pytest.mark.parametrize("hangs", [False, True])
async def test_an_order_is_cancelled_while_the_market_is_silent(
    service: Service, account: tuple[User, str, Desk], *, hangs: bool
) -> None:
    user, portfolio_id, desk = account
    order = await user.order(portfolio_id, "5", limit="120", tif="gtc")
    market = Hanging() if hangs else service.market
    market.available = False
    elsewhere = User(PortfolioRpc(service.database, market, service.clock, ExecutionCosts(**COSTS)), user.owner_id)
    async with asyncio.timeout(30):
        cancelled = await elsewhere.cancel(order.id)
    assert cancelled.status == pb.ORDER_STATUS_CANCELLED
    assert (await desk.balance(portfolio_id)).reserved == 0
    assert (await user.events(portfolio_id)).events[-1].type == "order.cancelled"


async def test_a_symbol_is_halted_while_the_market_never_answers(service: Service) -> None:
    rpc = HaltRpc(service.database, Hanging(), service.clock)
    service.user().call()
    request = halts_pb2.ImposeHaltRequest(kind=halts_pb2.HALT_KIND_KILL_SWITCH, symbol="AAPL", cause="a drill")
    async with asyncio.timeout(30):
        imposed = await rpc.ImposeHalt(request, NO_CONTEXT)
    assert imposed.halt.symbol == "AAPL"


async def test_a_kill_switch_cancels_while_the_market_is_silent(service: Service, nats_server: RunningServer) -> None:
    async with venue_service(service, nats_server.url) as venue:
        user, portfolio = await venue.account()
        order = await user.order(portfolio, "10", limit="120", tif="gtc")
        service.market.available = False
        async with venue.runner(nats_server.url):
            service.user().call()
            request = halts_pb2.ImposeHaltRequest(kind=halts_pb2.HALT_KIND_KILL_SWITCH, symbol="AAPL", cause="a drill")
            await HaltRpc(service.database, service.market, service.clock).ImposeHalt(request, NO_CONTEXT)
            ended = await venue.until(user, order, pb.ORDER_STATUS_CANCELLED)
        assert ended.reason == "the kill switch of AAPL is on: a drill"
