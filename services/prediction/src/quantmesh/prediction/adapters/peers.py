"""gRPC out: closes from market."""

from collections.abc import Sequence
from datetime import date
from typing import Final

import numpy as np

from quantmesh.api.common.v1 import common_pb2
from quantmesh.api.market.v1 import market_pb2 as pb
from quantmesh.api.market.v1.market_pb2_grpc import MarketServiceStub
from quantmesh.chassis.errors import NotFound, RuleBroken
from quantmesh.chassis.rpc import Peer
from quantmesh.chassis.times import from_timestamp
from quantmesh.prediction.core.market_day import MarketDay
from quantmesh.prediction.core.model import AssetClass, Closes
from quantmesh.prediction.core.ports import Asset, History

_PAGE: Final = 200
# A fund trades on an exchange as a stock does.
_CLASSES = {
    pb.ASSET_CLASS_STOCK: AssetClass.STOCK,
    pb.ASSET_CLASS_FUND: AssetClass.STOCK,
    pb.ASSET_CLASS_CRYPTO: AssetClass.CRYPTO,
}


class MarketPeer:
    def __init__(self, peer: Peer) -> None:
        # Prices are everybody's: whoever may ask this service is told what it makes of them.
        self._peer = peer.in_own_name()
        self._stub = MarketServiceStub(peer.channel)

    async def day(self) -> MarketDay:
        clock = await self._peer.call(self._stub.GetClock, pb.GetClockRequest())
        last_session = date.fromisoformat(clock.last_session) if clock.last_session else None
        return MarketDay(last_session, from_timestamp(clock.market_time).date())

    async def asset(self, symbol: str) -> Asset | None:
        try:
            answer = await self._peer.call(self._stub.GetAsset, pb.GetAssetRequest(symbol=symbol))
        except NotFound:
            return None
        return _asset(answer.asset)

    async def stocks(self) -> Sequence[Asset]:
        found: list[Asset] = []
        page = common_pb2.PageRequest(limit=_PAGE)
        while True:
            request = pb.ListAssetsRequest(page=page, asset_class=pb.ASSET_CLASS_STOCK)
            answer = await self._peer.call(self._stub.ListAssets, request)
            found.extend(_asset(asset) for asset in answer.assets)
            if not answer.page.next_cursor:
                return found
            page = common_pb2.PageRequest(limit=_PAGE, cursor=answer.page.next_cursor)

    async def history(self, symbol: str, observations: int) -> History | None:
        request = pb.GetClosesRequest(symbols=[symbol], observations=observations)
        try:
            answer = await self._peer.call(self._stub.GetCloses, request)
        except RuleBroken:
            # Market's way to say that not one close is known yet.
            return None
        if not answer.dates:
            return None
        dates = np.array(answer.dates, "datetime64[D]")
        closes = np.array(answer.series[0].closes, np.float64)
        return History(Closes(symbol, dates, closes), from_timestamp(answer.as_of))


def _asset(asset: pb.Asset) -> Asset:
    asset_class = _CLASSES.get(asset.asset_class)
    # Coins are never split.
    adjusted = asset_class is AssetClass.CRYPTO or asset.adjustment != pb.ADJUSTMENT_RAW
    return Asset(asset.symbol, asset_class, adjusted)
