"""Market's closes over a real channel, as the core sees them."""

from collections.abc import AsyncIterator
from datetime import date
from typing import Any

import grpc
import pytest

from quantmesh.api.common.v1.common_pb2 import Decimal, Money
from quantmesh.api.market.v1 import market_pb2 as pb
from quantmesh.api.portfolio.v1 import portfolio_pb2
from quantmesh.chassis.errors import RuleBroken
from quantmesh.chassis.rpc import Peer, open_channel
from quantmesh.chassis.times import to_timestamp
from quantmesh.risk.adapters.peers import MarketPeer, PortfolioPeer

from .served_risk import CLOSE


class TwoDays:
    """Closes of two days of every symbol but NEW, and volumes; keeps what it was asked."""

    def __init__(self) -> None:
        self.asked = pb.GetClosesRequest()
        self.asked_bars = pb.GetBarsRequest()

    async def closes(self, request: pb.GetClosesRequest, context: Any) -> pb.GetClosesResponse:
        self.asked = request
        return pb.GetClosesResponse(
            dates=["2020-02-19", "2020-02-20"],
            series=[
                pb.CloseSeries(symbol=symbol, closes=[100.0, 90.0]) for symbol in request.symbols if symbol != "NEW"
            ],
            as_of=to_timestamp(CLOSE),
        )

    async def bars(self, request: pb.GetBarsRequest, context: Any) -> pb.GetBarsResponse:
        """AAPL has volumes, but for one day."""
        self.asked_bars = request
        volumes = [Decimal(value="100"), None, Decimal(value="300")] if request.symbol == "AAPL" else [None]
        return pb.GetBarsResponse(symbol=request.symbol, bars=[pb.Bar(volume=volume) for volume in volumes])


@pytest.fixture
async def market() -> AsyncIterator[tuple[TwoDays, MarketPeer]]:
    days = TwoDays()
    method = grpc.unary_unary_rpc_method_handler(
        days.closes,
        request_deserializer=pb.GetClosesRequest.FromString,
        response_serializer=pb.GetClosesResponse.SerializeToString,
    )
    of_bars = grpc.unary_unary_rpc_method_handler(
        days.bars,
        request_deserializer=pb.GetBarsRequest.FromString,
        response_serializer=pb.GetBarsResponse.SerializeToString,
    )
    service = pb.DESCRIPTOR.services_by_name["MarketService"].full_name
    server = grpc.aio.server()
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(service, {"GetCloses": method, "GetBars": of_bars}),)
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    peer = Peer("market", open_channel(f"127.0.0.1:{port}", []), timeout_seconds=5.0)
    yield days, MarketPeer(peer)
    await peer.close()
    await server.stop(None)


async def test_volumes_are_averages_of_the_days_that_have_one(market: tuple[TwoDays, MarketPeer]) -> None:
    days, peer = market
    found = await peer.daily_volumes(["AAPL", "SPX"], date(2020, 2, 19), date(2020, 3, 20), CLOSE, None)
    assert found == {"AAPL": 200.0}
    assert (days.asked_bars.start, days.asked_bars.end) == ("2020-02-19", "2020-03-20")
    assert days.asked_bars.as_of == to_timestamp(CLOSE)


async def test_a_window_is_asked_for_by_its_days(market: tuple[TwoDays, MarketPeer]) -> None:
    days, peer = market
    found = await peer.window(["AAPL", "JPM"], date(2020, 2, 19), date(2020, 3, 23), CLOSE, None)
    assert (days.asked.start, days.asked.end, days.asked.observations) == ("2020-02-19", "2020-03-23", 0)
    assert days.asked.as_of == to_timestamp(CLOSE)
    assert not days.asked.HasField("known_at")
    assert found.days == (date(2020, 2, 19), date(2020, 2, 20))
    assert found.returns.tolist() == [[pytest.approx(-0.1), pytest.approx(-0.1)]]


async def test_history_is_asked_for_by_its_length_and_what_is_missing_is_named(
    market: tuple[TwoDays, MarketPeer],
) -> None:
    days, peer = market
    found = await peer.history(["AAPL"], 2, None, CLOSE)
    assert (days.asked.observations, days.asked.start) == (2, "")
    assert (found.symbols, found.as_of) == (("AAPL",), CLOSE)
    with pytest.raises(RuleBroken, match="NEW") as caught:
        await peer.history(["AAPL", "NEW"], 2, None, None)
    assert caught.value.problem == "missing-history"


async def test_a_portfolios_cash_comes_in_all_its_currencies_with_their_rates() -> None:
    money = {"EUR": "6000", "USD": "-5000"}

    async def positions(request: portfolio_pb2.GetPositionsRequest, context: Any) -> portfolio_pb2.GetPositionsResponse:
        return portfolio_pb2.GetPositionsResponse(
            positions=[portfolio_pb2.Position(symbol="AAPL", quantity=Decimal(value="10"), currency="USD")],
            cash=[Money(currency=currency, amount=Decimal(value=amount)) for currency, amount in money.items()],
            cash_value=Money(currency="EUR", amount=Decimal(value="2000")),
            exchange_rates=[portfolio_pb2.TranslationRate(currency="USD", rate=Decimal(value="0.8"))],
        )

    method = grpc.unary_unary_rpc_method_handler(
        positions,
        request_deserializer=portfolio_pb2.GetPositionsRequest.FromString,
        response_serializer=portfolio_pb2.GetPositionsResponse.SerializeToString,
    )
    service = portfolio_pb2.DESCRIPTOR.services_by_name["PortfolioService"].full_name
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {"GetPositions": method}),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    peer = Peer("portfolio", open_channel(f"127.0.0.1:{port}", []), timeout_seconds=5.0)
    book = await PortfolioPeer(peer).book("mine", None, None)
    assert book.currency == "USD"
    assert book.all_cash == 2_500
    await peer.close()
    await server.stop(None)
