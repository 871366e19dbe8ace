from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import numpy as np
import pytest

from quantmesh.market.adapters.bundled import load_calendars
from quantmesh.market.adapters.tick_buffer import TickBuffer
from quantmesh.market.core.common_closes import CloseSeries
from quantmesh.market.core.feed_clock import FeedClock
from quantmesh.market.core.model import Adjustment, Asset, AssetClass, AssetListing
from quantmesh.market.core.replay import ReplayPlan
from quantmesh.market.core.replay_prices import SessionPrices, session_prices

DAY = date(2022, 10, 3)
SECONDS = 390
_UNITS = 10**8


def asset(symbol: str, tick_size: str = "0.001") -> Asset:
    sizes = Decimal(tick_size), Decimal(1)
    listing = AssetListing(
        symbol, symbol, AssetClass.STOCK, "USD", "XNYS", *sizes, Adjustment.TOTAL_RETURN, tradable=True
    )
    return Asset(UUID(int=1), 1, listing)


def closes(values: list[float], last: date = DAY) -> CloseSeries:
    days = np.array([last.toordinal() - len(values) + 1 + n for n in range(len(values))], dtype=np.int32)
    return CloseSeries(days, days.astype(np.int64), np.array(values))


def prices_of(values: list[float], tick_size: str = "0.001") -> SessionPrices:
    return session_prices([asset("AAPL", tick_size)], {"AAPL": closes(values)}, DAY, SECONDS)


def test_a_session_runs_from_the_previous_close_to_its_own_in_whole_ticks() -> None:
    prices = prices_of([137.123, 137.654, 141.884])
    row = prices.prices[0]
    assert (row[0], row[-1]) == (13_765_400_000, 14_188_400_000)
    assert not (row % 100_000).any()
    assert np.unique(row).size > 100


@pytest.mark.parametrize("half_spread_bps", [0.0, 1.0, 250.0])
def test_bid_and_ask_enclose_the_price_by_the_half_spread(half_spread_bps: float) -> None:
    prices = prices_of([100.0, 101.0, 102.0])
    for second in (0.0, 200.7, 1e9):
        price, bid, ask = prices.at(second, half_spread_bps)
        half = price * half_spread_bps / 10_000
        assert (bid <= price - half).all()
        assert (ask >= price + half).all()
        assert (np.abs((ask - bid) - 2 * half) <= 2 * prices.tick_units).all()


def test_a_bid_never_reaches_zero() -> None:
    price, bid, ask = prices_of([0.02, 0.02, 0.02], "0.01").at(SECONDS, 9_999)
    assert price.tolist() == [2_000_000]
    assert (bid > 0).all()
    assert (ask >= price).all()


def test_an_asset_without_a_close_on_the_day_or_before_it_is_not_played() -> None:
    series = {"AAPL": closes([1.0, 2.0], date(2022, 9, 30)), "MSFT": closes([2.0]), "KO": closes([1.0, 1.0])}
    prices = session_prices([asset(symbol) for symbol in series], series, DAY, SECONDS)
    assert prices.symbols == ("KO",)
    nothing = session_prices([asset("AAPL")], {"AAPL": closes([], DAY)}, DAY, SECONDS)
    assert nothing.at(0.0, 1.0)[0].size == 0


@pytest.mark.parametrize("close", [1e11, 1e15, 1e20])
def test_an_asset_whose_price_no_tick_can_hold_is_not_played(close: float) -> None:
    assert prices_of([100.0, close, 101.0]).symbols == ()
    assert prices_of([100.0, 100.0, close]).symbols == ()


def test_the_clock_shows_the_feed_and_why_it_stands_still() -> None:
    plan = ReplayPlan(load_calendars()["XNYS"], DAY, DAY, 390)
    clock = FeedClock(plan, plan.start)
    assert (clock.now(), clock.is_open, clock.detail) == (datetime(2022, 10, 3, 13, 30, tzinfo=UTC), True, "")
    close = datetime(2022, 10, 3, 20, 0, tzinfo=UTC)
    assert (clock.last_session, clock.current_session, clock.session_close) == (date(2022, 9, 30), DAY, close)
    clock.pause("away")
    assert (clock.is_open, clock.detail) == (False, "away")
    clock.show(plan.next_session(plan.advance(plan.start, 1e6)))
    assert (clock.is_open, clock.last_session, clock.current_session, clock.session_close) == (False, DAY, None, None)
    assert "rewind" in clock.detail


def test_batches_of_ticks_follow_each_other_across_rewinds() -> None:
    micros = [int(timedelta(hours=hours) / timedelta(microseconds=1)) for hours in (500_000, 500_001, 400_000)]
    column = np.array([1, 2], dtype=np.int64)
    sequences = []
    for epoch, moment in zip((1, 1, 2), micros, strict=True):
        buffer = TickBuffer("replay", epoch)
        assert buffer.take() is None
        buffer.add(("AAPL", "MSFT"), moment, column, column, column)
        buffer.add(("AAPL", "MSFT"), moment + 1, column, column, column)
        batch = buffer.take()
        assert batch is not None
        assert batch.symbol_index.tolist() == [0, 1, 0, 1]
        assert batch.time_micros.tolist() == [moment, moment, moment + 1, moment + 1]
        sequences.append(batch.sequence)
    assert sequences == sorted(set(sequences))
    assert max(sequences) < 2**63
