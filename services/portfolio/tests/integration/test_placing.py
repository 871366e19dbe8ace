"""An order is decided by what is known of its account; what is not so any more is found out before anything counts."""

import asyncio

import pytest

from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb
from quantmesh.chassis.idempotency import Claim, TwinRunning
from quantmesh.portfolio.core.errors import InsufficientCash, InsufficientHolding, PortfolioNotFound
from quantmesh.portfolio.core.order_errors import OrderIdTaken

from .fakes import Service
from .known_accounts import admin, cash, elsewhere, until_some_wait
from .order_desk import STATUS, sized
from .placing import count, known


async def test_a_known_account_is_not_read_again(service: Service) -> None:
    user = service.user()
    portfolio_id = await known(user)
    seen = count(service)
    for _ in range(3):
        assert STATUS[(await user.order(portfolio_id, "1")).status] == "filled"
    # Two steps, and the ledger with the key, its answer and the account as it was known; then that there is no halt.
    assert seen == [3, 1] * 3
    assert await cash(user, portfolio_id) == "9479.76"
    events = (await user.events(portfolio_id)).events
    assert [event.seq for event in events] == list(range(1, 14))


async def test_an_account_that_others_change_is_read_for_a_while(service: Service) -> None:
    user = service.user()
    portfolio_id = await known(user)
    other = elsewhere(service, user)
    await other.order(portfolio_id, "1")
    seen = count(service)
    await user.order(portfolio_id, "1")
    tried, *read = seen
    assert tried == 3
    for _ in range(64):
        seen.clear()
        await user.order(portfolio_id, "1")
        assert seen == read
    seen.clear()
    await user.order(portfolio_id, "1")
    assert seen == [3, 1]


async def test_a_symbol_that_something_is_in_the_way_of_is_looked_at_first_for_a_while(service: Service) -> None:
    user = service.user()
    portfolio_id = await known(user)
    service.market.live["AAPL"] = sized("130", "1", minutes=1)
    assert STATUS[(await user.order(portfolio_id, "1", tif="ioc")).status] == "filled"
    seen = count(service)
    for _ in range(3):
        assert STATUS[(await user.order(portfolio_id, "1", tif="ioc")).status] == "cancelled"
    tried, demanded, *looked = seen
    assert (tried, demanded) == (3, 3)
    assert looked == [looked[0], looked[1]] * 3


async def test_what_was_done_here_is_no_reason_to_doubt(service: Service) -> None:
    user = service.user()
    portfolio_id = await known(user)
    resting = await user.order(portfolio_id, "1", limit="120", tif="gtc")
    await user.cancel(resting.id)
    await user.order(portfolio_id, "1")
    seen = count(service)
    await user.order(portfolio_id, "1")
    assert seen == [3, 1]


async def test_what_no_quote_of_that_size_can_fill_is_not_tried(service: Service) -> None:
    user = service.user()
    portfolio_id = await known(user)
    service.market.live["AAPL"] = sized("130", "4", minutes=1)
    seen = count(service)
    part = await user.order(portfolio_id, "10", tif="ioc")
    assert (STATUS[part.status], part.filled_quantity.value) == ("cancelled", "4")
    # Three steps and the ledger; then what is used, that it is there, and that there is no halt.
    assert seen == [4, 3]
    seen.clear()
    none = await user.order(portfolio_id, "10", tif="fok")
    assert (STATUS[none.status], none.filled_quantity.value) == ("cancelled", "0")
    assert seen == [3, 1]


async def test_recordings_and_orders_know_an_account_of_each_other(service: Service) -> None:
    user = service.user()
    portfolio_id = await known(user)
    await user.deposit(portfolio_id, "1000.00", at="2020-01-03")
    seen = count(service)
    await user.order(portfolio_id, "1")
    assert seen == [3, 1]
    with pytest.raises(InsufficientCash):
        await user.record(portfolio_id, type="withdrawal", amount="10800", currency="USD", at="2022-12-20")


async def test_a_sale_of_all_leaves_nothing_that_is_known_to_sell(service: Service) -> None:
    user = service.user()
    portfolio_id = await known(user)
    assert STATUS[(await user.order(portfolio_id, "1", "sell")).status] == "filled"
    with pytest.raises(InsufficientHolding, match="AAPL"):
        await user.order(portfolio_id, "1", "sell")


async def test_what_an_order_keeps_is_known_to_the_next(service: Service) -> None:
    user = service.user()
    portfolio_id = await known(user)
    resting = await user.order(portfolio_id, "70", limit="120", tif="gtc")
    assert STATUS[resting.status] == "accepted"
    with pytest.raises(InsufficientCash):
        await user.order(portfolio_id, "12")
    assert STATUS[(await user.order(portfolio_id, "11")).status] == "filled"


async def test_what_another_replica_spent_is_not_there_any_more(service: Service) -> None:
    user = service.user()
    portfolio_id = await known(user)
    await elsewhere(service, user).order(portfolio_id, "60")
    with pytest.raises(InsufficientCash):
        await user.order(portfolio_id, "60")
    assert STATUS[(await user.order(portfolio_id, "10")).status] == "filled"
    events = (await user.events(portfolio_id)).events
    assert [event.seq for event in events] == list(range(1, len(events) + 1))


async def test_what_another_replica_reserved_is_not_there_any_more(service: Service) -> None:
    user = service.user()
    portfolio_id = await known(user)
    await elsewhere(service, user).order(portfolio_id, "70", limit="120", tif="gtc")
    with pytest.raises(InsufficientCash):
        await user.order(portfolio_id, "60")


async def test_a_portfolio_that_another_replica_closed_is_not_found(service: Service) -> None:
    user = service.user()
    portfolio_id = await known(user)
    async with admin(service) as connection:
        await connection.execute("UPDATE portfolio SET deleted_at = now() WHERE id = %s", [portfolio_id])
    with pytest.raises(PortfolioNotFound):
        await user.order(portfolio_id, "1")


async def test_one_key_at_two_replicas_has_one_effect(service: Service) -> None:
    user = service.user()
    portfolio_id = await known(user)
    users = [user, elsewhere(service, user)]
    for number in range(8):
        outcomes = await asyncio.gather(
            *(each.order(portfolio_id, "1", key=f"twin {number}") for each in users), return_exceptions=True
        )
        answers = [each for each in outcomes if isinstance(each, pb.Order)]
        assert answers == [answers[0]] * len(answers)
        assert all(isinstance(each, TwinRunning | pb.Order) for each in outcomes)
    assert [len((await user.positions(portfolio_id)).positions), (await user.events(portfolio_id)).last_seq] == [1, 28]


async def test_a_key_that_somebody_works_with_is_nobody_elses(service: Service) -> None:
    user = service.user()
    portfolio_id = await known(user)
    name = Claim(user.owner_id, pb.PlaceOrderRequest.DESCRIPTOR.name, "once", b"").name
    async with admin(service) as connection, connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [name])
        with pytest.raises(TwinRunning):
            await user.order(portfolio_id, "1", key="once")
    first = await user.order(portfolio_id, "1", key="once")
    assert await user.order(portfolio_id, "1", key="once") == first


async def test_a_name_is_not_taken_twice_by_what_is_known(service: Service) -> None:
    user = service.user()
    portfolio_id = await known(user)
    seen = count(service)
    await user.order(portfolio_id, "1", client_order_id="mine")
    assert seen == [3, 1]
    with pytest.raises(OrderIdTaken):
        await user.order(portfolio_id, "1", client_order_id="mine")


async def test_an_account_that_others_hold_is_waited_for(service: Service) -> None:
    user = service.user()
    portfolio_id = await known(user)
    async with admin(service) as connection, connection.transaction():
        await connection.execute("SELECT FROM portfolio WHERE id = %s FOR UPDATE", [portfolio_id])
        placing = asyncio.create_task(user.order(portfolio_id, "1"))
        await until_some_wait(connection)
        assert not placing.done()
    assert STATUS[(await placing).status] == "filled"
