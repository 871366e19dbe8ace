"""An order is decided by what is known of its account, and as if no halt and no other order were in its way; what is
not so any more is found out before anything counts."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from decimal import Decimal
from typing import ClassVar

import pytest

from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb
from quantmesh.chassis.idempotency import Claim, TwinRunning
from quantmesh.chassis.sql import Asked, Result, Session
from quantmesh.portfolio.core.errors import InsufficientCash, InsufficientHolding, PortfolioNotFound
from quantmesh.portfolio.core.order_errors import OrderIdTaken

from .fakes import Service, User
from .known_accounts import admin, cash, elsewhere
from .order_desk import STATUS, sized
from .pre_trade_peers import Checks, checked


class Counted(Session):
    """How many statements each message had."""

    seen: ClassVar[list[int]]

    async def together(self, asked: Sequence[Asked], *, commit: bool = False) -> list[Result]:
        self.seen.append(len(asked))
        return await super().together(asked, commit=commit)


def count(service: Service) -> list[int]:
    class Own(Counted):
        seen: ClassVar[list[int]] = []

    service.database.session_type = Own
    return Own.seen


async def known(user: User, amount: str = "10000.00") -> str:
    """A portfolio of which the user's replica knows the cash and what it holds of AAPL."""
    portfolio = await user.create()
    await user.deposit(portfolio.id, amount)
    assert STATUS[(await user.order(portfolio.id, "1")).status] == "filled"
    return portfolio.id


@pytest.fixture
async def checks(service: Service) -> AsyncIterator[Checks]:
    async with checked(service) as found:
        yield found


@pytest.fixture(params=["known", "read"])
async def trader(checks: Checks, request: pytest.FixtureRequest) -> tuple[User, str]:
    """Whose next order is decided while risk is asked, by what is known or by what is read of the account."""
    user = checks.trader()
    portfolio_id = await known(user)
    if request.param == "read":
        await elsewhere(checks.service, user).deposit(portfolio_id, "1.00")
    return user, portfolio_id


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


async def test_a_halt_is_in_the_way(checks: Checks, trader: tuple[User, str]) -> None:
    user, portfolio_id = trader
    await checks.halt("AAPL")
    order = await user.order(portfolio_id, "1")
    assert STATUS[order.status] == "rejected"
    assert "A drill." in order.reason


@pytest.mark.parametrize("is_quick", [True, False])
async def test_a_halt_that_comes_while_the_quote_is_waited_for_is_in_the_way(
    checks: Checks, trader: tuple[User, str], is_quick: bool
) -> None:
    user, portfolio_id = trader
    checks.service.market.live["AAPL"] = sized("130", "10", minutes=1)
    await user.order(portfolio_id, "1")
    checks.limits.delay = 0.0 if is_quick else 0.1
    async with admin(checks.service) as connection, connection.transaction():
        await connection.execute("SELECT FROM venue_symbol WHERE symbol = 'AAPL' FOR UPDATE")
        placing = asyncio.create_task(user.order(portfolio_id, "1"))
        await asyncio.sleep(0.3)
        await checks.halt("AAPL")
    assert STATUS[(await placing).status] == "rejected"


async def test_a_halt_of_another_symbol_is_not(checks: Checks, trader: tuple[User, str]) -> None:
    user, portfolio_id = trader
    await checks.halt("MSFT")
    assert STATUS[(await user.order(portfolio_id, "1")).status] == "filled"


async def test_what_others_used_of_a_quote_is_in_the_way(checks: Checks, trader: tuple[User, str]) -> None:
    user, portfolio_id = trader
    checks.service.market.live["AAPL"] = sized("130", "10", minutes=1)
    other = checks.service.user()
    others = await known(other)
    assert STATUS[(await user.order(portfolio_id, "4", tif="ioc")).status] == "filled"
    assert STATUS[(await other.order(others, "5", "buy", tif="ioc")).status] == "filled"
    # One of the ten was the other's first.
    order = await user.order(portfolio_id, "1", tif="ioc")
    assert (STATUS[order.status], order.filled_quantity.value) == ("cancelled", "0")


async def test_orders_that_rest_before_it_are_in_the_way(checks: Checks, trader: tuple[User, str]) -> None:
    user, portfolio_id = trader
    other = checks.service.user()
    others = await known(other)
    assert STATUS[(await other.order(others, "20", limit="129", tif="gtc")).status] == "accepted"
    checks.service.market.live["AAPL"] = sized("128", "25", minutes=1)
    order = await user.order(portfolio_id, "10", tif="ioc")
    assert (STATUS[order.status], order.filled_quantity.value) == ("cancelled", "5")


@pytest.mark.parametrize("state", ["limit_since = now()", "quoted_at = quoted_at + interval '1 minute'"])
async def test_a_price_outside_its_band_and_a_newer_quote_are_in_the_way(
    checks: Checks, trader: tuple[User, str], state: str
) -> None:
    user, portfolio_id = trader
    checks.service.market.live["AAPL"] = sized("130", "10", minutes=1)
    assert STATUS[(await user.order(portfolio_id, "1", tif="ioc")).status] == "filled"
    async with admin(checks.service) as connection:
        await connection.execute(f"UPDATE venue_symbol SET {state}")  # noqa: S608  the test's own words
    order = await user.order(portfolio_id, "1", tif="ioc")
    assert (STATUS[order.status], order.filled_quantity.value) == ("cancelled", "0")


async def test_no_two_orders_that_are_decided_at_once_share_the_size_of_a_quote(service: Service) -> None:
    users = [service.user() for _ in range(8)]
    portfolios = [await known(user) for user in users]
    service.market.live["AAPL"] = sized("130", "25", minutes=1)
    orders = await asyncio.gather(
        *(user.order(each, "5", limit="131", tif="ioc") for user, each in zip(users, portfolios, strict=True))
    )
    assert sum(Decimal(order.filled_quantity.value) for order in orders) == 25
    assert sorted(STATUS[order.status] for order in orders) == ["cancelled"] * 3 + ["filled"] * 5


async def test_an_account_that_others_hold_is_waited_for(service: Service) -> None:
    user = service.user()
    portfolio_id = await known(user)
    async with admin(service) as connection, connection.transaction():
        await connection.execute("SELECT FROM portfolio WHERE id = %s FOR UPDATE", [portfolio_id])
        placing = asyncio.create_task(user.order(portfolio_id, "1"))
        await asyncio.sleep(0.2)
        assert not placing.done()
    assert STATUS[(await placing).status] == "filled"
