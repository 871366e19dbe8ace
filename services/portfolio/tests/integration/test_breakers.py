"""Breakers from quotes to rows: tripped, held, lifted by their rule, and remembered over a change of leaders."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest

from quantmesh.chassis.database import Database
from quantmesh.chassis.errors import Unavailable
from quantmesh.chassis.sql import Session
from quantmesh.portfolio.adapters.store.halts import HaltStore
from quantmesh.portfolio.adapters.venue.breakers import Breakers
from quantmesh.portfolio.core.halts.impose import lift_halt
from quantmesh.portfolio.core.halts.index_fall import IndexRule
from quantmesh.portfolio.core.halts.model import RULE, Halt, HaltKind
from quantmesh.portfolio.core.halts.price_band import BandRule
from quantmesh.portfolio.core.market import Quote

from .fakes import NOW, Service

BAND = BandRule(Decimal("0.1"), timedelta(minutes=5), timedelta(seconds=15), timedelta(minutes=5))
INDEX = IndexRule("SIZE", (Decimal("0.07"), Decimal("0.13")), timedelta(minutes=15))


def priced(symbol: str, price: str, seconds: float) -> Quote:
    value = Decimal(price)
    return Quote(symbol, value, value, value, NOW + timedelta(seconds=seconds), False, "USD")


class Desk:
    """Breakers of one leader after the other, and the halts that came of them."""

    def __init__(self, service: Service) -> None:
        self.service = service
        service.market.history["SIZE"] = {date(2022, 12, 16): Decimal(90), date(2022, 12, 19): Decimal(100)}
        self.breakers = self.new()

    def new(self) -> Breakers:
        return Breakers(self.service.database, self.service.market, self.service.clock, BAND, INDEX)

    async def see(self, *quotes: tuple[str, str, float]) -> None:
        for symbol, price, seconds in quotes:
            await self.breakers.on_price(priced(symbol, price, seconds))

    async def halts(self) -> list[Halt]:
        async with self.service.database.system_transaction() as session:
            return await HaltStore(session).page("", None, 100, in_force=False)


@pytest.fixture
def desk(service: Service) -> Desk:
    return Desk(service)


def is_open(breakers: Breakers, symbol: str) -> bool:
    return breakers.may_trade(symbol)


async def test_a_band_that_trips_halts_its_symbol_until_its_time(desk: Desk) -> None:
    await desk.see(("AAPL", "100", 0), ("AAPL", "120", 10))
    assert not is_open(desk.breakers, "AAPL"), "nothing trades at a price outside the band"
    await desk.see(("AAPL", "120", 25))
    (halt,) = await desk.halts()
    assert (halt.kind, halt.symbol, halt.imposed_by) == (HaltKind.BREAKER, "AAPL", RULE)
    assert (halt.market_time, halt.lifts_at) == (NOW + timedelta(seconds=25), NOW + timedelta(seconds=325))
    assert not is_open(desk.breakers, "AAPL")
    assert is_open(desk.breakers, "MSFT")
    await desk.see(("MSFT", "50", 324))
    assert not is_open(desk.breakers, "AAPL")
    await desk.see(("MSFT", "50", 325))
    (lifted,) = await desk.halts()
    assert lifted.lifted_by == RULE
    assert is_open(desk.breakers, "AAPL")
    await desk.see(("AAPL", "180", 400))
    assert is_open(desk.breakers, "AAPL"), "the first price after the halt is a reference of its own"


async def test_the_index_halts_the_whole_market_by_levels_from_its_last_close(desk: Desk) -> None:
    await desk.see(("SIZE", "94", 0), ("SIZE", "92.9", 10))
    (first,) = await desk.halts()
    assert (first.symbol, first.level) == ("", 1)
    assert "below its last close of 100" in first.cause
    assert not is_open(desk.breakers, "AAPL")
    await desk.see(("SIZE", "86", 20))
    latest = (await desk.halts())[0]
    assert (latest.level, latest.lifts_at) == (2, datetime(2022, 12, 21, tzinfo=NOW.tzinfo))


async def test_another_leader_goes_on_with_the_halts_in_force_and_the_levels_taken(desk: Desk) -> None:
    await desk.see(("SIZE", "92", 0))
    (halt,) = await desk.halts()
    desk.breakers = desk.new()
    await desk.breakers.begin()
    assert not is_open(desk.breakers, "AAPL")
    async with desk.service.database.system_transaction() as session:
        await lift_halt(HaltStore(session), halt.id, "an operator", desk.service.clock.now())
    await desk.breakers.read()
    await desk.see(("SIZE", "91", 30))
    assert is_open(desk.breakers, "AAPL"), "the first level halts once a day"
    assert len(await desk.halts()) == 1


async def test_two_leaders_that_overlap_impose_one_halt(desk: Desk) -> None:
    other = desk.new()
    for seconds, price in ((0, "100"), (1, "150"), (20, "150")):
        for breakers in (desk.breakers, other):
            await breakers.on_price(priced("AAPL", price, seconds))
    assert len(await desk.halts()) == 1
    for breakers in (desk.breakers, other):
        assert not is_open(breakers, "AAPL")
        await breakers.on_time(NOW + timedelta(hours=1))
    assert [halt.lifted_by for halt in await desk.halts()] == [RULE]


class AwayAtTimes(Database):
    """A database that can be away."""

    away = False

    @asynccontextmanager
    async def system_transaction(self) -> AsyncIterator[Session]:
        if self.away:
            msg = "The database cannot be reached."
            raise Unavailable(msg)
        async with super().system_transaction() as session:
            yield session


async def test_a_halt_that_the_database_could_not_take_is_imposed_once_it_can(desk: Desk) -> None:
    database = AwayAtTimes(desk.service.app_url, "portfolio")
    desk.breakers = Breakers(database, desk.service.market, desk.service.clock, BAND, INDEX)
    await desk.see(("AAPL", "100", 0), ("AAPL", "150", 1))
    database.away = True
    with pytest.raises(Unavailable):
        await desk.see(("AAPL", "150", 20))
    assert not is_open(desk.breakers, "AAPL")
    database.away = False
    await desk.breakers.begin()
    assert not is_open(desk.breakers, "AAPL")
    await desk.see(("MSFT", "50", 21))
    assert [halt.symbol for halt in await desk.halts()] == ["AAPL"]
    await database.close()


async def test_while_the_market_does_not_tell_the_last_close_bands_work_on(desk: Desk) -> None:
    desk.service.market.available = False
    await desk.see(("SIZE", "92", 0), ("AAPL", "100", 0), ("AAPL", "150", 1), ("AAPL", "150", 16))
    assert [halt.symbol for halt in await desk.halts()] == ["AAPL"]


async def test_a_halt_does_not_outlast_a_rewind_of_the_replay(desk: Desk) -> None:
    await desk.see(("AAPL", "100", 0), ("AAPL", "120", 10), ("AAPL", "120", 25))
    await desk.see(("MSFT", "50", -3600))
    assert not is_open(desk.breakers, "AAPL"), "quotes need not come in order of market time"
    await desk.see(("MSFT", "50", -timedelta(days=2).total_seconds()))
    assert is_open(desk.breakers, "AAPL")
    (halt,) = await desk.halts()
    assert halt.lifted_by == RULE
