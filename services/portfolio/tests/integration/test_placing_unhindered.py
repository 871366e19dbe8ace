"""An order is decided as if no halt and no other order were in its way; what is, is found out before it counts."""

import asyncio
from decimal import Decimal

import pytest

from quantmesh.portfolio.core.errors import InsufficientCash

from .fakes import Service, User
from .known_accounts import admin, elsewhere, until_some_wait
from .order_desk import STATUS, sized
from .placing import known
from .pre_trade_peers import Checks


@pytest.fixture(params=["known", "read"])
async def trader(checks: Checks, request: pytest.FixtureRequest) -> tuple[User, str]:
    """Whose next order is decided while risk is asked, by what is known or by what is read of the account."""
    user = checks.trader()
    portfolio_id = await known(user)
    if request.param == "read":
        await elsewhere(checks.service, user).deposit(portfolio_id, "1.00")
    return user, portfolio_id


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
        await until_some_wait(connection)
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


async def test_what_a_quote_has_is_filled_and_the_rest_of_an_order_rests(
    checks: Checks, trader: tuple[User, str]
) -> None:
    user, portfolio_id = trader
    checks.service.market.live["AAPL"] = sized("130", "4", minutes=1)
    order = await user.order(portfolio_id, "10", limit="131", tif="gtc")
    assert (STATUS[order.status], order.filled_quantity.value) == ("partially_filled", "4")
    with pytest.raises(InsufficientCash):
        await user.order(portfolio_id, "69", limit="131", tif="gtc")


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
