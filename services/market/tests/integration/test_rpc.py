"""MarketService over a real channel: access, errors, and the shapes of its answers."""

import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from google.protobuf.message import Message

from quantmesh.api.common.v1.common_pb2 import PageRequest
from quantmesh.api.market.v1 import market_pb2 as pb
from quantmesh.api.market.v1.market_pb2_grpc import MarketServiceStub, add_MarketServiceServicer_to_server
from quantmesh.chassis.context import CallContext, Caller, set_call
from quantmesh.chassis.errors import InvalidInput, NotFound, PermissionDenied, QuantmeshError, RuleBroken
from quantmesh.chassis.identity import AUDIENCE, ISSUER, TOKEN_TYPE, TokenVerifier
from quantmesh.chassis.rpc import Peer, RpcServer, open_channel
from quantmesh.chassis.times import from_timestamp, to_timestamp
from quantmesh.market.adapters.rpc import MarketRpc
from services.market.tests.integration.conftest import Parts

KEY = Ed25519PrivateKey.generate()
# A number that no enum has.
_NONE: Any = 99


class OneKey:
    async def key(self, kid: str) -> Ed25519PublicKey | None:
        return KEY.public_key() if kid == "k1" else None


@dataclass
class Client:
    peer: Peer
    stub: MarketServiceStub

    def act_with(self, scope: str) -> None:
        now = int(time.time())
        claims = {
            "sub": str(uuid.uuid4()),
            "iss": ISSUER,
            "aud": AUDIENCE,
            "iat": now,
            "exp": now + 300,
            "scope": scope,
        }
        token = jwt.encode(claims, KEY, algorithm="EdDSA", headers={"kid": "k1", "typ": TOKEN_TYPE})
        set_call(CallContext(caller=Caller("", frozenset(), frozenset(), "", "", token, 0.0, None)))


@pytest.fixture
async def client(reading: Parts) -> AsyncIterator[Client]:
    server = RpcServer("127.0.0.1:0", TokenVerifier(OneKey()))
    server.add_servicer(
        add_MarketServiceServicer_to_server, MarketRpc(reading.market, reading.clock, reading.system_clock)
    )
    await server.start()
    peer = Peer("market", open_channel(f"127.0.0.1:{server.port}", []), timeout_seconds=30.0)
    client = Client(peer, MarketServiceStub(peer.channel))
    client.act_with("market:read")
    yield client
    await peer.close()
    await server.stop(1.0)


async def test_the_clock_tells_market_time(client: Client, reading: Parts) -> None:
    answer = await client.peer.call(client.stub.GetClock, pb.GetClockRequest())
    assert from_timestamp(answer.market_time) == reading.clock.now()
    assert (answer.open, answer.source, answer.last_session, answer.current_session, answer.detail) == (
        True,
        "replay",
        "2022-09-30",
        "2022-10-03",
        "",
    )
    assert from_timestamp(answer.session_close) == datetime(2022, 10, 3, 20, 0, tzinfo=UTC)


async def test_an_asset_says_how_its_series_is_adjusted(client: Client) -> None:
    for symbol, adjustment in (("AAPL", pb.ADJUSTMENT_TOTAL_RETURN), ("AAPL-RAW", pb.ADJUSTMENT_RAW)):
        asset = (await client.peer.call(client.stub.GetAsset, pb.GetAssetRequest(symbol=symbol))).asset
        assert (asset.adjustment, asset.asset_class, asset.currency) == (adjustment, pb.ASSET_CLASS_STOCK, "USD")
        assert uuid.UUID(asset.id).version == 7


async def test_bars_without_opens_leave_them_out(client: Client) -> None:
    request = pb.GetBarsRequest(symbol="MTUM", interval=pb.INTERVAL_DAY, page=PageRequest(limit=2))
    answer = await client.peer.call(client.stub.GetBars, request)
    assert (len(answer.bars), answer.source, bool(answer.page.next_cursor)) == (2, "bundled", True)
    assert answer.bars[0].date == "2014-01-02"
    assert answer.bars[0].close.value == "52.704"
    assert not answer.bars[0].HasField("open")


async def test_closes_quotes_and_chain_answer(client: Client) -> None:
    closes = await client.peer.call(
        client.stub.GetCloses, pb.GetClosesRequest(symbols=["MTUM", "QUAL"], observations=250)
    )
    assert (len(closes.dates), closes.dates[-1]) == (250, "2022-09-30")
    assert [len(series.closes) for series in closes.series] == [250, 250]
    quotes = await client.peer.call(
        client.stub.GetQuotes, pb.GetQuotesRequest(symbols=["MTUM", "NOPE"], as_of=closes.as_of)
    )
    assert float(quotes.quotes[0].price.value) == closes.series[0].closes[-1]
    assert list(quotes.missing) == ["NOPE"]
    chain = await client.peer.call(client.stub.GetOptionChain, pb.GetOptionChainRequest(underlying="SPY"))
    assert len(chain.options) == 427
    assert all(0 < one.bid_implied_volatility <= one.ask_implied_volatility for one in chain.options)


async def test_the_close_history_of_each_is_on_its_own_days(client: Client) -> None:
    symbols = ["MTUM", "LTC-USD", "NOPE"]
    start, end = "2020-01-16", "2020-01-22"
    answer = await client.peer.call(
        client.stub.GetCloseHistory, pb.GetCloseHistoryRequest(symbols=symbols, start=start, end=end)
    )
    days = {series.symbol: [date.fromordinal(day) for day in series.days] for series in answer.series}
    # The coin's series ends on a Friday, and Monday 2020-01-20 was a holiday of the exchange's.
    assert days == {
        "MTUM": [date(2020, 1, day) for day in (16, 17, 21, 22)],
        "LTC-USD": [date(2020, 1, 16), date(2020, 1, 17)],
    }
    for series in answer.series:
        alone = await client.peer.call(
            client.stub.GetCloses, pb.GetClosesRequest(symbols=[series.symbol], start=start, end=end)
        )
        assert [day.isoformat() for day in days[series.symbol]] == list(alone.dates)
        assert list(series.closes) == list(alone.series[0].closes)
    before = pb.GetCloseHistoryRequest(
        symbols=symbols, start=start, end=end, as_of=to_timestamp(datetime(2020, 1, 17, 12, tzinfo=UTC))
    )
    known = (await client.peer.call(client.stub.GetCloseHistory, before)).series
    assert [list(series.days) for series in known] == [[date(2020, 1, 16).toordinal()]] * 2
    none = pb.GetCloseHistoryRequest(symbols=symbols, start="1990-01-01", end="1990-12-31")
    assert not (await client.peer.call(client.stub.GetCloseHistory, none)).series
    unknown = await client.peer.call(client.stub.GetCloseHistory, pb.GetCloseHistoryRequest(symbols=["NOPE"]))
    assert not unknown.series


async def test_a_close_history_in_the_wrong_order_of_days_is_refused(client: Client) -> None:
    request = pb.GetCloseHistoryRequest(symbols=["MTUM"], start="2022-09-02", end="2022-09-01")
    with pytest.raises(InvalidInput, match="after the end"):
        await client.peer.call(client.stub.GetCloseHistory, request)


async def test_exchange_rates_answer_up_to_the_market_s_now(client: Client) -> None:
    pairs = [pb.CurrencyPair(base="EUR", quote="USD"), pb.CurrencyPair(base="EUR", quote="XAU")]
    answer = await client.peer.call(client.stub.GetExchangeRates, pb.GetExchangeRatesRequest(pairs=pairs))
    # It is the morning of Monday 2022-10-03; Friday's rate is the last one that is known.
    assert [(rate.rate.value, rate.date, rate.stale) for rate in answer.rates] == [("0.9748", "2022-09-30", False)]
    assert ([pair.quote for pair in answer.missing], answer.source) == (["XAU"], "ecb")
    later = pb.GetExchangeRatesRequest(pairs=pairs[:1], date="2022-12-01")
    (rate,) = (await client.peer.call(client.stub.GetExchangeRates, later)).rates
    assert (rate.date, rate.stale) == ("2022-09-30", True)
    history = await client.peer.call(
        client.stub.GetExchangeRateHistory, pb.GetExchangeRateHistoryRequest(pairs=pairs, start="2022-09-25")
    )
    (series,) = history.series
    assert (series.quote, series.dates[0], series.dates[-1]) == ("USD", "2022-09-23", "2022-09-30")
    assert series.rates[-1].value == "0.9748"


@pytest.mark.parametrize(
    ("method", "request_", "kind", "problem"),
    [
        ("GetAsset", pb.GetAssetRequest(symbol="NOPE"), NotFound, "unknown-symbol"),
        ("GetAsset", pb.GetAssetRequest(symbol="no pe"), InvalidInput, "invalid-symbol"),
        ("GetBars", pb.GetBarsRequest(symbol="MTUM", start="soon"), InvalidInput, "invalid-date"),
        ("GetBars", pb.GetBarsRequest(symbol="MTUM", interval=_NONE), InvalidInput, "invalid-input"),
        ("GetBars", pb.GetBarsRequest(symbol="MTUM", page=PageRequest(cursor="%")), InvalidInput, "invalid-cursor"),
        ("GetCloses", pb.GetClosesRequest(symbols=["FB-RAW", "MTUM"]), RuleBroken, "no-common-days"),
        ("GetCloses", pb.GetClosesRequest(), InvalidInput, "too-many-symbols"),
        ("GetOptionChain", pb.GetOptionChainRequest(underlying="MTUM"), NotFound, "no-option-chain"),
        ("GetExchangeRates", pb.GetExchangeRatesRequest(), InvalidInput, "invalid-input"),
        (
            "GetExchangeRates",
            pb.GetExchangeRatesRequest(pairs=[pb.CurrencyPair(base="usd", quote="EUR")]),
            InvalidInput,
            "invalid-input",
        ),
        (
            "GetExchangeRateHistory",
            pb.GetExchangeRateHistoryRequest(
                pairs=[pb.CurrencyPair(base="USD", quote="EUR")], start="2020-01-02", end="2020-01-01"
            ),
            InvalidInput,
            "invalid-date",
        ),
        ("ListAssets", pb.ListAssetsRequest(asset_class=_NONE), InvalidInput, "invalid-input"),
        ("ListAssets", pb.ListAssetsRequest(search="x" * 65), InvalidInput, "invalid-input"),
        ("ImportBars", pb.ImportBarsRequest(csv=b"symbol,date,close\n"), InvalidInput, "invalid-input"),
        (
            "ImportBars",
            pb.ImportBarsRequest(csv=b"\xff", adjustment=pb.ADJUSTMENT_RAW),
            InvalidInput,
            "invalid-csv",
        ),
    ],
)
async def test_what_cannot_be_answered_says_why(
    client: Client, method: str, request_: Message, kind: type[QuantmeshError], problem: str
) -> None:
    client.act_with("market:read market:write")
    with pytest.raises(kind) as caught:
        await client.peer.call(getattr(client.stub, method), request_)
    assert caught.value.problem == problem
    assert caught.value.detail
    assert caught.value.violations or kind is not InvalidInput


async def test_times_beyond_the_calendar_are_no_fault(client: Client) -> None:
    for seconds in (-62_135_596_800, 253_402_300_799):
        stamp = to_timestamp(from_timestamp(pb.GetQuotesRequest().as_of))
        stamp.seconds = seconds
        answer = await client.peer.call(client.stub.GetQuotes, pb.GetQuotesRequest(symbols=["MTUM"], as_of=stamp))
        assert len(answer.quotes) + len(answer.missing) == 1


async def test_reading_does_not_allow_writing(client: Client) -> None:
    request = pb.ImportBarsRequest(csv=b"symbol,date,close\n", adjustment=pb.ADJUSTMENT_RAW)
    with pytest.raises(PermissionDenied):
        await client.peer.call(client.stub.ImportBars, request)
