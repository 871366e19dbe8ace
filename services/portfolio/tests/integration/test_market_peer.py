"""The market over a real channel: what is asked, what is remembered, and what its silence becomes."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import grpc
import pytest

from quantmesh.api.common.v1 import common_pb2
from quantmesh.api.market.v1 import market_pb2 as pb
from quantmesh.chassis.errors import Unavailable
from quantmesh.chassis.rpc import Peer, open_channel
from quantmesh.chassis.times import to_timestamp
from quantmesh.portfolio.adapters.peers import MarketPeer
from quantmesh.portfolio.core.market import Adjustment, Asset, ExchangeRate

NOON = datetime(2022, 12, 20, 12, 0, tzinfo=UTC)


class SmallMarket:
    """Knows AAPL alone, and counts what it is asked."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.time = NOON

    async def clock(self, request: pb.GetClockRequest, context: Any) -> pb.GetClockResponse:
        self.asked.append(request)
        return pb.GetClockResponse(market_time=to_timestamp(self.time), open=True)

    async def asset(self, request: pb.GetAssetRequest, context: Any) -> pb.GetAssetResponse:
        self.asked.append(request)
        if request.symbol != "AAPL":
            await context.abort(grpc.StatusCode.NOT_FOUND, "unknown")
        return pb.GetAssetResponse(
            asset=pb.Asset(
                symbol="AAPL",
                currency="USD",
                adjustment=pb.ADJUSTMENT_TOTAL_RETURN,
                tick_size=common_pb2.Decimal(value="0.01"),
                lot_size=common_pb2.Decimal(value="1"),
                tradable=True,
            )
        )

    async def quotes(self, request: pb.GetQuotesRequest, context: Any) -> pb.GetQuotesResponse:
        self.asked.append(request)
        return pb.GetQuotesResponse(
            quotes=[
                pb.Quote(
                    symbol=symbol,
                    price=common_pb2.Decimal(value="130.10"),
                    bid=common_pb2.Decimal(value="130.05"),
                    time=to_timestamp(NOON),
                    currency="USD",
                )
                for symbol in request.symbols
                if symbol != "NONE"
            ],
            missing=["NONE"],
        )

    async def closes(self, request: pb.GetCloseHistoryRequest, context: Any) -> pb.GetCloseHistoryResponse:
        self.asked.append(request)
        if request.symbols == ["OLD"]:
            await context.abort(grpc.StatusCode.UNIMPLEMENTED, "Method not found!")
        days = [date(2020, 1, 2).toordinal(), date(2020, 1, 3).toordinal()]
        return pb.GetCloseHistoryResponse(
            series=[
                pb.CloseHistory(symbol=symbol, days=days, closes=[73.35, 72.6])
                for symbol in request.symbols
                if symbol != "NONE"
            ]
        )

    async def rates(self, request: pb.GetExchangeRatesRequest, context: Any) -> pb.GetExchangeRatesResponse:
        self.asked.append(request)
        known = [pair for pair in request.pairs if pair.base == "EUR"]
        rate = common_pb2.Decimal(value="1.0526")
        return pb.GetExchangeRatesResponse(
            rates=[
                pb.ExchangeRate(base=pair.base, quote=pair.quote, rate=rate, date="2022-12-19", stale=True)
                for pair in known
            ]
        )

    async def rate_history(
        self, request: pb.GetExchangeRateHistoryRequest, context: Any
    ) -> pb.GetExchangeRateHistoryResponse:
        self.asked.append(request)
        rate = common_pb2.Decimal(value="1.0526")
        series = pb.ExchangeRateSeries(base="EUR", quote="USD", dates=["2022-12-19"], rates=[rate])
        return pb.GetExchangeRateHistoryResponse(series=[series])

    def handler(self) -> Any:
        methods: dict[str, Any] = {
            "GetClock": self.clock,
            "GetAsset": self.asset,
            "GetQuotes": self.quotes,
            "GetCloseHistory": self.closes,
            "GetExchangeRates": self.rates,
            "GetExchangeRateHistory": self.rate_history,
        }
        return grpc.method_handlers_generic_handler(
            pb.DESCRIPTOR.services_by_name["MarketService"].full_name,
            {
                name: grpc.unary_unary_rpc_method_handler(
                    behaviour,
                    request_deserializer=getattr(pb, f"{name}Request").FromString,
                    response_serializer=getattr(pb, f"{name}Response").SerializeToString,
                )
                for name, behaviour in methods.items()
            },
        )


@pytest.fixture
async def market() -> AsyncIterator[tuple[SmallMarket, MarketPeer, grpc.aio.Server]]:
    small = SmallMarket()
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((small.handler(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    peer = Peer("market", open_channel(f"127.0.0.1:{port}", []), timeout_seconds=30.0)
    yield small, MarketPeer(peer), server
    await peer.close()
    await server.stop(None)


Market = tuple[SmallMarket, MarketPeer, grpc.aio.Server]


async def test_instruments_are_asked_for_once_and_unknown_ones_left_out(market: Market) -> None:
    small, peer, _ = market
    for _ in range(2):
        found = await peer.assets(["AAPL", "NOPE"])
        assert found == {
            "AAPL": Asset("AAPL", "USD", Adjustment.TOTAL_RETURN, Decimal("0.01"), Decimal(1), tradable=True)
        }
    assert sorted(request.symbol for request in small.asked) == ["AAPL", "NOPE", "NOPE"]


async def test_a_remembered_time_will_do_for_what_was_before_it(market: Market) -> None:
    small, peer, _ = market
    assert await peer.now(NOON - timedelta(days=1)) == NOON
    assert await peer.now(NOON) == NOON
    assert len(small.asked) == 1
    small.time = NOON + timedelta(hours=1)
    assert await peer.now(NOON + timedelta(minutes=1)) == small.time


async def test_quotes_come_with_the_sides_that_there_are(market: Market) -> None:
    _, peer, _ = market
    found = await peer.quotes(["AAPL", "NONE"])
    assert list(found) == ["AAPL"]
    assert (found["AAPL"].price, found["AAPL"].bid, found["AAPL"].ask) == (Decimal("130.10"), Decimal("130.05"), None)


async def test_many_symbols_are_asked_for_in_several_calls(market: Market) -> None:
    small, peer, _ = market
    symbols = [f"S{number}" for number in range(250)]
    assert list(await peer.quotes(symbols, as_of=NOON)) == symbols
    assert sorted(len(request.symbols) for request in small.asked) == [50, 100, 100]
    assert all(request.as_of == to_timestamp(NOON) for request in small.asked)


async def test_closes_are_the_published_decimals_of_those_that_have_any(market: Market) -> None:
    small, peer, _ = market
    found = await peer.closes(["AAPL", "NONE"], date(2020, 1, 1), date(2020, 1, 31), NOON, None)
    assert found.keys() == {"AAPL"}
    assert found["AAPL"].days.tolist() == [date(2020, 1, 2).toordinal(), date(2020, 1, 3).toordinal()]
    assert found["AAPL"].prices.decimals() == [Decimal("73.35"), Decimal("72.6")]
    (request,) = small.asked
    assert (request.start, request.end, request.as_of) == ("2020-01-01", "2020-01-31", to_timestamp(NOON))


@pytest.mark.parametrize(("years", "calls"), [(1, [500, 200]), (10, [82] * 8 + [44]), (9000, [1] * 700)])
async def test_closes_of_many_days_are_asked_for_in_several_calls(market: Market, years: int, calls: list[int]) -> None:
    small, peer, _ = market
    symbols = [f"S{number}" for number in range(700)]
    found = await peer.closes(symbols, date(1, 1, 1), date(years, 12, 31), NOON, None)
    assert list(found) == symbols
    assert sorted((len(request.symbols) for request in small.asked), reverse=True) == calls


async def test_a_market_of_an_earlier_release_is_unavailable_for_closes(market: Market) -> None:
    _, peer, _ = market
    with pytest.raises(Unavailable, match="earlier release"):
        await peer.closes(["OLD"], date(2020, 1, 1), date(2020, 1, 31), NOON, None)


async def test_rates_are_those_of_each_currency_into_the_base(market: Market) -> None:
    small, peer, _ = market
    found = await peer.exchange_rates(["EUR", "XAU"], "USD", NOON)
    assert found == {"EUR": ExchangeRate(Decimal("1.0526"), date(2022, 12, 19), stale=True)}
    history = await peer.exchange_rate_history(["EUR"], "USD", date(2022, 12, 19), date(2022, 12, 20), None)
    assert history == {"EUR": {date(2022, 12, 19): Decimal("1.0526")}}
    assert [(pair.base, pair.quote) for pair in small.asked[0].pairs] == [("EUR", "USD"), ("XAU", "USD")]


async def test_a_market_that_is_gone_is_unavailable(market: Market) -> None:
    _, peer, server = market
    await server.stop(None)
    with pytest.raises(Unavailable):
        await peer.clock()
