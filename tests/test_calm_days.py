"""The default breakers on real prices, replayed as the market service replays them: a price a market minute."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import numpy as np
import pytest

from quantmesh.market.adapters.bundled import BundledProvider, load_calendars
from quantmesh.market.core.common_closes import CloseSeries
from quantmesh.market.core.model import Asset
from quantmesh.market.core.replay_prices import session_prices
from quantmesh.market.core.ticks import PRICE_SCALE
from quantmesh.portfolio.adapters.venue.settings import VenueSettings
from quantmesh.portfolio.core.halts.index_fall import IndexFall
from quantmesh.portfolio.core.halts.price_band import PriceBand

DEFAULTS = VenueSettings()
SECONDS = 390 * 60
Prices = Sequence[tuple[datetime, Decimal]]


@pytest.fixture(scope="module")
def provider() -> BundledProvider:
    return BundledProvider()


def closes_of(provider: BundledProvider, symbol: str) -> CloseSeries:
    bars = provider.bars(symbol)
    days = np.array([date.fromisoformat(bar.date).toordinal() for bar in bars], dtype=np.int32)
    return CloseSeries(days, days.astype(np.int64), np.array([float(bar.close) for bar in bars]))


def sessions(provider: BundledProvider, symbol: str, start: date, end: date) -> Iterator[tuple[date, Prices]]:
    listing = next(listing for listing in provider.listings() if listing.symbol == symbol)
    asset, closes = Asset(UUID(int=1), 1, listing), {symbol: closes_of(provider, symbol)}
    calendar = load_calendars()["XNYS"]
    for day in (date.fromordinal(int(ordinal)) for ordinal in closes[symbol].days):
        if start <= day <= end:
            close_at = calendar.close(day)
            row = session_prices([asset], closes, day, SECONDS).prices[0]
            yield (
                day,
                [
                    (close_at - timedelta(seconds=SECONDS - second), Decimal(int(row[second])).scaleb(-PRICE_SCALE))
                    for second in range(0, SECONDS + 1, 60)
                ],
            )


@pytest.mark.parametrize("symbol", ["AMD", "RRC", "SIZE"])
def test_the_sessions_that_the_replay_plays_by_default_trip_nothing(provider: BundledProvider, symbol: str) -> None:
    band, fall = PriceBand(symbol, DEFAULTS.band), IndexFall(DEFAULTS.index)
    played = 0
    for _, prices in sessions(provider, symbol, date(2022, 10, 3), date(2022, 12, 28)):
        played += 1
        last_close = prices[0][1]
        for moment, price in prices:
            assert band.on_price(moment, price) is None
            assert not band.in_limit_state
            assert symbol != DEFAULTS.index.symbol or fall.on_price(moment, price, last_close) is None
    assert played == 61


def test_in_march_2020_the_market_halts_on_the_four_days_on_which_it_did(provider: BundledProvider) -> None:
    """The New York Stock Exchange halted all trading at 7 % on the 9th, 12th, 16th and 18th.

    The path within a day is invented between real closes, so that another day of that month may reach the level too.
    """
    fall = IndexFall(DEFAULTS.index)
    halted = [
        (day.day, trip.level)
        for day, prices in sessions(provider, DEFAULTS.index.symbol, date(2020, 3, 2), date(2020, 3, 31))
        for moment, price in prices
        if (trip := fall.on_price(moment, price, prices[0][1])) is not None
    ]
    assert {9, 12, 16, 18} <= {day for day, _ in halted} <= {9, 12, 16, 18, 20}
    assert len(set(halted)) == len(halted)
