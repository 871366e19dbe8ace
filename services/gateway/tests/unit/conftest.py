from collections.abc import AsyncIterator

import pytest

from quantmesh.api.market.v1 import market_pb2

from .edges import Edge, make_edge
from .streams import StreamClient


@pytest.fixture
def edge() -> Edge:
    return make_edge()


@pytest.fixture
async def client(edge: Edge) -> AsyncIterator[StreamClient]:
    edge.peers["market"].answers["GetAsset"] = market_pb2.GetAssetResponse()
    async with StreamClient(edge, Authorization="Bearer ada") as client:
        yield client
