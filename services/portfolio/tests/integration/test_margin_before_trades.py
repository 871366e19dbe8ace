"""What an account may owe is asked of risk before a trade, whatever its limits are."""

import time
from uuid import UUID

import pytest

from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb
from quantmesh.portfolio.core.pre_trade_errors import LimitExceeded

from .fakes import NO_CONTEXT
from .pre_trade_peers import DENIED, Checks, trade


async def test_an_account_that_may_owe_is_told_to_risk_whatever_its_limits_are(checks: Checks) -> None:
    user, service = checks.user, checks.service
    portfolio = await user.create()
    await user.deposit(portfolio.id, "1000.00")
    trader = checks.trader()
    assert (await trader.order(portfolio.id, "1")).status == pb.ORDER_STATUS_FILLED
    assert not checks.limits.asked[-1].HasField("account")
    on = pb.UpdatePortfolioRequest(id=portfolio.id, margin_enabled=True)
    await service.rpc.UpdatePortfolio(on, NO_CONTEXT)
    checks.limits.answer = DENIED
    trader = checks.trader()
    before = await user.events(portfolio.id)
    for order in ({"quantity": "100"}, {"quantity": "100", "limit": "100", "tif": "gtc"}):
        with pytest.raises(LimitExceeded):
            await trader.order(portfolio.id, **order)
        account = checks.limits.asked[-1].account
        assert (account.margin_enabled, account.cash.value) == (True, "869.94")
    assert await user.events(portfolio.id) == before


async def test_margin_that_is_switched_on_counts_for_orders_after_five_seconds_at_most(
    checks: Checks, monkeypatch: pytest.MonkeyPatch
) -> None:
    portfolio = await checks.user.create()
    portfolio_id = UUID(portfolio.id)
    pre_trade = checks.pre_trade()
    stranger = checks.service.user()
    stranger.call()
    await pre_trade.check(trade(portfolio.id))
    checks.user.call()
    assert not pre_trade.is_quick(portfolio_id)
    await pre_trade.check(trade(portfolio.id))
    assert pre_trade.is_quick(portfolio_id)
    on = pb.UpdatePortfolioRequest(id=portfolio.id, margin_enabled=True)
    await checks.service.rpc.UpdatePortfolio(on, NO_CONTEXT)
    began = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: began + 5.1)
    assert not pre_trade.is_quick(portfolio_id)
    await pre_trade.check(trade(portfolio.id))
    assert checks.limits.asked[-1].account.margin_enabled
    assert not pre_trade.is_quick(portfolio_id)
