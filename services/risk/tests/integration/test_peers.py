"""Market's closes over a real channel, as the core sees them."""

from collections.abc import AsyncIterator
from datetime import date
from typing import Any

import grpc
import pytest

from quantmesh.api.market.v1 import market_pb2 as pb
from quantmesh.chassis.errors import RuleBroken
from quantmesh.chassis.rpc import Peer, open_channel
from quantmesh.chassis.times import to_timestamp
from quantmesh.risk.adapters.peers import MarketPeer

from .served_risk import CLOSE


class TwoDays:
    """Closes of two days of every symbol but NEW; keeps what it was asked."""

    def __init__(self) -> None:
        self.asked = pb.GetClosesRequest()

    async def closes(self, request: pb.GetClosesRequest, context: Any) -> pb.GetClosesResponse:
        self.asked = request
        return pb.GetClosesResponse(
            dates=["2020-02-19", "2020-02-20"],
            series=[
                pb.CloseSeries(symbol=symbol, closes=[100.0, 90.0]) for symbol in request.symbols if symbol != "NEW"
            ],
            as_of=to_timestamp(CLOSE),
        )


@pytest.fixture
async def market() -> AsyncIterator[tuple[TwoDays, MarketPeer]]:
    days = TwoDays()
    method = grpc.unary_unary_rpc_method_handler(
        days.closes,
        request_deserializer=pb.GetClosesRequest.FromString,
        response_serializer=pb.GetClosesResponse.SerializeToString,
    )
    service = pb.DESCRIPTOR.services_by_name["MarketService"].full_name
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {"GetCloses": method}),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    peer = Peer("market", open_channel(f"127.0.0.1:{port}", []), timeout_seconds=5.0)
    yield days, MarketPeer(peer)
    await peer.close()
    await server.stop(None)


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
