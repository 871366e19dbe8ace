"""The bundled data is taken in whole, once, and goes on where it stopped."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

import pytest

from quantmesh.chassis.errors import Unavailable
from quantmesh.market.adapters.bundled import LAST_SESSION, BundledProvider
from quantmesh.market.core.backfill import backfill
from quantmesh.market.core.get_quotes import get_quotes
from quantmesh.market.core.parse_bars import RawBar
from services.market.tests.integration.conftest import SYMBOLS, SYSTEM_NOW, Parts, SomeSeries, rows


class CutOff(SomeSeries):
    """Fails at the third symbol, as a provider may."""

    def bars(self, symbol: str) -> list[RawBar]:
        if symbol == self.chosen[2]:
            msg = "the provider went away"
            raise Unavailable(msg)
        return super().bars(symbol)


class Counting(SomeSeries):
    def __init__(self, symbols: Sequence[str] = SYMBOLS) -> None:
        super().__init__(symbols)
        self.asked: list[str] = []

    def bars(self, symbol: str) -> list[RawBar]:
        self.asked.append(symbol)
        return super().bars(symbol)


async def test_the_whole_of_the_bundled_data_is_taken_in(empty: Parts) -> None:
    done = await backfill(empty.market, BundledProvider())
    counts = {one.asset.symbol: len(one.bars) for one in done}
    assert len(counts) == 37
    assert counts["AAPL"] == counts["SP500"] == 8313
    assert counts["GSPC"] == 5031
    assert {one.asset.symbol: len(one.rejections) for one in done if one.rejections} == {"VIX": 46}
    assert {one.asset.symbol: len(one.gaps) for one in done if one.gaps} == dict.fromkeys(
        ["BTC-USD", "ETH-USD", "LTC-USD"], 12
    )
    tradable = [one for one in done if one.asset.listing.tradable]
    assert len(tradable) == 25
    assert {one.bars[-1].day for one in tradable} == {LAST_SESSION}
    assert await rows(empty.database, "SELECT count(*) FROM bar") == [(sum(counts.values()),)]
    assert await rows(empty.database, "SELECT count(*) FROM bar_staging") == [(0,)]
    apple = await rows(
        empty.database, "SELECT close FROM bar JOIN asset USING (series) WHERE symbol = 'AAPL' AND day = '2020-01-02'"
    )
    assert [str(close) for (close,) in apple] == ["73.348000000000000000"]


async def test_bad_rows_are_kept_apart_with_line_field_and_reason(parts: Parts) -> None:
    found = await rows(
        parts.database, "SELECT symbol, line, field, reason, found FROM quarantine ORDER BY line LIMIT 1"
    )
    assert [row[0] for row in found] == ["VIX"]
    assert found[0][2:] == ("date", "is no session of XNYS", "2014-01-20")


async def test_what_was_taken_in_is_not_asked_for_again(parts: Parts) -> None:
    provider = Counting()
    assert await backfill(parts.market, provider) == []
    assert provider.asked == []


async def test_goes_on_where_it_was_cut_off(empty: Parts) -> None:
    with pytest.raises(Unavailable):
        await backfill(empty.market, CutOff())
    provider = Counting()
    await backfill(empty.market, provider)
    assert provider.asked == list(SYMBOLS[2:])
    assert await rows(empty.database, "SELECT count(*) FROM checkpoint") == [(len(SYMBOLS),)]


class Corrected(SomeSeries):
    """Another version of the S&P 500, whose last known close is higher."""

    version = "corrected"

    def __init__(self) -> None:
        super().__init__(["SP500"])

    def bars(self, symbol: str) -> list[RawBar]:
        return [row._replace(close="3600") if row.date == "2022-09-30" else row for row in super().bars(symbol)]


async def test_a_corrected_close_takes_the_place_of_the_cached_one(parts: Parts) -> None:
    prices = []
    for _ in range(2):
        (quote,) = (await get_quotes(parts.market, ["SP500"], None, SYSTEM_NOW)).quotes
        prices.append(quote.price)
        await backfill(parts.market, Corrected())
    assert prices == [Decimal("3585.62"), Decimal(3600)]


async def test_announces_the_bars_that_are_known_and_not_those_to_come(parts: Parts) -> None:
    found = await rows(
        parts.database, "SELECT aggregate_id, occurred_at FROM outbox WHERE subject = 'market.bars.ingested'"
    )
    assert sorted(str(symbol) for symbol, _ in found) == sorted(SYMBOLS)
    assert {occurred for _, occurred in found} == {parts.clock.now()}
    checkpoint = await rows(parts.database, "SELECT last_day FROM checkpoint WHERE symbol = 'MTUM'")
    assert checkpoint == [(date(2022, 12, 28),)], "it is stored up to the end, for the replay"
