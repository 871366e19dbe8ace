"""Market's closes over a real channel, as the core sees them."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from typing import Any

import grpc
import pytest
from google.protobuf.message_factory import GetMessageClass
from grpc_status import rpc_status

from quantmesh.api.common.v1.common_pb2 import Decimal, Money
from quantmesh.api.market.v1 import market_pb2 as pb
from quantmesh.api.portfolio.v1 import portfolio_pb2
from quantmesh.chassis.errors import NotFound, QuantmeshError, RuleBroken
from quantmesh.chassis.rpc import Peer, open_channel
from quantmesh.chassis.rpc.status import to_status
from quantmesh.chassis.times import to_timestamp
from quantmesh.risk.adapters.peers import MarketPeer, PortfolioPeer
from quantmesh.risk.core.options import Chain, Contract

from .served_risk import CLOSE


class TwoDays:
    """Closes of two days of every symbol but NEW, volumes, and an option on AAPL; keeps what it was asked."""

    def __init__(self) -> None:
        self.asked = pb.GetClosesRequest()
        self.asked_bars = pb.GetBarsRequest()
        self.asked_chain = pb.GetOptionChainRequest()

    async def closes(self, request: pb.GetClosesRequest, context: Any) -> pb.GetClosesResponse:
        self.asked = request
        if {"NEW", "ELSEWHEN"} & set(request.symbols):
            raise NoCommonDays("There is no day on which all have a close.")
        return pb.GetClosesResponse(
            dates=["2020-02-19", "2020-02-20"],
            series=[pb.CloseSeries(symbol=symbol, closes=[100.0, 90.0]) for symbol in request.symbols],
            as_of=to_timestamp(CLOSE),
        )

    async def quotes(self, request: pb.GetQuotesRequest, context: Any) -> pb.GetQuotesResponse:
        return pb.GetQuotesResponse(missing=[symbol for symbol in request.symbols if symbol == "NEW"])

    async def close_history(self, request: pb.GetCloseHistoryRequest, context: Any) -> pb.GetCloseHistoryResponse:
        there = [symbol for symbol in request.symbols if symbol != "ELSEWHEN"]
        return pb.GetCloseHistoryResponse(series=[pb.CloseHistory(symbol=symbol) for symbol in there])

    async def bars(self, request: pb.GetBarsRequest, context: Any) -> pb.GetBarsResponse:
        """AAPL has volumes, but for one day."""
        self.asked_bars = request
        volumes = [Decimal(value="100"), None, Decimal(value="300")] if request.symbol == "AAPL" else [None]
        return pb.GetBarsResponse(symbol=request.symbol, bars=[pb.Bar(volume=volume) for volume in volumes])

    async def asset(self, request: pb.GetAssetRequest, context: Any) -> pb.GetAssetResponse:
        asset = pb.Asset(symbol=request.symbol, currency="USD", lot_size=Decimal(value="1"))
        if request.symbol != "AAPL":
            asset.asset_class = pb.ASSET_CLASS_OPTION
        if request.symbol == "AAPL200619P00080000":
            asset.metadata.update(
                {
                    "underlying": "AAPL",
                    "option_type": "put",
                    "strike": "80",
                    "expiry": "2020-06-19T20:00:00Z",
                    "multiplier": "100",
                    "exercise": "american",
                    "settlement": "physical",
                }
            )
        return pb.GetAssetResponse(asset=asset)

    async def chain(self, request: pb.GetOptionChainRequest, context: Any) -> pb.GetOptionChainResponse:
        self.asked_chain = request
        if request.underlying != "AAPL":
            raise NotFound("There is no chain.")
        quoted = pb.OptionQuote(symbol="AAPL200619P00080000", bid_implied_volatility=0.25, ask_implied_volatility=0.5)
        return pb.GetOptionChainResponse(
            time=to_timestamp(CLOSE), options=[quoted, pb.OptionQuote(symbol="AAPL200619P00070000")]
        )


class NoCommonDays(RuleBroken):
    problem = "no-common-days"


@pytest.fixture
async def market() -> AsyncIterator[tuple[TwoDays, MarketPeer]]:
    days = TwoDays()
    methods: dict[str, Callable[..., Any]] = {
        "GetCloses": days.closes,
        "GetQuotes": days.quotes,
        "GetCloseHistory": days.close_history,
        "GetBars": days.bars,
        "GetAsset": days.asset,
        "GetOptionChain": days.chain,
    }
    async with answering(pb.DESCRIPTOR.services_by_name["MarketService"], methods) as peer:
        yield days, MarketPeer(peer)


@asynccontextmanager
async def answering(service: Any, methods: Mapping[str, Callable[..., Any]]) -> AsyncIterator[Peer]:
    """A channel to these methods of a service."""

    def handler(name: str) -> Any:
        method = service.methods_by_name[name]

        async def answer(request: Any, context: Any) -> Any:
            try:
                return await methods[name](request, context)
            except QuantmeshError as error:
                await context.abort_with_status(rpc_status.to_status(to_status(error)))

        return grpc.unary_unary_rpc_method_handler(
            answer,
            request_deserializer=GetMessageClass(method.input_type).FromString,
            response_serializer=GetMessageClass(method.output_type).SerializeToString,
        )

    handlers = {name: handler(name) for name in methods}
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service.full_name, handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    peer = Peer("peer", open_channel(f"127.0.0.1:{port}", []), timeout_seconds=30.0)
    yield peer
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
    with pytest.raises(RuleBroken, match="no closes of NEW, by which") as caught:
        await peer.history(["AAPL", "NEW"], 2, None, None)
    assert caught.value.problem == "missing-history"
    with pytest.raises(RuleBroken) as caught:
        await peer.history(["AAPL", "ELSEWHEN"], 2, None, None)
    assert caught.value.problem == "no-common-days"


async def test_what_has_no_closes_in_a_window_is_named_with_it(market: tuple[TwoDays, MarketPeer]) -> None:
    _, peer = market
    with pytest.raises(RuleBroken, match="no closes of ELSEWHEN from 2020-02-19 to 2020-03-23, by which") as caught:
        await peer.window(["AAPL", "ELSEWHEN"], date(2020, 2, 19), date(2020, 3, 23), None, CLOSE)
    assert caught.value.problem == "missing-history"


async def test_an_options_terms_come_with_the_catalogue_and_its_volatility_with_the_chain(
    market: tuple[TwoDays, MarketPeer],
) -> None:
    days, peer = market
    put = "AAPL200619P00080000"
    terms = await peer.terms(["AAPL", put, "IMPORTED"])
    expiry = datetime(2020, 6, 19, 20, tzinfo=UTC)
    assert terms[put].contract == Contract("AAPL", "put", "american", 80.0, expiry, 100.0)
    assert (terms["AAPL"].contract, terms["IMPORTED"].contract) == (None, None)
    chains = await peer.chains(["AAPL", "JPM"], CLOSE)
    assert chains == {"AAPL": Chain(CLOSE, {put: 0.375})}
    assert days.asked_chain.as_of == to_timestamp(CLOSE)


async def test_a_portfolios_cash_comes_in_all_its_currencies_with_their_rates() -> None:
    money = {"EUR": "6000", "USD": "-5000"}

    async def positions(request: portfolio_pb2.GetPositionsRequest, context: Any) -> portfolio_pb2.GetPositionsResponse:
        return portfolio_pb2.GetPositionsResponse(
            positions=[portfolio_pb2.Position(symbol="AAPL", quantity=Decimal(value="10"), currency="USD", stale=True)],
            cash=[Money(currency=currency, amount=Decimal(value=amount)) for currency, amount in money.items()],
            cash_value=Money(currency="EUR", amount=Decimal(value="2000")),
            exchange_rates=[portfolio_pb2.TranslationRate(currency="USD", rate=Decimal(value="0.8"))],
        )

    service = portfolio_pb2.DESCRIPTOR.services_by_name["PortfolioService"]
    async with answering(service, {"GetPositions": positions}) as peer:
        book = await PortfolioPeer(peer).book("mine", None, None)
    assert book.currency == "USD"
    assert book.all_cash == 2_500
    assert book.stale == {"AAPL"}
