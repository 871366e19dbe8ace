"""Splits while orders rest: those priced before are cancelled with it, in its transaction, and no others are."""

import asyncio
from datetime import timedelta
from decimal import Decimal

import pytest

from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb
from quantmesh.chassis.idempotency import TwinRunning
from quantmesh.chassis.sql import text
from quantmesh.portfolio.core.errors import InsufficientHolding
from quantmesh.portfolio.core.orders import Order

from .fakes import NO_CONTEXT, NOW, Service, User
from .order_desk import STATUS, Balance, Desk, events_of, sized

# Orders are placed at NOW; the split is five minutes later, and recorded five minutes after that.
AT = (NOW + timedelta(minutes=5)).isoformat()
LATER = NOW + timedelta(minutes=10)
SPLIT = {"type": "split", "symbol": "IBM", "at": AT}


@pytest.fixture
async def holder(service: Service) -> tuple[User, str, Desk]:
    """10 IBM and 99,000.00 USD, at a quote of 99.95 to 100.05."""
    service.market.live["IBM"] = sized("100", None, symbol="IBM")
    user = service.user()
    portfolio = await user.create()
    await user.deposit(portfolio.id)
    await user.buy(portfolio.id, "10", "100", symbol="IBM")
    return user, portfolio.id, Desk(service, user)


async def split(service: Service, user: User, portfolio_id: str, ratio: str, key: str = "") -> pb.Position:
    service.market.time = LATER
    return (await user.record(portfolio_id, key=key, split_ratio=ratio, **SPLIT)).position


async def test_a_split_cancels_the_orders_that_were_priced_before_it(
    service: Service, holder: tuple[User, str, Desk]
) -> None:
    user, portfolio_id, desk = holder
    # The first would be triggered by the split itself, and the second pay the old price for half as much.
    stop = await user.order(portfolio_id, "4", side="sell", symbol="IBM", stop="90", tif="gtc")
    limit = await user.order(portfolio_id, "4", symbol="IBM", limit="95", tif="gtc")
    other = await user.order(portfolio_id, "1", limit="120", tif="gtc")
    position = await split(service, user, portfolio_id, "2")
    assert position.quantity.value == "20"
    for order in (stop, limit):
        shown = await user.shown(order.id)
        assert (STATUS[shown.status], shown.version) == ("cancelled", 2)
        assert Decimal(shown.reserved.amount.value) == 0
        assert shown.reason == "IBM was split at 2022-12-20T18:05:00+00:00, 2 for 1: the order is for units of before"
    assert await user.shown(other.id) == other
    assert (await desk.balance(portfolio_id, "IBM")).free == 20
    assert (await desk.balance(portfolio_id)).reserved == await desk.reserved_by_orders(portfolio_id, "buy") > 0
    told = (await user.events(portfolio_id, after=5)).events
    assert [(event.seq, event.type) for event in told] == [
        (6, "order.cancelled"),
        (7, "order.cancelled"),
        (8, "transaction.recorded"),
    ]
    assert {event.time.ToDatetime() for event in told} == {NOW.replace(minute=5, tzinfo=None)}


async def test_a_reverse_split_leaves_no_order_that_sells_more_than_there_is(
    service: Service, holder: tuple[User, str, Desk]
) -> None:
    user, portfolio_id, desk = holder
    order = await user.order(portfolio_id, "10", side="sell", symbol="IBM", limit="110", tif="gtc")
    await desk.fill(order.id, "2", sized("120", None, minutes=1, symbol="IBM"))
    position = await split(service, user, portfolio_id, "0.5")
    assert position.quantity.value == "4"
    shown = await user.shown(order.id)
    assert (STATUS[shown.status], shown.filled_quantity.value) == ("cancelled", "2")
    assert await desk.fill(order.id, "8", sized("240", None, minutes=11, symbol="IBM")) is None
    assert await desk.balance(portfolio_id, "IBM") == Balance(Decimal(4), Decimal(0))


async def test_nor_one_that_would_go_short_on_margin(service: Service, holder: tuple[User, str, Desk]) -> None:
    user, portfolio_id, desk = holder
    user.call()
    await user.rpc.UpdatePortfolio(pb.UpdatePortfolioRequest(id=portfolio_id, margin_enabled=True), NO_CONTEXT)
    order = await user.order(portfolio_id, "10", side="sell", symbol="IBM", limit="110", tif="gtc")
    await split(service, user, portfolio_id, "0.5")
    assert STATUS[(await user.shown(order.id)).status] == "cancelled"
    assert await desk.balance(portfolio_id, "IBM") == Balance(Decimal(5), Decimal(0))


async def test_the_same_split_again_changes_nothing(service: Service, holder: tuple[User, str, Desk]) -> None:
    user, portfolio_id, _ = holder
    await user.order(portfolio_id, "4", side="sell", symbol="IBM", limit="110", tif="gtc")
    at_once = await asyncio.gather(
        *(split(service, user, portfolio_id, "2", key="split") for _ in range(4)), return_exceptions=True
    )
    again = await split(service, user, portfolio_id, "2", key="split")
    assert again.quantity.value == "20"
    assert {type(told) for told in at_once} <= {pb.Position, TwinRunning}
    assert again in at_once
    assert (await user.events(portfolio_id)).last_seq == 5


async def test_a_split_of_the_past_leaves_the_orders_that_were_priced_after_it(
    service: Service, holder: tuple[User, str, Desk]
) -> None:
    user, portfolio_id, desk = holder
    orders = [await user.order(portfolio_id, "2", side="sell", symbol="IBM", limit="110", tif="gtc") for _ in range(3)]
    service.market.live["IBM"] = sized("50", None, minutes=6, symbol="IBM")
    # Asked for anew at a price, or only less of the same.
    replaced = await user.replace(orders[1], limit_price="55")
    await user.replace(orders[2], quantity="1")
    placed = await user.order(portfolio_id, "2", side="sell", symbol="IBM", limit="56", tif="gtc")
    await split(service, user, portfolio_id, "2")
    assert [STATUS[(await user.shown(order.id)).status] for order in orders] == ["cancelled", "accepted", "cancelled"]
    assert await user.shown(replaced.id) == replaced
    assert await user.shown(placed.id) == placed
    assert (await desk.balance(portfolio_id, "IBM")).reserved == 4


async def test_a_split_that_is_refused_cancels_nothing(service: Service, holder: tuple[User, str, Desk]) -> None:
    user, portfolio_id, desk = holder
    before = await user.order(portfolio_id, "2", side="sell", symbol="IBM", limit="110", tif="gtc")
    service.market.live["IBM"] = sized("200", None, minutes=6, symbol="IBM")
    after = await user.order(portfolio_id, "8", side="sell", symbol="IBM", limit="210", tif="gtc")
    with pytest.raises(InsufficientHolding, match="8 that open orders reserve"):
        await split(service, user, portfolio_id, "0.5")
    assert await user.shown(before.id) == before
    assert (await desk.balance(portfolio_id, "IBM")).reserved == 10
    assert (await user.events(portfolio_id)).last_seq == 4
    await user.cancel(after.id)
    assert (await split(service, user, portfolio_id, "0.5")).quantity.value == "5"
    assert STATUS[(await user.shown(before.id)).status] == "cancelled"


async def test_a_split_that_is_taken_back_brings_no_order_back(
    service: Service, holder: tuple[User, str, Desk]
) -> None:
    user, portfolio_id, _ = holder
    order = await user.order(portfolio_id, "4", symbol="IBM", limit="95", tif="gtc")
    service.market.time = LATER
    made = await user.record(portfolio_id, split_ratio="2", **SPLIT)
    service.market.live["IBM"] = sized("50", None, minutes=6, symbol="IBM")
    later = await user.order(portfolio_id, "4", symbol="IBM", limit="45", tif="gtc")
    user.call("taken back")
    request = pb.ReverseTransactionRequest(portfolio_id=portfolio_id, transaction_id=made.transaction.id)
    assert (await user.rpc.ReverseTransaction(request, NO_CONTEXT)).position.quantity.value == "10"
    assert (await split(service, user, portfolio_id, "3")).quantity.value == "30"
    assert STATUS[(await user.shown(order.id)).status] == "cancelled"
    assert await user.shown(later.id) == later


async def test_an_order_of_which_nobody_knows_when_it_was_priced_is_cancelled(
    service: Service, holder: tuple[User, str, Desk]
) -> None:
    user, portfolio_id, _ = holder
    service.market.live["IBM"] = sized("50", None, minutes=6, symbol="IBM")
    order = await user.order(portfolio_id, "4", symbol="IBM", limit="45", tif="gtc")
    async with service.database.transaction(user.owner_id) as session:
        await session.execute(text("UPDATE placed_order SET priced_at = NULL, version = version + 1"))
    await split(service, user, portfolio_id, "2")
    assert STATUS[(await user.shown(order.id)).status] == "cancelled"


async def test_a_split_of_a_file_cancels_too_and_only_where_it_is_recorded(
    service: Service, holder: tuple[User, str, Desk]
) -> None:
    user, portfolio_id, desk = holder
    order = await user.order(portfolio_id, "10", side="sell", symbol="IBM", limit="110", tif="gtc")
    service.market.time = LATER
    head = "type,symbol,amount,split_ratio,executed_at\n"
    deposit = f"deposit,,5.00,,{AT}\n"
    refused = await user.import_csv(portfolio_id, f"{head}{deposit}split,IBM,,0,{AT}\nsplit,AAPL,,2,{AT}\n")
    assert (len(refused.accepted), len(refused.rejected)) == (1, 2)
    rows = f"{head}{deposit}{deposit}split,IBM,,0.5,{AT}\n"
    rehearsed = await user.import_csv(portfolio_id, rows, dry_run=True)
    assert (len(rehearsed.accepted), len(rehearsed.duplicates)) == (2, 1)
    assert await user.shown(order.id) == order
    await user.import_csv(portfolio_id, rows)
    assert STATUS[(await user.shown(order.id)).status] == "cancelled"
    assert await desk.balance(portfolio_id, "IBM") == Balance(Decimal(5), Decimal(0))
    assert await events_of(user, portfolio_id, after=4) == [
        "order.cancelled",
        "transaction.recorded",
        "transaction.recorded",
    ]


async def test_a_fill_comes_before_the_split_or_not_at_all(service: Service, holder: tuple[User, str, Desk]) -> None:
    user, portfolio_id, desk = holder
    service.market.time = LATER
    order = await user.order(portfolio_id, "10", side="sell", symbol="IBM", limit="110", tif="gtc")
    filled, recorded = await asyncio.gather(
        desk.fill(order.id, "4", sized("120", None, minutes=1, symbol="IBM")),
        user.record(portfolio_id, split_ratio="0.5", **SPLIT),
        return_exceptions=True,
    )
    assert not isinstance(recorded, BaseException)
    left = Decimal(3) if isinstance(filled, Order) else Decimal(5)
    assert await desk.balance(portfolio_id, "IBM") == Balance(left, Decimal(0))
    assert STATUS[(await user.shown(order.id)).status] == "cancelled"
