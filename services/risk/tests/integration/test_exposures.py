"""Exposures over a real channel, with the volumes that are given and those that market knows."""

from collections.abc import AsyncIterator

import pytest

from quantmesh.api.risk.v1 import exposure_pb2
from quantmesh.api.risk.v1.exposure_pb2_grpc import ExposureServiceStub
from quantmesh.chassis.rpc import Peer

from .served_risk import HEDGED, book, positions, served


@pytest.fixture
async def risk() -> AsyncIterator[Peer]:
    async with served() as peer:
        yield peer


async def test_exposures_are_by_underlying_and_what_never_trades_is_never_sold(risk: Peer) -> None:
    stub = ExposureServiceStub(risk.channel)
    asked = exposure_pb2.ExposureRequest(book=book(HEDGED, rate=0.03), daily_volumes={"JPM": 5.0, "AAPL": 0.0})
    answer = await risk.call(stub.Exposure, asked)
    aapl, jpm = answer.exposures
    assert 0 < aapl.delta < 100
    assert aapl.gamma > 0
    assert jpm.delta == -3
    assert jpm.days_to_sell == pytest.approx(3.0)
    assert not aapl.HasField("days_to_sell")
    assert not answer.HasField("longest_days")
    assert answer.herfindahl == pytest.approx(aapl.weight**2 + jpm.weight**2)


async def test_volumes_that_are_not_given_are_markets_where_it_has_them(risk: Peer) -> None:
    stub = ExposureServiceStub(risk.channel)
    answer = await risk.call(stub.Exposure, exposure_pb2.ExposureRequest(book=book(HEDGED)))
    aapl, jpm = answer.exposures
    assert jpm.daily_volume == 3000.0
    assert jpm.days_to_sell == pytest.approx(3 / (3000 * 0.2))
    assert not aapl.HasField("daily_volume")
    assert not answer.HasField("longest_days")
    unknown = await risk.call(stub.Exposure, exposure_pb2.ExposureRequest(book=book(positions(AAPL="1"))))
    assert not unknown.HasField("sold_in_a_day")
