"""Orders replaced and cancelled, what denies them, and what a preview and a list show of them."""

import json
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb
from quantmesh.chassis.errors import InvalidInput, Unavailable
from quantmesh.chassis.sql import text
from quantmesh.portfolio.core.errors import InsufficientCash, InsufficientHolding
from quantmesh.portfolio.core.ledger_errors import MarginInUse
from quantmesh.portfolio.core.order_errors import IllegalTransition, OrderChanged

from .fakes import NO_CONTEXT, SESSION_CLOSE, Service, User
from .known_accounts import admin
from .messages import order_request
from .order_desk import STATUS, Desk, events_of, sized


async def test_a_replacement_moves_the_reservation_and_its_version(account: tuple[User, str, Desk]) -> None:
    user, portfolio_id, desk = account
    order = await user.order(portfolio_id, "10", limit="120", tif="gtc")
    smaller = await user.replace(order, quantity="5")
    assert (smaller.version, smaller.quantity.value, smaller.reserved.amount.value) == (2, "5", "600.06")
    with pytest.raises(OrderChanged, match="at version 2, not 1"):
        await user.replace(order, quantity="6")
    reached = await user.replace(smaller, limit_price="131")
    assert (STATUS[reached.status], reached.average_fill_price.value, reached.version) == ("filled", "130.05", 4)
    assert (await desk.balance(portfolio_id)).reserved == 0
    with pytest.raises(IllegalTransition):
        await user.replace(reached, quantity="7")
    assert await events_of(user, portfolio_id) == [
        "order.accepted",
        "order.replaced",
        "order.replaced",
        "order.filled",
        "transaction.recorded",
    ]


async def test_a_day_order_is_not_brought_back_after_its_session(
    service: Service, account: tuple[User, str, Desk]
) -> None:
    user, portfolio_id, desk = account
    order = await user.order(portfolio_id, "10", limit="120")
    service.market.live["AAPL"] = replace(sized("130", None), time=SESSION_CLOSE)
    with pytest.raises(IllegalTransition, match="that is expired cannot be replaced"):
        await user.replace(order, limit_price="131")
    assert await desk.expire(order.id) is not None


async def test_without_a_quote_a_market_order_cannot_be_priced_anew(
    service: Service, account: tuple[User, str, Desk]
) -> None:
    user, portfolio_id, _ = account
    service.market.live["AAPL"] = sized("130", "4")
    order = await user.order(portfolio_id, "10", tif="gtc")
    assert STATUS[order.status] == "partially_filled"
    del service.market.live["AAPL"]
    with pytest.raises(Unavailable, match="no quote for AAPL"):
        await user.replace(order, quantity="20")


async def priority(service: Service) -> datetime:
    async with service.database.system_transaction() as session:
        found: datetime = await session.scalar(text("SELECT priority_at FROM placed_order"))
    return found


async def test_only_less_of_the_same_keeps_its_place(service: Service, account: tuple[User, str, Desk]) -> None:
    user, portfolio_id, desk = account
    order = await user.order(portfolio_id, "10", limit="120", tif="gtc")
    places = [await priority(service)]
    for change in ({"quantity": "9"}, {"limit_price": "119"}, {"quantity": "12"}):
        order = await user.replace(order, **change)
        places.append(await priority(service))
    accepted, with_less, repriced, with_more = places
    assert accepted == with_less < repriced < with_more
    assert (await desk.balance(portfolio_id)).reserved == await desk.reserved_by_orders(portfolio_id, "buy")


async def test_a_replacement_that_the_account_lacks_leaves_the_order(account: tuple[User, str, Desk]) -> None:
    user, portfolio_id, desk = account
    order = await user.order(portfolio_id, "10", side="sell", limit="140", tif="gtc")
    with pytest.raises(InsufficientHolding) as denied:
        await user.replace(order, quantity="101")
    assert json.loads(denied.value.metadata["suggestion"]) == {"quantity": "100", "limit_price": "140"}
    assert await user.shown(order.id) == order
    assert (await desk.balance(portfolio_id, "AAPL")).reserved == 10


async def test_a_cancelled_order_gives_back_what_it_kept(account: tuple[User, str, Desk]) -> None:
    user, portfolio_id, desk = account
    order = await user.order(portfolio_id, "10", limit="120", tif="gtc")
    await desk.fill(order.id, "4", sized("119", None, minutes=1))
    with pytest.raises(OrderChanged):
        await user.cancel(order.id, expected_version=1)
    cancelled = await user.cancel(order.id, expected_version=2)
    assert (STATUS[cancelled.status], cancelled.filled_quantity.value, len(cancelled.fills)) == ("cancelled", "4", 1)
    assert (await desk.balance(portfolio_id)).reserved == 0
    assert await desk.fill(order.id, "6", sized("119", None, minutes=2)) is None
    with pytest.raises(IllegalTransition):
        await user.cancel(order.id)


async def test_all_that_spends_sees_what_is_left(account: tuple[User, str, Desk]) -> None:
    user, portfolio_id, _ = account
    await user.order(portfolio_id, "800", limit="120", tif="gtc")
    await user.order(portfolio_id, "90", side="sell", limit="140", tif="gtc")
    today = "2022-12-20"
    spending = {"currency": "USD", "at": today}
    with pytest.raises(InsufficientCash, match=r"beside 96009\.60 that open orders reserve"):
        await user.record(portfolio_id, type="withdrawal", amount="5000.00", **spending)
    with pytest.raises(InsufficientCash):
        await user.record(portfolio_id, type="fee", amount="4000.00", **spending)
    with pytest.raises(InsufficientCash):
        await user.record(portfolio_id, type="buy", symbol="AAPL", quantity="40", price="100", **spending)
    with pytest.raises(InsufficientHolding):
        await user.record(portfolio_id, type="sell", symbol="AAPL", quantity="11", price="100", **spending)
    with pytest.raises(InsufficientCash):
        await user.order(portfolio_id, "40")
    report = await user.import_csv(portfolio_id, f"type,amount,executed_at\nwithdrawal,5000,{today}T15:00:00Z\n")
    assert "open orders reserve" in report.rejected[0].reason
    await user.record(portfolio_id, type="withdrawal", amount="3990.40", **spending)


async def test_a_denial_holds_the_largest_order_that_passes(account: tuple[User, str, Desk]) -> None:
    user, portfolio_id, _ = account
    with pytest.raises(InsufficientCash) as denied:
        await user.order(portfolio_id, "1000", limit="130", tif="gtc", client_order_id="mine")
    suggestion = json.loads(denied.value.metadata["suggestion"])
    assert suggestion == {
        "portfolio_id": portfolio_id,
        "client_order_id": "mine",
        "symbol": "AAPL",
        "side": "buy",
        "type": "limit",
        "quantity": "769",
        "limit_price": "130",
        "time_in_force": "gtc",
    }
    with pytest.raises(InsufficientCash):
        await user.order(portfolio_id, "770", limit="130", tif="gtc")
    passing = await user.order(portfolio_id, suggestion["quantity"], limit="130", tif="gtc", client_order_id="mine")
    assert STATUS[passing.status] == "accepted"


async def test_a_preview_tells_what_placing_does_and_writes_nothing(
    service: Service, account: tuple[User, str, Desk]
) -> None:
    user, portfolio_id, desk = account
    service.market.live["AAPL"] = sized("130", "4")
    user.call()
    asked = order_request(portfolio_id, "10", limit="131", tif="gtc")
    preview = (await service.rpc.PreviewOrder(pb.PreviewOrderRequest(order=asked), NO_CONTEXT)).preview
    assert (STATUS[preview.order.status], preview.order.filled_quantity.value) == ("partially_filled", "4")
    assert (preview.order.id, preview.estimated_price.value) == ("", "130.05")
    assert (preview.estimated_fee.amount.value, preview.reservation.amount.value) == ("0.13", "1310.13")
    assert (preview.cash_after.amount.value, preview.position_after.value) == ("98699.37", "110")
    assert not preview.HasField("denial")
    assert (await user.events(portfolio_id)).last_seq == 2
    assert (await desk.balance(portfolio_id)).reserved == 0


async def test_a_preview_shows_the_denial_and_the_rejection_that_placing_would_get(
    service: Service, account: tuple[User, str, Desk]
) -> None:
    user, portfolio_id, _ = account
    user.call()
    asked = pb.PreviewOrderRequest(order=order_request(portfolio_id, "10000", limit="130"))
    denied = (await service.rpc.PreviewOrder(asked, NO_CONTEXT)).preview
    assert denied.denial.problem == "insufficient-cash"
    assert json.loads(denied.denial.suggestion_json)["quantity"] == "769"
    service.market.open = False
    rejected = (
        await service.rpc.PreviewOrder(pb.PreviewOrderRequest(order=order_request(portfolio_id, "1")), NO_CONTEXT)
    ).preview
    assert (STATUS[rejected.order.status], rejected.order.reason) == ("rejected", "the market is closed")


async def test_orders_are_listed_by_what_is_asked(service: Service, account: tuple[User, str, Desk]) -> None:
    user, portfolio_id, _ = account
    resting = await user.order(portfolio_id, "1", limit="120", tif="gtc", client_order_id="mine")
    selling = await user.order(portfolio_id, "1", side="sell", limit="140", tif="gtc")
    other = await user.order(portfolio_id, "1", symbol="MSFT")

    async def listed(**wanted: Any) -> list[str]:
        user.call()
        answer = await service.rpc.ListOrders(pb.ListOrdersRequest(portfolio_id=portfolio_id, **wanted), NO_CONTEXT)
        return [order.id for order in answer.orders]

    assert await listed(open=True) == [selling.id, resting.id]
    assert await listed(symbol="MSFT") == [other.id]
    assert await listed(side=pb.ORDER_SIDE_SELL) == [selling.id]
    assert await listed(client_order_id="mine") == [resting.id]
    assert await listed(status=pb.ORDER_STATUS_FILLED) == [other.id]
    with pytest.raises(InvalidInput, match="not both"):
        await listed(open=True, status=pb.ORDER_STATUS_FILLED)


async def test_a_silent_market_takes_no_order(service: Service, account: tuple[User, str, Desk]) -> None:
    user, portfolio_id, _ = account
    service.market.available = False
    with pytest.raises(Unavailable):
        await user.order(portfolio_id, "1", limit="120", tif="gtc")


async def test_an_order_of_a_closed_portfolio_is_left_alone(service: Service, account: tuple[User, str, Desk]) -> None:
    user, portfolio_id, desk = account
    order = await user.order(portfolio_id, "1", limit="120", tif="gtc")
    # As was possible once.
    async with admin(service) as connection:
        await connection.execute("UPDATE portfolio SET deleted_at = now() WHERE id = %s", [portfolio_id])
    assert await desk.fill(order.id, "1", sized("110", None, minutes=1)) is None
    assert await desk.expire(order.id) is None


async def test_margin_stays_on_while_open_orders_reserve_more_than_there_is(service: Service) -> None:
    user = service.user()
    portfolio = await user.create()
    on = pb.UpdatePortfolioRequest(id=portfolio.id, margin_enabled=True)
    await service.rpc.UpdatePortfolio(on, NO_CONTEXT)
    buying = await user.order(portfolio.id, "10", limit="120", tif="gtc")
    selling = await user.order(portfolio.id, "10", side="sell", limit="140", tif="gtc")
    assert [order.reserved.amount.value for order in (buying, selling)] == ["1200.12", "10"]
    off = pb.UpdatePortfolioRequest(id=portfolio.id, margin_enabled=False)
    with pytest.raises(MarginInUse):
        await service.rpc.UpdatePortfolio(off, NO_CONTEXT)
    for order in (buying, selling):
        await user.cancel(order.id)
    assert not (await service.rpc.UpdatePortfolio(off, NO_CONTEXT)).portfolio.margin_enabled


async def test_of_a_triggered_stop_the_suggested_replacement_passes(service: Service) -> None:
    user = service.user()
    portfolio = await user.create()
    await user.deposit(portfolio.id, "100000.00")
    stop = await user.order(portfolio.id, "1", stop="131", tif="gtc")
    await Desk(service, user).trigger(stop.id, sized("132", None))
    triggered = await user.shown(stop.id)
    with pytest.raises(InsufficientCash) as refused:
        await user.replace(triggered, quantity="100000")
    suggestion = json.loads(refused.value.metadata["suggestion"])
    assert suggestion.keys() == {"quantity"}
    assert (await user.replace(triggered, **suggestion)).quantity.value == suggestion["quantity"]
