"""What is known of the market without asking it: the feed's last quotes, in a session that was told to be on."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from quantmesh.api.common.v1 import common_pb2
from quantmesh.api.market.v1 import market_pb2 as pb
from quantmesh.chassis.times import to_timestamp
from quantmesh.portfolio.adapters.live_quotes import LiveQuotes
from quantmesh.portfolio.core.market import MarketClock

from .fakes import TickingClock

NOON = datetime(2022, 12, 20, 17, 0, tzinfo=UTC)
CLOSE = datetime(2022, 12, 20, 21, 0, tzinfo=UTC)
SESSION = MarketClock(NOON, open=True, session_close=CLOSE)
AGES_FROM_NOW = 1e9


class Feed:
    def __init__(self) -> None:
        self.clock = TickingClock()
        self.quotes = LiveQuotes(self.clock)
        self.quotes.tell(SESSION, AGES_FROM_NOW)

    async def send(self, symbol: str = "AAPL", price: str = "130.00", at: datetime = NOON) -> None:
        number = common_pb2.Decimal(value=price)
        message = pb.Quote(
            symbol=symbol,
            price=number,
            bid=number,
            ask=number,
            time=to_timestamp(at),
            received_at=to_timestamp(self.clock.time),
        )
        await self.quotes.handle(f"quotes.{symbol}", message.SerializeToString())


@pytest.fixture
def feed(monkeypatch: pytest.MonkeyPatch) -> Feed:
    # However long the machine stalls between a quote and a look at it.
    monkeypatch.setattr("quantmesh.portfolio.adapters.live_quotes._HEARD_SECONDS", 3600.0)
    return Feed()


async def test_the_last_quote_is_known_with_the_markets_time_at_it(feed: Feed) -> None:
    await feed.send(price="130.00")
    later = NOON + timedelta(seconds=3)
    await feed.send(price="131.00", at=later)
    found = feed.quotes.now(["AAPL"])
    assert found is not None
    clock, quotes = found
    assert clock == replace(SESSION, time=later)
    assert str(quotes["AAPL"].price) == "131.00"


async def test_of_several_all_have_to_be_known(feed: Feed) -> None:
    await feed.send("AAPL")
    assert feed.quotes.now(["AAPL", "MSFT"]) is None
    await feed.send("MSFT")
    assert feed.quotes.now(["AAPL", "MSFT"]) is not None


async def test_a_quote_is_not_known_while_those_of_a_later_moment_arrive(feed: Feed) -> None:
    for symbol in ("AAPL", "MSFT"):
        await feed.send(symbol)
    later = NOON + timedelta(seconds=1)
    await feed.send("AAPL", at=later)
    assert feed.quotes.now(["MSFT"]) is None
    assert feed.quotes.now(["AAPL", "MSFT"]) is None
    assert feed.quotes.now(["AAPL"]) is not None
    await feed.send("MSFT", at=later)
    assert feed.quotes.now(["AAPL", "MSFT"]) is not None


async def test_a_quote_that_was_sent_seconds_ago_is_not_known(feed: Feed) -> None:
    await feed.send()
    feed.clock.time += timedelta(seconds=2)
    assert feed.quotes.now(["AAPL"]) is None


async def test_a_feed_that_is_silent_is_not_known_whatever_its_quotes_say(
    feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    await feed.send()
    monkeypatch.setattr("time.monotonic", lambda: 0.9 * AGES_FROM_NOW)
    assert feed.quotes.now(["AAPL"]) is None


@pytest.mark.parametrize(
    "told",
    [
        replace(SESSION, open=False),
        replace(SESSION, session_close=None),
        replace(SESSION, session_close=NOON),
        replace(SESSION, time=CLOSE),
    ],
)
async def test_a_market_that_is_not_in_a_session_is_asked(feed: Feed, told: MarketClock) -> None:
    feed.quotes.tell(told, AGES_FROM_NOW)
    await feed.send()
    assert feed.quotes.now(["AAPL"]) is None


async def test_a_session_ends_with_the_quote_at_its_close(feed: Feed) -> None:
    await feed.send(at=CLOSE)
    assert feed.quotes.now(["AAPL"]) is None


async def test_what_the_market_told_ages(feed: Feed) -> None:
    await feed.send()
    feed.quotes.tell(SESSION, 0.0)
    assert feed.quotes.now(["AAPL"]) is None


async def test_after_a_rewind_nothing_is_known_until_the_market_tells_its_time(feed: Feed) -> None:
    await feed.send("AAPL")
    await feed.send("MSFT")
    before = NOON - timedelta(days=1)
    await feed.send("AAPL", at=before)
    assert feed.quotes.now(["AAPL"]) is None
    feed.quotes.tell(replace(SESSION, time=before), AGES_FROM_NOW)
    assert feed.quotes.now(["MSFT"]) is None
    assert feed.quotes.now(["AAPL"]) is not None


async def test_what_is_no_quote_changes_nothing(feed: Feed) -> None:
    await feed.send()
    await feed.quotes.handle("quotes.AAPL", b"\xff")
    assert feed.quotes.now(["AAPL"]) is not None
