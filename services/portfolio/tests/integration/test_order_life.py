"""Orders that wait: accepted, reserved, filled in parts, triggered, replaced, cancelled, expired."""

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from quantmesh.api.portfolio.v1 import events_pb2
from quantmesh.chassis.sql import text
from quantmesh.portfolio.core.order_errors import InvalidOrder

from .fakes import SESSION_CLOSE, Service, User
from .order_desk import STATUS, Desk, events_of, sized


async def test_a_limit_order_rests_and_keeps_its_cash(account: tuple[User, str, Desk]) -> None:
    user, portfolio_id, desk = account
    order = await user.order(portfolio_id, "10", limit="120", tif="gtc")
    assert (STATUS[order.status], order.version, order.filled_quantity.value) == ("accepted", 1, "0")
    # 10 x 120 and one basis point of it.
    assert (order.reserved.commodity, order.reserved.amount.value) == ("USD", "1200.12")
    assert not order.HasField("expires_at")
    balance = await desk.balance(portfolio_id)
    assert (balance.amount, balance.reserved) == (Decimal(100_000), Decimal("1200.12"))
    assert await events_of(user, portfolio_id) == ["order.accepted"]
    # What it can reach is filled at the ask at once, and all that it kept is free again.
    filled = await user.order(portfolio_id, "10", limit="131", tif="gtc")
    assert (STATUS[filled.status], filled.average_fill_price.value) == ("filled", "130.05")
    assert (await desk.balance(portfolio_id)).reserved == Decimal("1200.12")


async def test_a_day_order_expires_with_its_session(account: tuple[User, str, Desk]) -> None:
    user, portfolio_id, desk = account
    order = await user.order(portfolio_id, "10", limit="120")
    assert order.expires_at.ToDatetime() == SESSION_CLOSE.replace(tzinfo=None)
    assert await desk.expire(order.id, SESSION_CLOSE.replace(minute=0, hour=20)) is None
    expired = await desk.expire(order.id)
    assert expired is not None
    assert expired.status == "expired"
    assert await desk.expire(order.id) is None
    assert (await desk.balance(portfolio_id)).reserved == 0
    assert await events_of(user, portfolio_id) == ["order.accepted", "order.expired"]


async def test_a_quote_after_the_close_does_not_fill_a_day_order(account: tuple[User, str, Desk]) -> None:
    user, portfolio_id, desk = account
    order = await user.order(portfolio_id, "10", limit="120")
    assert await desk.fill(order.id, "10", replace(sized("110", None), time=SESSION_CLOSE)) is None


async def test_parts_are_fills_of_one_order(service: Service, account: tuple[User, str, Desk]) -> None:
    user, portfolio_id, desk = account
    order = await user.order(portfolio_id, "10", limit="120", tif="gtc")
    partly = await desk.fill(order.id, "4", sized("119.95", None, minutes=1))
    assert partly is not None
    assert partly.status == "partially_filled"
    assert (partly.filled_quantity, partly.reserved) == (Decimal(4), Decimal("720.07"))
    filled = await desk.fill(order.id, "10", sized("119.45", None, minutes=2))
    assert filled is not None
    assert filled.status == "filled"
    assert filled.reserved == 0
    shown = await user.shown(order.id)
    # (4 x 120 + 6 x 119.50) / 10, and one basis point of 1,197.00 in all.
    assert (shown.average_fill_price.value, shown.fee.value, shown.version) == ("119.7", "0.12", 3)
    assert [(fill.quantity.value, fill.price.value, fill.fee.value) for fill in shown.fills] == [
        ("4", "120", "0.05"),
        ("6", "119.5", "0.07"),
    ]
    assert shown.transaction_id == shown.fills[-1].transaction_id
    balance = await desk.balance(portfolio_id)
    assert (balance.amount, balance.reserved) == (Decimal("98802.88"), Decimal(0))
    log = (await user.events(portfolio_id, after=3)).events
    assert [event.type for event in log] == [
        "order.partially_filled",
        "transaction.recorded",
        "order.filled",
        "transaction.recorded",
    ]
    told = json.loads(log[0].data_json)
    assert told["fill"]["transaction_id"] == json.loads(log[1].data_json)["id"] == shown.fills[0].transaction_id
    # A late repetition of a proposal changes nothing.
    assert await desk.fill(order.id, "4", sized("119.95", None, minutes=3)) is None


async def test_each_step_is_told_in_its_own_message(service: Service, account: tuple[User, str, Desk]) -> None:
    user, portfolio_id, desk = account
    order = await user.order(portfolio_id, "10", stop="131", limit="120", tif="gtc")
    await desk.trigger(order.id, sized("131", None, minutes=1))
    replaced = await user.replace(await user.shown(order.id), limit_price="121")
    await desk.fill(order.id, "4", sized("120", None, minutes=2))
    await user.cancel(replaced.id)
    async with service.database.system_transaction() as session:
        told = await session.execute(
            text("SELECT subject, payload FROM outbox WHERE subject LIKE 'portfolio.order.%' ORDER BY position")
        )
        rows = told.all()
    messages: dict[str, Any] = {
        "portfolio.order.accepted": events_pb2.OrderAccepted,
        "portfolio.order.triggered": events_pb2.OrderTriggered,
        "portfolio.order.replaced": events_pb2.OrderReplaced,
        "portfolio.order.partially_filled": events_pb2.OrderPartiallyFilled,
        "portfolio.order.cancelled": events_pb2.OrderCancelled,
    }
    assert [row.subject for row in rows] == list(messages)
    for row in rows:
        message = messages[row.subject].FromString(bytes(row.payload))
        assert f"portfolio.{message.event.type}" == row.subject
        assert message.order.id == order.id
    assert events_pb2.OrderPartiallyFilled.FromString(bytes(rows[3].payload)).fill.quantity.value == "4"


async def test_a_stop_waits_for_its_price_then_trades_at_the_market(account: tuple[User, str, Desk]) -> None:
    user, portfolio_id, desk = account
    order = await user.order(portfolio_id, "50", side="sell", stop="125", tif="gtc")
    assert (STATUS[order.status], order.reserved.commodity, order.reserved.amount.value) == ("accepted", "AAPL", "50")
    assert await desk.trigger(order.id, sized("125.01", None, minutes=1)) is None
    assert await desk.fill(order.id, "50", sized("124", None, minutes=2)) is None
    triggered = await desk.trigger(order.id, sized("125", None, minutes=3))
    assert triggered is not None
    assert (triggered.status, triggered.triggered_at, triggered.version) == (
        "accepted",
        sized("1", None, minutes=3).time,
        2,
    )
    assert await desk.trigger(order.id, sized("124", None, minutes=4)) is None
    filled = await desk.fill(order.id, "50", sized("123", None, minutes=5))
    assert filled is not None
    assert filled.average_fill_price == Decimal("122.95")
    assert (await desk.balance(portfolio_id, "AAPL")).amount == 50


async def test_a_stop_that_is_reached_already_trades_at_once(account: tuple[User, str, Desk]) -> None:
    user, portfolio_id, _ = account
    order = await user.order(portfolio_id, "10", side="sell", stop="130", tif="gtc")
    assert (STATUS[order.status], order.average_fill_price.value) == ("filled", "129.95")
    assert await events_of(user, portfolio_id) == [
        "order.accepted",
        "order.triggered",
        "order.filled",
        "transaction.recorded",
    ]


async def test_a_stop_that_gaps_buys_what_the_account_can_pay(account: tuple[User, str, Desk]) -> None:
    user, portfolio_id, desk = account
    # Reserves 600 x 160 = 96,000 and the fee; at 200 what is there pays for 499 of them.
    order = await user.order(portfolio_id, "600", stop="160", tif="gtc")
    await desk.trigger(order.id, sized("200", None, minutes=1))
    cut = await desk.fill(order.id, "600", sized("200", None, minutes=1))
    assert cut is not None
    assert cut.status == "cancelled"
    assert cut.filled_quantity == 499
    assert "cannot pay for more than 499 of 600 at 200.05" in cut.reason
    balance = await desk.balance(portfolio_id)
    assert balance.reserved == 0
    assert 0 <= balance.amount < Decimal("200.05")


@pytest.mark.parametrize(
    ("tif", "size", "status", "filled"),
    [
        ("ioc", "4", "cancelled", "4"),
        ("fok", "4", "cancelled", "0"),
        ("ioc", "10", "filled", "10"),
        ("fok", "10", "filled", "10"),
        ("day", "4", "partially_filled", "4"),
        ("gtc", "4", "partially_filled", "4"),
    ],
)
async def test_time_in_force_decides_what_becomes_of_the_rest(
    service: Service, account: tuple[User, str, Desk], tif: str, size: str, status: str, filled: str
) -> None:
    user, portfolio_id, desk = account
    service.market.live["AAPL"] = sized("130", size)
    order = await user.order(portfolio_id, "10", limit="131", tif=tif)
    assert (STATUS[order.status], order.filled_quantity.value) == (status, filled)
    reserved = (await desk.balance(portfolio_id)).reserved
    # The open six at their limit: 786.00, and of the fee of all ten what the four have not paid.
    assert reserved == (Decimal("786.08") if status == "partially_filled" else 0)
    assert reserved == await desk.reserved_by_orders(portfolio_id, "buy")


async def test_what_is_out_of_reach_at_once_is_cancelled_with_the_reason(account: tuple[User, str, Desk]) -> None:
    user, portfolio_id, _ = account
    order = await user.order(portfolio_id, "10", limit="129", tif="ioc")
    assert (STATUS[order.status], order.reason) == ("cancelled", "nobody trades at 129 or better now")


async def test_in_a_closed_market_what_can_wait_waits(service: Service, account: tuple[User, str, Desk]) -> None:
    user, portfolio_id, _ = account
    service.market.open = False
    assert STATUS[(await user.order(portfolio_id, "1", limit="131", tif="gtc")).status] == "accepted"
    for refused in ({"limit": "131", "tif": "ioc"}, {"tif": "gtc"}):
        order = await user.order(portfolio_id, "1", **refused)
        assert (STATUS[order.status], order.reason) == ("rejected", "the market is closed")


async def test_an_order_off_the_tick_is_refused(account: tuple[User, str, Desk]) -> None:
    user, portfolio_id, _ = account
    with pytest.raises(InvalidOrder, match="is not a multiple of the tick"):
        await user.order(portfolio_id, "1", limit="130.005")
