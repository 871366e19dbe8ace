"""Quotes come from the cache while there is one, are overwritten by updates, and survive its loss."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from quantmesh.local.testing import RunningServer
from quantmesh.market.adapters.store.bars import BarStore
from quantmesh.market.adapters.translate import quote_to
from quantmesh.market.core.get_quotes import get_quotes
from quantmesh.market.core.import_bars import import_bars
from quantmesh.market.core.model import Adjustment, Asset, Bar, Quote
from quantmesh.market.core.ports import Market
from services.market.tests.integration.conftest import SYSTEM_NOW, NewParts, Parts, until

CORRECTED = b"symbol,date,close\nSP500,2022-09-30,3585.63\n"


def live(parts: Parts, price: str) -> Quote:
    value = Decimal(price)
    return Quote("MTUM", value, parts.clock.now(), "replay", "USD", value, value, received_at=SYSTEM_NOW)


def feed(parts: Parts, quote: Quote) -> None:
    parts.quotes.feed({quote.symbol: (quote, quote_to(quote).SerializeToString())})


async def saved(parts: Parts) -> bool:
    """Whether Redis has a quote of the fund."""
    return await parts.cache.get("quote:MTUM") is not None


async def price_of(market: Market, symbol: str = "MTUM") -> tuple[str, Decimal, bool]:
    (quote,) = (await get_quotes(market, [symbol], None, SYSTEM_NOW)).quotes
    return quote.source, quote.price, quote.stale


async def test_before_the_first_tick_the_last_close_answers(parts: Parts) -> None:
    source, price, stale = await price_of(parts.market)
    assert (source, stale) == ("close", False)
    assert price > 0


async def test_an_update_replaces_what_is_cached(parts: Parts) -> None:
    await price_of(parts.market)
    for price in ("150.001", "151"):
        feed(parts, live(parts, price))
        assert await price_of(parts.market) == ("replay", Decimal(price), False)


async def test_at_an_instant_that_is_yet_to_come_the_live_quote_answers(parts: Parts) -> None:
    feed(parts, live(parts, "150"))
    now = parts.clock.now()
    for as_of, source in ((now, "close"), (now + timedelta(days=1), "replay")):
        (quote,) = (await get_quotes(parts.market, ["MTUM"], as_of, SYSTEM_NOW)).quotes
        assert quote.source == source


async def test_another_replica_reads_the_live_quote_from_redis(parts: Parts, new_parts: NewParts) -> None:
    feed(parts, live(parts, "150"))
    await until(lambda: saved(parts))
    other = await new_parts(holder="b")
    assert await price_of(other.market) == ("replay", Decimal(150), False)


async def test_without_redis_memory_and_database_answer(parts: Parts, redis_server: RunningServer) -> None:
    feed(parts, live(parts, "150"))
    redis_server.kill()
    assert await price_of(parts.market) == ("replay", Decimal(150), False)
    assert (await price_of(parts.market, "SP500"))[:2] == ("close", Decimal("3585.62"))
    redis_server.start_again()
    feed(parts, live(parts, "151"))
    assert await price_of(parts.market) == ("replay", Decimal(151), False)


@pytest.mark.parametrize("age", [timedelta(minutes=1), timedelta()], ids=str)
async def test_an_older_quote_in_redis_does_not_win(parts: Parts, age: timedelta) -> None:
    feed(parts, live(parts, "150"))
    await until(lambda: saved(parts))
    older = replace(live(parts, "140"), time=parts.clock.now() - age)
    await parts.quotes.put([older])
    assert await price_of(parts.market) == ("replay", Decimal(150), False)


async def test_an_import_drops_the_cached_close(parts: Parts) -> None:
    assert await price_of(parts.market, "SP500") == ("close", Decimal("3585.62"), False)
    result = await import_bars(parts.market, CORRECTED, Adjustment.RAW, "desk")
    assert (result.accepted, result.rejected) == (1, [])
    assert await price_of(parts.market, "SP500") == ("close", Decimal("3585.63"), False)


async def test_a_cached_close_becomes_stale_when_a_session_closes_without_a_newer_one(parts: Parts) -> None:
    assert (await price_of(parts.market, "FB-RAW"))[2], "its data ended in 2013"
    parts.clock.show(parts.plan.advance(parts.plan.start, 1e6))
    assert (await price_of(parts.market, "SP500"))[2] is False


async def test_a_close_that_another_replica_corrects_while_it_is_read_is_not_kept(
    parts: Parts, new_parts: NewParts
) -> None:
    other = await new_parts(holder="b")

    class CorrectedMeanwhile(BarStore):
        async def last(
            self, assets: Sequence[Asset], as_of: datetime, recorded_by: datetime | None = None
        ) -> Mapping[str, Bar]:
            found = await super().last(assets, as_of, recorded_by)
            await import_bars(other.market, CORRECTED, Adjustment.RAW, "desk")
            return found

    await price_of(replace(parts.market, bars=CorrectedMeanwhile(parts.database)), "SP500")
    assert await price_of(parts.market, "SP500") == ("close", Decimal("3585.63"), False)


async def test_a_close_that_another_replica_cached_late_gives_way_to_the_next_one(parts: Parts) -> None:
    source, before, stale = await price_of(parts.market, "SP500")
    assert (source, stale) == ("close", False)
    parts.clock.show(parts.plan.advance(parts.plan.start, 1e6))
    source, after, stale = await price_of(parts.market, "SP500")
    assert (source, after != before, stale) == ("close", True, False)


async def test_while_the_feed_stands_still_its_quotes_are_stale(parts: Parts) -> None:
    feed(parts, live(parts, "150"))
    parts.clock.pause("a test")
    assert (await price_of(parts.market))[2]
    await parts.quotes.drop(["MTUM"])
    assert await price_of(parts.market) == ("close", (await price_of(parts.market))[1], True)
