from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from quantmesh.market.core.calendars import AroundTheClock
from quantmesh.market.core.errors import InvalidSymbol
from quantmesh.market.core.model import Adjustment, Asset, AssetClass, AssetListing, Bar, Quote, checked_symbol
from quantmesh.market.core.quotes import LIVE_FOR, judged, quote_of_close

CALENDAR = AroundTheClock()
NOW = datetime(2020, 1, 3, 12, tzinfo=UTC)
LISTING = AssetListing(
    "BTC-USD", "Bitcoin", AssetClass.CRYPTO, "USD", "24/7", Decimal("0.01"), Decimal(1), Adjustment.RAW
)
ASSET = Asset(UUID(int=1), 1, LISTING)


def close_of(day: date) -> Bar:
    return Bar(day, CALENDAR.close(day), Decimal("7344.96"))


def live(received_at: datetime | None) -> Quote:
    return Quote("AAPL", Decimal(10), NOW, "replay", "USD", Decimal(9), Decimal(11), received_at=received_at)


def test_the_close_of_the_last_session_is_fresh() -> None:
    quote = quote_of_close(ASSET, close_of(date(2020, 1, 2)), CALENDAR, NOW)
    assert (quote.price, quote.source, quote.stale, quote.bid) == (Decimal("7344.96"), "close", False, None)
    assert quote.time == datetime(2020, 1, 3, tzinfo=UTC)


def test_a_close_that_a_later_session_should_have_replaced_is_stale() -> None:
    assert quote_of_close(ASSET, close_of(date(2020, 1, 1)), CALENDAR, NOW).stale


@pytest.mark.parametrize(("silence", "stale"), [(timedelta(0), False), (LIVE_FOR, False), (2 * LIVE_FOR, True)])
def test_a_live_quote_is_stale_once_the_feed_is_silent(silence: timedelta, stale: bool) -> None:
    assert judged(live(NOW - silence), NOW, feed_open=True).stale is stale


def test_a_live_quote_is_stale_when_the_feed_has_stopped() -> None:
    assert judged(live(NOW), NOW, feed_open=False).stale
    assert judged(live(None), NOW, feed_open=True).stale


def test_crossed_and_empty_quotes_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="make no quote"):
        Quote("AAPL", Decimal(10), NOW, "replay", "USD", Decimal(11), Decimal(9))
    with pytest.raises(ValueError, match="make no quote"):
        Quote("AAPL", Decimal(0), NOW, "replay", "USD")


@pytest.mark.parametrize("text", ["AAPL", "BRK-B", "7203", "SPY221216C00400000", "A" * 32])
def test_symbols(text: str) -> None:
    assert checked_symbol(text) == text


@pytest.mark.parametrize("text", ["", "aapl", "-A", "A B", "A.B", "A" * 33, "ÄÖ", "A\n", "9️⃣"])
def test_what_is_no_symbol(text: str) -> None:
    with pytest.raises(InvalidSymbol) as caught:
        checked_symbol(text, "symbols[0]")
    assert caught.value.violations[0].field == "symbols[0]"
