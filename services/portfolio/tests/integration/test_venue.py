"""The venue on a real database and a real broker: resting orders fill, whoever dies meanwhile, and they fill once."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from quantmesh.api.portfolio.v1 import halts_pb2
from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb
from quantmesh.chassis.database import Database
from quantmesh.chassis.events.streams import stream_name
from quantmesh.local.servers import PostgresServer
from quantmesh.local.testing import RunningServer
from quantmesh.local.testing.databases import cloned_database
from quantmesh.portfolio.adapters.rpc import PortfolioRpc
from quantmesh.portfolio.adapters.rpc.halts import HaltRpc
from quantmesh.portfolio.core.execution import ExecutionCosts

from .fakes import COSTS, NO_CONTEXT, NOW, FakeMarket, Service, TickingClock
from .known_accounts import admin, until_some_wait
from .venues import VenueService, kinds, venue_service

RESTING, PART, FILLED = pb.ORDER_STATUS_ACCEPTED, pb.ORDER_STATUS_PARTIALLY_FILLED, pb.ORDER_STATUS_FILLED


@pytest.fixture
async def venue(service: Service, nats_server: RunningServer) -> AsyncIterator[VenueService]:
    async with venue_service(service, nats_server.url) as around:
        yield around


async def test_a_resting_order_fills_when_the_quote_comes_to_it(
    venue: VenueService, nats_server: RunningServer
) -> None:
    user, portfolio = await venue.account()
    before = await user.order(portfolio, "10", limit="120", tif="gtc")
    async with venue.runner(nats_server.url):
        during = await user.order(portfolio, "10", limit="121", tif="gtc")
        assert (before.status, during.status) == (RESTING, RESTING)
        await venue.tick("125")
        for order in (during, before):
            filled = await venue.until(user, order, FILLED, "119.95")
            assert filled.average_fill_price.value == "120", "at the ask, which is better than the limit or equal"
    log = (await user.events(portfolio)).events
    assert [event.type for event in log].count("order.filled") == 2
    assert [event.seq for event in log] == list(range(1, len(log) + 1))
    cash = (await user.positions(portfolio)).cash[0].amount.value
    assert cash == "97599.76"


async def test_a_restart_keeps_the_book_and_fills_an_order_once(
    venue: VenueService, nats_server: RunningServer
) -> None:
    user, portfolio = await venue.account()
    venue.size = "4"
    order = await user.order(portfolio, "10", limit="120", tif="gtc")
    async with venue.runner(nats_server.url):
        await venue.until(user, order, PART, "119.95")
    left = (await venue.seen(user, order)).filled_quantity.value
    assert left in {"4", "8"}
    await venue.until_all_is_told()
    # What was told is gone from the broker: the book comes from the table.
    await venue.bus.jetstream.purge_stream(stream_name("portfolio"))
    async with venue.runner(nats_server.url):
        filled = await venue.until(user, order, FILLED, "119.95")
    assert [fill.quantity.value for fill in filled.fills] == ["4", "4", "2"]
    assert (await user.positions(portfolio)).positions[0].quantity.value == "10"


async def test_two_leaders_that_overlap_never_fill_twice(venue: VenueService, nats_server: RunningServer) -> None:
    """Both lead at once for as long as the test lasts: far longer than the second that a lost lead may take."""
    accounts = [await venue.account() for _ in range(6)]
    orders = [(user, at, await user.order(at, "5", limit="120", tif="gtc")) for user, at in accounts]
    async with venue.runner(nats_server.url), venue.runner(nats_server.url, unlocked=True):
        venue.size = "12"
        for user, _, order in orders:
            await venue.until(user, order, FILLED, "119.95")
    for user, portfolio, order in orders:
        filled = await venue.seen(user, order)
        assert sum(Decimal(fill.quantity.value) for fill in filled.fills) == 5
        assert (await user.positions(portfolio)).positions[0].quantity.value == "5"
        assert (await kinds(user, portfolio)).count("order.filled") == 1


async def test_a_stop_is_triggered_and_then_trades(venue: VenueService, nats_server: RunningServer) -> None:
    user, portfolio = await venue.account()
    await user.buy(portfolio, "10", "100")
    order = await user.order(portfolio, "10", side="sell", stop="125", tif="gtc")
    async with venue.runner(nats_server.url):
        await venue.tick("126")
        filled = await venue.until(user, order, FILLED, "124.00")
    assert filled.HasField("triggered_at")
    assert filled.average_fill_price.value == "123.95"
    steps = await kinds(user, portfolio)
    assert steps.index("order.triggered") < steps.index("order.filled")


async def test_day_orders_expire_by_market_time_also_without_a_quote(
    venue: VenueService, nats_server: RunningServer
) -> None:
    user, portfolio = await venue.account()
    order = await user.order(portfolio, "10", limit="120")
    async with venue.runner(nats_server.url):
        venue.service.market.time = NOW + timedelta(hours=4)
        expired = await venue.until(user, order, pb.ORDER_STATUS_EXPIRED)
    assert expired.filled_quantity.value == "0"


async def test_cancelled_and_replaced_orders_leave_the_book(venue: VenueService, nats_server: RunningServer) -> None:
    user, portfolio = await venue.account()
    async with venue.runner(nats_server.url):
        cancelled = await user.order(portfolio, "10", limit="120", tif="gtc")
        moved = await user.order(portfolio, "10", limit="120", tif="gtc")
        await user.cancel(cancelled.id)
        await user.replace(moved, limit_price="110")
        marker = await user.order(portfolio, "1", limit="115", tif="gtc")
        await venue.until(user, marker, FILLED, "114.95")
        assert (await venue.seen(user, cancelled)).status == pb.ORDER_STATUS_CANCELLED
        assert (await venue.seen(user, moved)).status == RESTING


async def test_fills_on_a_quote_end_when_a_newer_one_has_come(venue: VenueService, nats_server: RunningServer) -> None:
    user, portfolio = await venue.account()
    other, elsewhere = await venue.account()
    last = await other.order(elsewhere, "1", symbol="MSFT", limit="230", tif="gtc")
    orders = [await user.order(portfolio, "1", limit="125", tif="gtc") for _ in range(40)]
    async with venue.runner(nats_server.url):
        marker = await user.order(portfolio, "1", limit="129", tif="gtc")
        await venue.until(user, marker, FILLED, "128.95")
        async with admin(venue.service) as connection, connection.transaction():
            await connection.execute("SELECT FROM portfolio WHERE id = %s FOR UPDATE", [portfolio])
            await venue.tick("124")
            # The first fill is under way, and stays so until the newer quote was heard: quotes are in their order.
            await until_some_wait(connection)
            await venue.tick("128")
            await venue.until(other, last, FILLED, "229", "MSFT")
        behind = await user.order(portfolio, "1", limit="127", tif="gtc")
        await venue.until(user, behind, FILLED, "126")
        now = [(await venue.seen(user, order)).status for order in orders]
        assert now == [FILLED] + [RESTING] * 39, "the price has gone, and with it the fills"
        for order in orders:
            await venue.until(user, order, FILLED, "124")
    assert (await kinds(user, portfolio)).count("order.filled") == 42


@pytest.mark.parametrize("trouble", ["stale", "crossed", "one-sided", "old"])
async def test_nothing_fills_on_a_bad_quote(venue: VenueService, nats_server: RunningServer, trouble: str) -> None:
    user, portfolio = await venue.account()
    order = await user.order(portfolio, "10", limit="125", tif="gtc")
    async with venue.runner(nats_server.url):
        marker = await user.order(portfolio, "1", limit="129.95", tif="gtc")
        await venue.until(user, marker, FILLED, "129.90")
        for _ in range(3):
            await venue.tick("124", sends=False)
            bad = venue.service.market.live["AAPL"]
            venue.service.market.live["AAPL"] = {
                "stale": replace(bad, stale=True),
                "crossed": replace(bad, bid=Decimal(125)),
                "one-sided": replace(bad, bid=None),
                "old": bad,
            }[trouble]
            if trouble == "old":
                venue.service.clock.time += timedelta(seconds=16)
            await venue.send()
            await asyncio.sleep(0.1)
        behind = await user.order(portfolio, "1", limit="127", tif="gtc")
        await venue.until(user, behind, FILLED, "126")
        assert (await venue.seen(user, order)).status == RESTING
        await venue.until(user, order, FILLED, "124")


async def test_a_halt_holds_resting_orders_and_a_kill_switch_cancels_them(
    venue: VenueService, nats_server: RunningServer
) -> None:
    user, portfolio = await venue.account()
    operator = venue.service.user()
    halts = HaltRpc(venue.service.database, venue.service.market, venue.service.clock)

    async def impose(kind: "halts_pb2.HaltKind.ValueType", symbol: str) -> str:
        operator.call()
        request = halts_pb2.ImposeHaltRequest(kind=kind, symbol=symbol, cause="a drill")
        return (await halts.ImposeHalt(request, NO_CONTEXT)).halt.id

    held = await user.order(portfolio, "10", limit="120", tif="gtc")
    async with venue.runner(nats_server.url):
        halt_id = await impose(halts_pb2.HALT_KIND_OPERATOR, "AAPL")
        at_once = await user.order(portfolio, "1")
        assert (at_once.status, at_once.reason) == (
            pb.ORDER_STATUS_REJECTED,
            "trading in AAPL is halted: a drill",
        )
        other = await user.order(portfolio, "1", symbol="MSFT", limit="230", tif="gtc")
        await venue.tick("119")
        await venue.until(user, other, FILLED, "229", "MSFT")
        assert (await venue.seen(user, held)).status == RESTING
        operator.call()
        await halts.LiftHalt(halts_pb2.LiftHaltRequest(id=halt_id), NO_CONTEXT)
        await venue.until(user, held, FILLED, "119")
        waiting = [await user.order(portfolio, "1", limit=price, tif="gtc") for price in ("90", "91")]
        await impose(halts_pb2.HALT_KIND_KILL_SWITCH, "")
        for order in waiting:
            ended = await venue.until(user, order, pb.ORDER_STATUS_CANCELLED)
            assert ended.reason == "the kill switch of the whole market is on: a drill"
        refused = await user.order(portfolio, "1", limit="90", tif="gtc")
        assert refused.status == pb.ORDER_STATUS_REJECTED


async def test_the_band_breaker_halts_a_symbol_whose_price_runs_away(
    venue: VenueService, nats_server: RunningServer
) -> None:
    user, portfolio = await venue.account()
    order = await user.order(portfolio, "10", limit="105", tif="gtc")
    async with venue.runner(nats_server.url):
        marker = await user.order(portfolio, "1", limit="129", tif="gtc")
        await venue.until(user, marker, FILLED, "128.95")
        halts = HaltRpc(venue.service.database, venue.service.market, venue.service.clock)
        found: list[halts_pb2.Halt] = []
        async with asyncio.timeout(60):
            while not found:
                await venue.tick("100", seconds=10)
                await asyncio.sleep(0.05)
                user.call()
                found = list((await halts.ListHalts(halts_pb2.ListHaltsRequest(in_force=True), NO_CONTEXT)).halts)
        assert (found[0].symbol, found[0].kind) == ("AAPL", halts_pb2.HALT_KIND_BREAKER)
        assert (await venue.seen(user, order)).status == RESTING, "neither the limit state nor the halt fills"
        venue.service.market.time += timedelta(minutes=6)
        await venue.until(user, order, FILLED, "100")


@pytest.mark.parametrize("size", ["100", None])
async def test_in_the_limit_state_new_orders_get_nothing_either(
    venue: VenueService, nats_server: RunningServer, size: str | None
) -> None:
    user, portfolio = await venue.account()
    venue.size = size
    async with venue.runner(nats_server.url):
        marker = await user.order(portfolio, "1", limit="129", tif="gtc")
        await venue.until(user, marker, FILLED, "128.95")
        async with asyncio.timeout(60):
            outcome = FILLED
            while outcome == FILLED:
                await venue.tick("100", seconds=0.01)
                outcome = (await user.order(portfolio, "1", tif="ioc")).status
            assert outcome == pb.ORDER_STATUS_CANCELLED
            while outcome != FILLED:
                await venue.tick("128.95", seconds=0.01)
                outcome = (await user.order(portfolio, "1", tif="ioc")).status


async def test_losing_the_broker_is_waited_for(venue: VenueService, nats_server: RunningServer) -> None:
    user, portfolio = await venue.account()
    async with venue.runner(nats_server.url):
        first = await user.order(portfolio, "1", limit="120", tif="gtc")
        await venue.until(user, first, FILLED, "119.95")
        nats_server.kill()
        second = await user.order(portfolio, "1", limit="110", tif="gtc")
        await asyncio.sleep(0.5)
        nats_server.start_again()
        await venue.until(user, second, FILLED, "109.95")


async def test_the_log_tells_each_fill_with_the_order_as_it_then_was(
    venue: VenueService, nats_server: RunningServer
) -> None:
    user, portfolio = await venue.account()
    venue.size = "6"
    order = await user.order(portfolio, "10", limit="120", tif="gtc")
    async with venue.runner(nats_server.url):
        await venue.until(user, order, FILLED, "119.95")
    told = [json.loads(event.data_json) for event in (await user.events(portfolio)).events if "fill" in event.type]
    assert [(item["status"], item["filled_quantity"]) for item in told] == [("partially_filled", "6"), ("filled", "10")]


async def test_losing_the_database_is_waited_for(
    own_postgres: RunningServer, own_postgres_server: PostgresServer, nats_server: RunningServer
) -> None:
    with cloned_database(own_postgres_server, "portfolio") as own:
        database = Database(own.url, "portfolio", pool_timeout_seconds=20.0)
        market, clock = FakeMarket(), TickingClock()
        rpc = PortfolioRpc(database, market, clock, ExecutionCosts(**COSTS))
        async with venue_service(
            Service(rpc, database, market, clock, own.admin_url, own.url), nats_server.url
        ) as venue:
            user, portfolio = await venue.account()
            order = await user.order(portfolio, "10", limit="120", tif="gtc")
            async with venue.runner(nats_server.url):
                marker = await user.order(portfolio, "1", limit="125", tif="gtc")
                await venue.until(user, marker, FILLED, "124.95")
                own_postgres.kill()
                for _ in range(3):
                    await venue.tick("119.95")
                    await asyncio.sleep(0.1)
                own_postgres.start_again()
                await venue.until(user, order, FILLED, "119.95")
            assert (await kinds(user, portfolio)).count("order.filled") == 2
        await database.close()
