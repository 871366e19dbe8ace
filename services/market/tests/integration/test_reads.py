"""Nothing is seen before its session has closed; pages and closes agree with each other."""

from datetime import UTC, date, datetime
from decimal import Decimal

import numpy as np
import pytest

from quantmesh.market.core.errors import (
    InvalidCursor,
    InvalidDate,
    InvalidSymbol,
    NoChain,
    NoChainYet,
    NoCommonDays,
    TooManySymbols,
    UnknownSymbol,
)
from quantmesh.market.core.get_bars import get_bars
from quantmesh.market.core.get_closes import get_closes
from quantmesh.market.core.get_option_chain import get_option_chain
from quantmesh.market.core.get_quotes import get_quotes
from quantmesh.market.core.list_assets import list_assets
from quantmesh.market.core.model import AssetClass, Interval
from quantmesh.market.core.pages import encode_cursor
from services.market.tests.integration.conftest import FIRST, SYSTEM_NOW, Parts, at

FUTURE = datetime(2030, 1, 1, tzinfo=UTC)


async def test_no_read_goes_beyond_the_markets_now(reading: Parts) -> None:
    bars = await get_bars(reading.market, "MTUM", start="2022-09-01", as_of=FUTURE)
    assert bars.bars[-1].day == date(2022, 9, 30)
    _symbols, closes = await get_closes(reading.market, ["MTUM", "QUAL"], as_of=FUTURE)
    assert date.fromordinal(int(closes.days[-1])) == date(2022, 9, 30)
    (quote,) = (await get_quotes(reading.market, ["MTUM"], FUTURE, SYSTEM_NOW)).quotes
    assert (quote.time, quote.source) == (at(date(2022, 9, 30), 20), "close")


async def test_a_bar_appears_at_the_close_of_its_session(reading: Parts) -> None:
    for position, last in (
        (reading.plan.advance(reading.plan.start, 389.9), date(2022, 9, 30)),
        (reading.plan.advance(reading.plan.start, 390), FIRST),
    ):
        reading.clock.show(position)
        assert (await get_bars(reading.market, "MTUM", start="2022-09-01")).bars[-1].day == last


async def test_as_of_is_the_price_then(reading: Parts) -> None:
    found = await get_quotes(reading.market, ["LTC-USD", "MTUM", "NOPE"], at(date(2019, 3, 25), 12), SYSTEM_NOW)
    litecoin, fund = found.quotes
    assert found.missing == ["NOPE"]
    assert (litecoin.price, litecoin.stale) == (Decimal("59.45"), True), "the hole of March 2019"
    assert (fund.time, fund.stale, fund.bid) == (at(date(2019, 3, 22), 20), False, None)
    before = await get_quotes(reading.market, ["MTUM"], at(date(2014, 1, 2), 20, 59), SYSTEM_NOW)
    assert before.missing == ["MTUM"]


async def test_pages_of_bars_add_up_to_the_whole(reading: Parts) -> None:
    whole = (await get_bars(reading.market, "FB-RAW", limit=10_000)).bars
    pages, cursor = [], ""
    while True:
        page = await get_bars(reading.market, "FB-RAW", limit=83, cursor=cursor)
        pages += page.bars
        cursor = page.next_cursor
        if not cursor:
            break
    assert pages == whole
    assert whole[0].day == date(2012, 5, 18)


@pytest.mark.parametrize("interval", [Interval.WEEK, Interval.MONTH])
async def test_pages_of_weeks_and_months_add_up_too(reading: Parts, interval: Interval) -> None:
    whole = (await get_bars(reading.market, "FB-RAW", interval)).bars
    first = await get_bars(reading.market, "FB-RAW", interval, limit=3)
    rest = await get_bars(reading.market, "FB-RAW", interval, cursor=first.next_cursor)
    assert first.bars + rest.bars == whole
    days = (await get_bars(reading.market, "FB-RAW", limit=10_000)).bars
    assert sum(bar.volume or 0 for bar in whole) == sum(bar.volume or 0 for bar in days)


async def test_closes_are_those_of_the_bars(reading: Parts) -> None:
    symbols, found = await get_closes(reading.market, ["VIX", "FB-RAW", "LTC-USD", "VIX"][:1], observations=50)
    bars = (await get_bars(reading.market, "VIX", limit=10_000)).bars[-50:]
    assert symbols == ["VIX"]
    assert found.closes[0].tolist() == [float(bar.close) for bar in bars]
    assert [date.fromordinal(day) for day in found.days.tolist()] == [bar.day for bar in bars]


async def test_closes_of_stocks_and_crypto_stand_on_common_days(reading: Parts) -> None:
    _symbols, found = await get_closes(reading.market, ["LTC-USD", "MTUM"], start="2019-03-01", end="2019-04-05")
    days = [date.fromordinal(day) for day in found.days.tolist()]
    assert date(2019, 3, 19) in days
    assert date(2019, 3, 20) not in days, "no bar of LTC"
    assert date(2019, 3, 3) not in days, "a Sunday"
    assert np.isfinite(found.closes).all()


async def test_closes_without_a_common_day_are_refused_by_name(reading: Parts) -> None:
    with pytest.raises(NoCommonDays, match="FB-RAW, MTUM"):
        await get_closes(reading.market, ["FB-RAW", "MTUM"])


async def test_the_chain_of_spy_is_known_from_its_snapshot_on(reading: Parts) -> None:
    chain = await get_option_chain(reading.market, "SPY")
    assert (len(chain.quotes), chain.source) == (427, "bundled")
    assert await reading.market.assets.find([chain.quotes[0].contract.symbol])
    with pytest.raises(NoChainYet, match="2022-07-15T14:22:56Z"):
        await get_option_chain(reading.market, "SPY", datetime(2022, 7, 15, 14, 22, 56, tzinfo=UTC))
    with pytest.raises(NoChain, match="BTC-USD, GLD, SPY, SQQQ, VIX"):
        await get_option_chain(reading.market, "MTUM")


async def test_the_catalogue_is_searched_and_paged(reading: Parts) -> None:
    page = await list_assets(reading.market, asset_class=AssetClass.STOCK, limit=3)
    assert [asset.symbol for asset in page.assets] == ["AAPL", "AAPL-RAW", "AMD"]
    following = await list_assets(reading.market, asset_class=AssetClass.STOCK, limit=1, cursor=page.next_cursor)
    assert [asset.symbol for asset in following.assets] == ["BAC"]
    assert [asset.symbol for asset in (await list_assets(reading.market, search="bitco")).assets] == ["BTC-USD"]
    assert (await list_assets(reading.market, search="%")).assets == []


async def test_options_are_assets_with_their_terms(reading: Parts) -> None:
    (asset,) = (await reading.market.assets.find(["SPY221216C00400000"])).values()
    assert asset.listing.metadata == {
        "underlying": "SPY",
        "option_type": "call",
        "strike": "400",
        "expiry": "2022-12-16T21:00:00Z",
        "multiplier": "100",
        "exercise": "american",
        "settlement": "physical",
    }


async def test_bad_requests_are_named(reading: Parts) -> None:
    market = reading.market
    with pytest.raises(UnknownSymbol, match="NOPE"):
        await get_closes(market, ["MTUM", "NOPE"])
    with pytest.raises(InvalidSymbol):
        await get_quotes(market, ["mtum"], None, SYSTEM_NOW)
    with pytest.raises(TooManySymbols):
        await get_quotes(market, [], None, SYSTEM_NOW)
    with pytest.raises(InvalidDate, match="is after the end"):
        await get_bars(market, "MTUM", start="2022-01-02", end="2022-01-01")
    with pytest.raises(InvalidDate, match="is after the last day that is known"):
        await get_bars(market, "MTUM", start="9999-12-31")
    for text in ("2022-13-01", "yesterday", "20220101", "2022-W01-1"):
        with pytest.raises(InvalidDate, match="write YYYY-MM-DD"):
            await get_bars(market, "MTUM", end=text)
    for cursor in ("!", "bm90IGEgZGF0ZQ", "é", encode_cursor("9999-12-31")):
        with pytest.raises(InvalidCursor):
            await get_bars(market, "MTUM", cursor=cursor)
