"""What is asked before a trade, over real channels, and what its answers or its silence do to orders."""

import asyncio
import json
import time
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal

import pytest

from quantmesh.api.auth.v1 import compliance_pb2
from quantmesh.api.common.v1 import common_pb2
from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb
from quantmesh.api.risk.v1 import limits_pb2
from quantmesh.chassis.errors import Unavailable
from quantmesh.chassis.rpc import Peer, open_channel
from quantmesh.portfolio.core.pre_trade import FigureChange, PreTradeAnswer
from quantmesh.portfolio.core.pre_trade_errors import KycRefused, LimitExceeded, PreTradeUnavailable

from .order_desk import Desk, sized
from .pre_trade_peers import ALLOWED, DENIED, Checks, trade


async def test_without_limits_the_account_is_neither_read_nor_sent(checks: Checks) -> None:
    portfolio = await checks.user.create()
    checks.service.market.available = False
    answer = await checks.check(trade(portfolio.id))
    assert answer == PreTradeAnswer(None, [])
    (asked,) = checks.limits.asked
    assert (asked.portfolio_id, asked.HasField("account")) == (portfolio.id, False)
    assert (asked.orders[0].quantity.value, asked.orders[0].rests) == ("10", False)


async def test_with_limits_risk_gets_the_account_as_it_stands(checks: Checks) -> None:
    portfolio = await checks.user.create()
    await checks.user.deposit(portfolio.id)
    await checks.user.buy(portfolio.id, "10", "100")
    checks.limits.without = limits_pb2.CheckOrderResponse(account_needed=True)
    assert (await checks.check(trade(portfolio.id, symbol="MSFT"))).denial is None
    account = checks.limits.asked[-1].account
    assert (account.portfolio_id, account.base_currency, account.cash.value) == (portfolio.id, "USD", "99000.00")
    assert [(each.symbol, each.quantity.value, each.price.value) for each in account.instruments] == [
        ("AAPL", "10", "130.00"),
        ("MSFT", "0", "240.00"),
    ]
    assert account.seq == 2


async def test_a_denial_names_its_rule_its_numbers_and_the_order_that_passes(checks: Checks) -> None:
    portfolio = await checks.user.create()
    checks.limits.without = DENIED
    answer = await checks.check(trade(portfolio.id))
    denial = answer.denial
    assert isinstance(denial, LimitExceeded)
    assert "the gross_exposure would be 1950, the limit is 1000" in denial.detail
    assert denial.metadata["rule"] == "gross_exposure"
    assert json.loads(denial.metadata["denials"]) == [
        {"rule": "gross_exposure", "symbol": None, "value": "450", "limit": "1000", "after": "1950", "reason": None}
    ]
    assert json.loads(denial.metadata["suggestion"]) == {
        "portfolio_id": portfolio.id,
        "symbol": "AAPL",
        "side": "buy",
        "type": "market",
        "quantity": "4",
        "time_in_force": "day",
        "client_order_id": "mine-1",
    }
    (change,) = answer.changes
    numbers = Decimal(450), Decimal(1950), Decimal(1000)
    assert change == FigureChange("gross_exposure", *numbers, unit="USD")


async def test_where_no_quantity_passes_none_is_suggested_and_several_are_suggested_together(checks: Checks) -> None:
    portfolio = await checks.user.create()
    checks.limits.without = limits_pb2.CheckOrderResponse(changes=DENIED.changes)
    alone = (await checks.check(trade(portfolio.id))).denial
    assert alone is not None
    assert "suggestion" not in alone.metadata
    checks.limits.without = limits_pb2.CheckOrderResponse(
        changes=DENIED.changes, passing_quantities=[common_pb2.Decimal(value="4"), common_pb2.Decimal(value="0.00")]
    )
    basket = [replace(each, in_basket=True) for each in (trade(portfolio.id), trade(portfolio.id, "1", "MSFT"))]
    both = (await checks.check(*basket)).denial
    assert both is not None
    order = {"symbol": "AAPL", "side": "buy", "quantity": "4"}
    assert json.loads(both.metadata["suggestion"]) == {"orders": [order]}


@pytest.mark.parametrize(
    ("status", "trades", "trades_if_required"),
    [
        ("UNVERIFIED", True, False),
        ("PENDING", True, False),
        ("APPROVED", True, True),
        ("REJECTED", False, False),
        ("SUSPENDED", False, False),
    ],
)
async def test_who_may_trade_is_the_settings_say(
    checks: Checks, status: str, *, trades: bool, trades_if_required: bool
) -> None:
    portfolio = await checks.user.create()
    checks.compliance.status = compliance_pb2.KycStatus.Value(f"KYC_STATUS_{status}")
    for required, passes in ((False, trades), (True, trades_if_required)):
        denial = (await checks.check(trade(portfolio.id), kyc_required=required)).denial
        assert (denial is None) is passes
        if denial is not None:
            assert isinstance(denial, KycRefused)
            assert status.lower() in denial.detail
            assert denial.metadata["rule"] == "kyc"


async def test_a_status_is_remembered_for_five_seconds_of_its_own_user(
    checks: Checks, monkeypatch: pytest.MonkeyPatch
) -> None:
    portfolio = await checks.user.create()
    pre_trade = checks.pre_trade()
    checks.user.call()
    for _ in range(3):
        assert (await pre_trade.check(trade(portfolio.id))).denial is None
    assert checks.compliance.asked == 1
    checks.compliance.status = compliance_pb2.KYC_STATUS_SUSPENDED
    other = checks.service.user()
    other.call()
    assert isinstance((await pre_trade.check(trade(portfolio.id))).denial, KycRefused)
    checks.user.call()
    assert (await pre_trade.check(trade(portfolio.id))).denial is None
    began = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: began + 5.1)
    assert isinstance((await pre_trade.check(trade(portfolio.id))).denial, KycRefused)


@pytest.mark.parametrize("silent", ["compliance", "limits"])
async def test_a_silent_peer_means_no_order_and_soon(checks: Checks, silent: str) -> None:
    portfolio = await checks.user.create()
    getattr(checks, silent).delay = 60.0
    with pytest.raises(PreTradeUnavailable) as refused:
        async with asyncio.timeout(20):
            await checks.check(trade(portfolio.id), seconds=0.3)
    assert refused.value.retry_after_seconds


async def test_a_peer_that_is_away_means_no_order(checks: Checks) -> None:
    portfolio = await checks.user.create()
    await checks.peers[1].close()
    peers = (checks.peers[0], Peer("risk", open_channel("127.0.0.1:1", []), timeout_seconds=0.5))
    checks.peers = peers
    with pytest.raises(Unavailable):
        await checks.check(trade(portfolio.id))
    await peers[1].close()


async def test_a_silent_market_means_no_order_where_there_are_limits(checks: Checks) -> None:
    portfolio = await checks.user.create()
    checks.limits.without = limits_pb2.CheckOrderResponse(account_needed=True)
    checks.service.market.available = False
    with pytest.raises(Unavailable):
        await checks.check(trade(portfolio.id))


async def test_an_order_that_is_denied_or_not_checked_in_time_writes_nothing(checks: Checks) -> None:
    portfolio = await checks.user.create()
    await checks.user.deposit(portfolio.id)
    trader, hurried = checks.trader(), checks.trader(seconds=0.3)
    assert (await trader.order(portfolio.id, "1")).status == pb.ORDER_STATUS_FILLED
    with suppress(PreTradeUnavailable):
        # Unless the machine stalls, what is known of the account is known here too.
        await hurried.order(portfolio.id, "1")
    before = await checks.user.events(portfolio.id)
    checks.limits.without = DENIED
    with pytest.raises(LimitExceeded):
        await trader.order(portfolio.id, "10")
    checks.limits.without, checks.limits.delay = ALLOWED, 60.0
    with pytest.raises(PreTradeUnavailable):
        await hurried.order(portfolio.id, "10", key="once")
    assert await checks.user.events(portfolio.id) == before
    checks.limits.delay = 0.0
    placed = await trader.order(portfolio.id, "10", key="once")
    checks.limits.delay = 60.0
    # The repetition of an answered order asks nobody.
    assert await trader.order(portfolio.id, "10", key="once") == placed


async def test_an_order_that_is_replaced_is_not_counted_beside_its_replacement(checks: Checks) -> None:
    portfolio = await checks.user.create()
    await checks.user.deposit(portfolio.id)
    trader = checks.trader()
    resting = await trader.order(portfolio.id, "10", limit="100", tif="gtc")
    assert resting.status == pb.ORDER_STATUS_ACCEPTED
    checks.limits.without = limits_pb2.CheckOrderResponse(account_needed=True)
    checks.limits.answer = DENIED

    with pytest.raises(LimitExceeded) as refused:
        await trader.replace(resting, quantity="12")
    asked = checks.limits.asked[-1]
    assert not asked.account.open_orders
    (order,) = asked.orders
    assert (Decimal(order.quantity.value), Decimal(order.price.value)) == (Decimal(12), Decimal(100))
    assert order.rests
    assert json.loads(refused.value.metadata["suggestion"]) == {"quantity": "4", "limit_price": "100"}
    # Less of the same is less risk: nobody is asked.
    count = len(checks.limits.asked)
    assert (await trader.replace(resting, quantity="8")).quantity.value == "8"
    assert len(checks.limits.asked) == count


async def test_an_open_order_is_told_to_risk_with_what_is_left_of_it(checks: Checks) -> None:
    portfolio = await checks.user.create()
    await checks.user.deposit(portfolio.id)
    await checks.trader().order(portfolio.id, "10", limit="100", tif="gtc")
    checks.limits.without = limits_pb2.CheckOrderResponse(account_needed=True)
    await checks.check(trade(portfolio.id, "1"))
    (waiting,) = checks.limits.asked[-1].account.open_orders
    assert (waiting.symbol, waiting.side, Decimal(waiting.quantity.value)) == ("AAPL", pb.ORDER_SIDE_BUY, Decimal(10))


async def test_a_stop_that_was_triggered_is_checked_at_the_market_and_keeps_its_stop_price(checks: Checks) -> None:
    user = checks.user
    portfolio = await user.create()
    await user.deposit(portfolio.id, "100000.00")
    trader = checks.trader()
    stop = await trader.order(portfolio.id, "10", stop="131", tif="gtc")
    await Desk(checks.service, user).trigger(stop.id, sized("132", None))
    checks.limits.without = limits_pb2.CheckOrderResponse(account_needed=True)
    checks.limits.answer = DENIED
    triggered = await user.shown(stop.id)
    with pytest.raises(LimitExceeded) as refused:
        await trader.replace(triggered, quantity="100")
    assert not checks.limits.asked[-1].orders[0].HasField("price")
    suggestion = json.loads(refused.value.metadata["suggestion"])
    assert suggestion == {"quantity": "4"}
    assert (await trader.replace(triggered, **suggestion)).quantity.value == "4"


async def test_quantities_are_told_without_trailing_zeros(checks: Checks) -> None:
    portfolio = await checks.user.create()
    await checks.user.deposit(portfolio.id)
    await checks.user.buy(portfolio.id, "10", "100")
    await checks.user.buy(portfolio.id, "1", "100", at="2020-01-02")
    await checks.trader().order(portfolio.id, "3", limit="100", tif="gtc")
    checks.limits.without = limits_pb2.CheckOrderResponse(account_needed=True)
    await checks.check(trade(portfolio.id, "1"))
    account = checks.limits.asked[-1].account
    assert [each.quantity.value for each in account.instruments] == ["11"]
    assert [each.quantity.value for each in account.open_orders] == ["3"]
