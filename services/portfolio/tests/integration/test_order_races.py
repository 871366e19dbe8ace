"""Orders at the same moment: one cash, one size, one end, one name; and a halt that comes meanwhile."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb
from quantmesh.portfolio.core.errors import InsufficientCash
from quantmesh.portfolio.core.order_errors import IllegalTransition, OrderChanged, OrderIdTaken
from quantmesh.portfolio.core.orders import Order

from .fakes import Service, User
from .known_accounts import admin, until_some_wait
from .order_desk import STATUS, Desk, sized
from .pre_trade_peers import Checks


async def test_two_orders_cannot_spend_the_same_cash(service: Service, account: tuple[User, str, Desk]) -> None:
    user, portfolio_id, desk = account
    # Each keeps 12,001.20 of 100,000.00: eight of them pass.
    outcomes = await asyncio.gather(
        *(user.order(portfolio_id, "100", limit="120", tif="gtc") for _ in range(16)), return_exceptions=True
    )
    placed = [outcome for outcome in outcomes if isinstance(outcome, pb.Order)]
    assert len(placed) == 8
    assert sum(isinstance(outcome, InsufficientCash) for outcome in outcomes) == 8
    assert (await desk.balance(portfolio_id)).reserved == Decimal("96009.60")
    # All of them cancelled and filled at once: what is reserved is what open orders need, whoever was first.
    on = sized("119", None, minutes=1)
    await asyncio.gather(
        *(user.cancel(order.id) for order in placed[:4]), *(desk.fill(order.id, "100", on) for order in placed[4:])
    )
    balance = await desk.balance(portfolio_id)
    assert balance.reserved == await desk.reserved_by_orders(portfolio_id, "buy") == 0
    assert balance.amount == 100_000 - 4 * Decimal("11906.19")


async def test_an_order_ends_once_when_it_is_cancelled_while_it_fills(
    service: Service, account: tuple[User, str, Desk]
) -> None:
    user, portfolio_id, desk = account
    ends = set()
    for _ in range(12):
        order = await user.order(portfolio_id, "1", limit="120", tif="gtc")
        cancelled, filled = await asyncio.gather(
            user.cancel(order.id), desk.fill(order.id, "1", sized("119", None, minutes=1)), return_exceptions=True
        )
        shown = await user.shown(order.id)
        if isinstance(filled, Order):
            assert isinstance(cancelled, IllegalTransition)
            assert (STATUS[shown.status], len(shown.fills)) == ("filled", 1)
        else:
            assert filled is None
            assert isinstance(cancelled, pb.Order)
            assert (STATUS[shown.status], len(shown.fills)) == ("cancelled", 0)
        ends.add(STATUS[shown.status])
        assert shown.version == 2
    assert ends
    assert (await desk.balance(portfolio_id)).reserved == 0


async def test_of_twenty_replacements_of_one_version_one_counts(
    service: Service, account: tuple[User, str, Desk]
) -> None:
    user, portfolio_id, desk = account
    order = await user.order(portfolio_id, "10", limit="120", tif="gtc")
    outcomes = await asyncio.gather(
        *(user.replace(order, quantity=str(20 + number)) for number in range(20)), return_exceptions=True
    )
    done = [outcome for outcome in outcomes if isinstance(outcome, pb.Order)]
    assert len(done) == 1
    assert sum(isinstance(outcome, OrderChanged) for outcome in outcomes) == 19
    assert (await desk.balance(portfolio_id)).reserved == Decimal(done[0].reserved.amount.value)


async def test_of_fifty_twins_one_has_the_name(service: Service, account: tuple[User, str, Desk]) -> None:
    user, portfolio_id, desk = account
    outcomes = await asyncio.gather(
        *(user.order(portfolio_id, "500", limit="120", tif="gtc", client_order_id="mine") for _ in range(50)),
        return_exceptions=True,
    )
    assert sum(isinstance(outcome, pb.Order) for outcome in outcomes) == 1
    # Although the cash would not do for a second one either.
    assert sum(isinstance(outcome, OrderIdTaken) for outcome in outcomes) == 49
    assert (await user.events(portfolio_id, after=2)).last_seq == 3
    assert (await desk.balance(portfolio_id)).reserved == Decimal("60006.00")


async def test_no_two_fills_share_the_size_of_a_quote(service: Service) -> None:
    service.market.live["AAPL"] = sized("130", "25")
    users = [service.user() for _ in range(8)]
    portfolios = [await user.create() for user in users]
    for user, portfolio in zip(users, portfolios, strict=True):
        await user.deposit(portfolio.id)
    orders = await asyncio.gather(
        *(
            user.order(portfolio.id, "5", limit="131", tif="ioc")
            for user, portfolio in zip(users, portfolios, strict=True)
        )
    )
    assert sum(int(order.filled_quantity.value) for order in orders) == 25
    assert sorted(STATUS[order.status] for order in orders) == ["cancelled"] * 3 + ["filled"] * 5
    # The other side is untouched, and the next quote is whole again.
    assert STATUS[(await users[0].order(portfolios[0].id, "1", tif="fok")).status] == "cancelled"
    service.market.live["AAPL"] = sized("130", "25", minutes=1)
    assert STATUS[(await users[0].order(portfolios[0].id, "25", tif="fok")).status] == "filled"


async def test_a_new_order_leaves_to_those_that_rest_what_they_can_trade(
    service: Service, account: tuple[User, str, Desk]
) -> None:
    user, portfolio_id, desk = account
    resting = await user.order(portfolio_id, "20", limit="129", tif="gtc")
    service.market.live["AAPL"] = sized("128", "25", minutes=1)
    newcomer = service.user()
    other = await newcomer.create()
    await newcomer.deposit(other.id)
    order = await newcomer.order(other.id, "10", tif="ioc")
    assert (STATUS[order.status], order.filled_quantity.value) == ("cancelled", "5")
    filled = await desk.fill(resting.id, "20", sized("128", "25", minutes=1))
    assert filled is not None
    assert filled.filled_quantity == 20


async def test_a_fill_on_an_older_quote_than_the_last_one_gets_nothing(account: tuple[User, str, Desk]) -> None:
    user, portfolio_id, desk = account
    order = await user.order(portfolio_id, "20", limit="129", tif="gtc")
    assert await desk.fill(order.id, "5", sized("128", "25", minutes=2)) is not None
    assert await desk.fill(order.id, "5", sized("127", "25", minutes=1)) is None
    assert (await user.shown(order.id)).filled_quantity.value == "5"


async def test_a_proposal_that_comes_again_fills_no_more_than_was_asked(account: tuple[User, str, Desk]) -> None:
    user, portfolio_id, desk = account
    order = await user.order(portfolio_id, "10", limit="129", tif="gtc")
    await asyncio.gather(*(desk.fill(order.id, "10", sized("128", None, minutes=1)) for _ in range(8)))
    shown = await user.shown(order.id)
    assert (STATUS[shown.status], len(shown.fills)) == ("filled", 1)


async def test_orders_at_the_same_time_leave_a_log_without_holes(account: tuple[User, str, Desk]) -> None:
    user, portfolio_id, _ = account
    before = (await user.events(portfolio_id)).last_seq
    outcomes = await asyncio.gather(
        *(user.order(portfolio_id, "1" if number % 2 else "5000") for number in range(12)), return_exceptions=True
    )
    assert sum(isinstance(outcome, pb.Order) for outcome in outcomes) == 6
    assert sum(isinstance(outcome, InsufficientCash) for outcome in outcomes) == 6
    log = await user.events(portfolio_id, after=before)
    steps = ["order.accepted", "order.filled", "transaction.recorded"]
    assert [(event.seq, event.type) for event in log.events] == [
        (before + 1 + index, steps[index % 3]) for index in range(18)
    ]


@pytest.mark.parametrize("change", ["fill", "replacement", "replacement of a triggered stop"])
async def test_a_halt_that_comes_while_the_quote_is_waited_for_stops_what_would_trade(
    checks: Checks, account: tuple[User, str, Desk], change: str
) -> None:
    user, portfolio_id, desk = account
    on = sized("119", "10", minutes=1)
    checks.service.market.live["AAPL"] = on
    await user.order(portfolio_id, "1")
    stop = "121" if change == "replacement of a triggered stop" else None
    order = await user.order(portfolio_id, "1", limit="118", stop=stop, tif="gtc")
    if stop is not None:
        # The price has come back since.
        await desk.trigger(order.id, sized("122", "10", minutes=1))
        order = await user.shown(order.id)
    async with admin(checks.service) as connection, connection.transaction():
        await connection.execute("SELECT FROM venue_symbol WHERE symbol = 'AAPL' FOR UPDATE")
        if change == "fill":
            lower = sized("117", "10", minutes=2)
            trading: asyncio.Task[Any] = asyncio.create_task(desk.fill(order.id, "1", lower))
        else:
            trading = asyncio.create_task(user.replace(order, limit_price="120"))
        await until_some_wait(connection)
        await checks.halt("AAPL")
    await trading
    assert (await user.shown(order.id)).fills == []
