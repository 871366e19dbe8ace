"""What happens to orders, accounts and others while risk is still being asked."""

import asyncio
from dataclasses import replace
from decimal import Decimal

import pytest

from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb
from quantmesh.portfolio.adapters.rpc import placer
from quantmesh.portfolio.core.errors import InsufficientCash
from quantmesh.portfolio.core.pre_trade_errors import LimitExceeded

from .fakes import User
from .placing import count
from .pre_trade_peers import ALLOWED, DENIED, Checks


@pytest.fixture(params=["by what is known", "by what is read"])
def is_known(request: pytest.FixtureRequest) -> bool:
    """How an order is decided while risk is asked."""
    return bool(request.param == "by what is known")


async def asking(checks: Checks, trader: User, portfolio_id: str, *, is_known: bool = True) -> "asyncio.Task[pb.Order]":
    """An order of an account that has no limits, as was heard before, while risk keeps silent."""
    assert (await trader.order(portfolio_id, "1")).status == pb.ORDER_STATUS_FILLED
    if not is_known:
        # By another replica, so that the trader's knows something else.
        await checks.user.deposit(portfolio_id)
    checks.limits.speaks.clear()
    checks.limits.heard.clear()
    placing = asyncio.create_task(trader.order(portfolio_id, "1"))
    await checks.limits.heard.wait()
    return placing


async def test_an_account_is_not_held_up_while_risk_thinks(checks: Checks, *, is_known: bool) -> None:
    portfolio = await checks.user.create()
    await checks.user.deposit(portfolio.id)
    placing = await asking(checks, checks.trader(), portfolio.id, is_known=is_known)
    await checks.user.deposit(portfolio.id)
    assert not placing.done()
    checks.limits.speaks.set()
    assert (await placing).status == pb.ORDER_STATUS_FILLED


async def test_other_accounts_trade_in_the_symbol_while_risk_thinks(
    checks: Checks, monkeypatch: pytest.MonkeyPatch, *, is_known: bool
) -> None:
    monkeypatch.setattr(placer, "_LOCKED_SECONDS", 60.0)
    market = checks.service.market
    market.live["AAPL"] = replace(market.live["AAPL"], bid_size=Decimal(100), ask_size=Decimal(100))
    portfolio, other = await checks.user.create(), checks.service.user()
    await checks.user.deposit(portfolio.id)
    others = await other.create()
    await other.deposit(others.id)
    placing = await asking(checks, checks.trader(), portfolio.id, is_known=is_known)
    await asyncio.sleep(0.1)  # the ledger has done what it does meanwhile
    async with asyncio.timeout(10):
        assert (await other.order(others.id, "1")).status == pb.ORDER_STATUS_FILLED
    assert not placing.done()
    checks.limits.speaks.set()
    assert (await placing).status == pb.ORDER_STATUS_FILLED


@pytest.fixture
async def decided(
    checks: Checks, monkeypatch: pytest.MonkeyPatch, *, is_known: bool
) -> "tuple[str, asyncio.Task[pb.Order]]":
    """A portfolio, and an order there for which the ledger has done all that it does before risk has spoken."""
    monkeypatch.setattr(placer, "_LOCKED_SECONDS", 60.0)
    portfolio = await checks.user.create()
    await checks.user.deposit(portfolio.id)
    placing = await asking(checks, checks.trader(), portfolio.id, is_known=is_known)
    await asyncio.sleep(0.1)
    return portfolio.id, placing


async def test_a_halt_that_comes_while_risk_thinks_holds(
    checks: Checks, decided: "tuple[str, asyncio.Task[pb.Order]]"
) -> None:
    _, placing = decided
    await checks.halt()
    checks.limits.speaks.set()
    assert (await placing).status == pb.ORDER_STATUS_REJECTED


async def test_a_denial_undoes_what_was_decided_meanwhile_and_is_told_at_once(
    checks: Checks, decided: "tuple[str, asyncio.Task[pb.Order]]"
) -> None:
    portfolio_id, placing = decided
    before = await checks.user.events(portfolio_id)
    seen = count(checks.service)
    checks.limits.without = DENIED
    checks.limits.speaks.set()
    with pytest.raises(LimitExceeded):
        await placing
    assert seen == []
    assert await checks.user.events(portfolio_id) == before


async def test_a_denial_that_comes_late_writes_nothing_either(checks: Checks) -> None:
    portfolio = await checks.user.create()
    await checks.user.deposit(portfolio.id)
    before = await checks.user.events(portfolio.id)
    checks.limits.without, checks.limits.delay = DENIED, 0.1
    with pytest.raises(LimitExceeded):
        await checks.trader().order(portfolio.id, "10")
    assert await checks.user.events(portfolio.id) == before


async def test_what_others_refuse_is_told_before_what_the_account_lacks(checks: Checks) -> None:
    portfolio = await checks.user.create()
    trader = checks.trader()
    checks.limits.without = DENIED
    with pytest.raises(LimitExceeded):
        await trader.order(portfolio.id, "10")
    checks.limits.without = ALLOWED
    with pytest.raises(InsufficientCash):
        await trader.order(portfolio.id, "10")
