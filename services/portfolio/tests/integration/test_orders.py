"""Market orders: filled on the live quote, rejected with a reason, refused for what the account lacks."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from quantmesh.api.portfolio.v1 import events_pb2
from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb
from quantmesh.chassis.errors import InvalidInput, NotFound, Unavailable
from quantmesh.chassis.sql import text
from quantmesh.portfolio.core.errors import InsufficientCash, InsufficientHolding, UnknownSymbol
from quantmesh.portfolio.core.order_errors import IllegalTransition, NotTradable, OrderIdTaken

from .fakes import NO_CONTEXT, NOW, Service, quote


async def test_an_order_fills_at_the_ask_with_its_postings_and_events(service: Service) -> None:
    user = service.user()
    portfolio = await user.create()
    await user.deposit(portfolio.id)
    order = await user.order(portfolio.id, "10")
    assert order.status == pb.ORDER_STATUS_FILLED
    assert (order.average_fill_price.value, order.fee.value, order.filled_quantity.value) == ("130.05", "0.13", "10")
    assert order.executed_at.ToDatetime() == NOW.replace(tzinfo=None)
    positions = await user.positions(portfolio.id)
    assert positions.cash[0].amount.value == "98699.37"
    log = await user.events(portfolio.id)
    assert [event.type for event in log.events] == [
        "transaction.recorded",
        "order.accepted",
        "order.filled",
        "transaction.recorded",
    ]
    filled, recorded = (json.loads(event.data_json) for event in log.events[2:])
    assert filled["status"] == "filled"
    assert filled["average_fill_price"] == "130.05"
    assert filled["transaction_id"] == recorded["id"] == order.transaction_id
    assert recorded["order_id"] == order.id
    assert recorded["executed_at"] == "2022-12-20T18:00:00Z"


async def test_each_event_of_the_log_is_told_once_with_its_number(service: Service) -> None:
    user = service.user()
    portfolio = await user.create()
    await user.deposit(portfolio.id)
    await user.order(portfolio.id, "1")
    service.market.open = False
    await user.order(portfolio.id, "1")
    async with service.database.system_transaction() as session:
        found = await session.execute(
            text("SELECT subject, aggregate_id, aggregate_version, payload FROM outbox ORDER BY aggregate_version")
        )
        told = found.all()
    log = await user.events(portfolio.id)
    assert [row.aggregate_version for row in told] == [event.seq for event in log.events] == [1, 2, 3, 4, 5]
    assert {row.aggregate_id for row in told} == {portfolio.id}
    messages: dict[str, Any] = {
        "portfolio.transaction.recorded": events_pb2.TransactionRecorded,
        "portfolio.order.accepted": events_pb2.OrderAccepted,
        "portfolio.order.filled": events_pb2.OrderFilled,
        "portfolio.order.rejected": events_pb2.OrderRejected,
    }
    for row, event in zip(told, log.events, strict=True):
        assert row.subject == f"portfolio.{event.type}"
        assert messages[row.subject].FromString(bytes(row.payload)).event == event


async def test_a_sale_fills_at_the_bid(service: Service) -> None:
    user = service.user()
    portfolio = await user.create()
    await user.deposit(portfolio.id)
    await user.buy(portfolio.id, "10", "100")
    order = await user.order(portfolio.id, "10", side="sell")
    assert order.average_fill_price.value == "129.95"


@pytest.mark.parametrize("trouble", ["closed", "stale", "missing"])
async def test_what_the_venue_cannot_do_is_a_rejected_order_with_its_reason(service: Service, trouble: str) -> None:
    user = service.user()
    portfolio = await user.create()
    await user.deposit(portfolio.id)
    market = service.market
    if trouble == "closed":
        market.open = False
    elif trouble == "stale":
        market.live["AAPL"] = quote("AAPL", "130", stale=True)
    else:
        del market.live["AAPL"]
    order = await user.order(portfolio.id, "1")
    assert order.status == pb.ORDER_STATUS_REJECTED
    assert order.reason
    log = await user.events(portfolio.id, after=1)
    assert [event.type for event in log.events] == ["order.rejected"]
    assert len(await user.ledger(portfolio.id)) == 1


async def test_what_the_account_lacks_is_refused_and_leaves_nothing(service: Service) -> None:
    user = service.user()
    portfolio = await user.create()
    await user.deposit(portfolio.id, "100.00")
    with pytest.raises(InsufficientCash, match=r"30\.06 USD too much") as refused:
        await user.order(portfolio.id, "1")
    assert [violation.field for violation in refused.value.violations] == ["quantity"]
    with pytest.raises(InsufficientHolding):
        await user.order(portfolio.id, "1", side="sell")
    assert (await user.events(portfolio.id)).last_seq == 1


async def test_unknown_untradable_and_silent_are_told_apart(service: Service) -> None:
    user = service.user()
    portfolio = await user.create()
    with pytest.raises(UnknownSymbol):
        await user.order(portfolio.id, "1", symbol="NOPE")
    service.market.known["IBM"] = replace(service.market.known["IBM"], tradable=False)
    with pytest.raises(NotTradable):
        await user.order(portfolio.id, "1", symbol="IBM")
    service.market.available = False
    with pytest.raises(Unavailable):
        await user.order(portfolio.id, "1")


async def test_a_client_order_id_is_used_once_for_ever(service: Service) -> None:
    user = service.user()
    portfolio, other = await user.create(), await user.create()
    for account in (portfolio, other):
        await user.deposit(account.id)
        await user.order(account.id, "1", client_order_id="mine")
    with pytest.raises(OrderIdTaken, match="'mine' names another order"):
        await user.order(portfolio.id, "2", client_order_id="mine")
    assert (await user.events(portfolio.id)).last_seq == 4


async def test_the_same_key_places_one_order(service: Service) -> None:
    user = service.user()
    portfolio = await user.create()
    await user.deposit(portfolio.id)
    first = await user.order(portfolio.id, "1", key="k")
    service.market.live["AAPL"] = quote("AAPL", "500")
    assert await user.order(portfolio.id, "1", key="k") == first


async def test_eight_orders_at_once_cannot_overspend(service: Service) -> None:
    user = service.user()
    portfolio = await user.create()
    await user.deposit(portfolio.id, "400.00")
    outcomes = await asyncio.gather(*(user.order(portfolio.id, "1") for _ in range(8)), return_exceptions=True)
    assert sum(isinstance(outcome, pb.Order) for outcome in outcomes) == 3
    assert sum(isinstance(outcome, InsufficientCash) for outcome in outcomes) == 5


async def test_a_filled_order_cannot_be_cancelled(service: Service) -> None:
    user = service.user()
    portfolio = await user.create()
    await user.deposit(portfolio.id)
    order = await user.order(portfolio.id, "1")
    with pytest.raises(IllegalTransition, match="that is filled cannot be cancelled"):
        await service.rpc.CancelOrder(pb.CancelOrderRequest(id=order.id), NO_CONTEXT)
    with pytest.raises(NotFound):
        await service.rpc.CancelOrder(pb.CancelOrderRequest(id="nonsense"), NO_CONTEXT)


async def test_orders_are_listed_newest_first_by_page_and_status(service: Service) -> None:
    user = service.user()
    portfolio = await user.create()
    await user.deposit(portfolio.id)
    placed = [(await user.order(portfolio.id, "1")).id for _ in range(3)]
    service.market.open = False
    rejected = (await user.order(portfolio.id, "1")).id
    request = pb.ListOrdersRequest(portfolio_id=portfolio.id, status=pb.ORDER_STATUS_FILLED)
    request.page.limit = 2
    first = await service.rpc.ListOrders(request, NO_CONTEXT)
    request.page.cursor = first.page.next_cursor
    second = await service.rpc.ListOrders(request, NO_CONTEXT)
    assert [order.id for order in (*first.orders, *second.orders)] == placed[::-1]
    assert second.page.next_cursor == ""
    every = await service.rpc.ListOrders(pb.ListOrdersRequest(), NO_CONTEXT)
    assert [order.id for order in every.orders] == [rejected, *placed[::-1]]
    assert (await service.rpc.GetOrder(pb.GetOrderRequest(id=rejected), NO_CONTEXT)).order == every.orders[0]


async def test_an_order_says_what_is_missing(service: Service) -> None:
    user = service.user()
    portfolio = await user.create()
    user.call("key")
    with pytest.raises(InvalidInput, match="side must be one of buy, sell"):
        await service.rpc.PlaceOrder(pb.PlaceOrderRequest(portfolio_id=portfolio.id, symbol="AAPL"), NO_CONTEXT)
