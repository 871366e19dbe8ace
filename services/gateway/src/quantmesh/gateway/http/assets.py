"""/assets: the catalogue."""

from quantmesh.api.market.v1 import market_pb2 as pb
from quantmesh.api.market.v1.market_pb2_grpc import MarketServiceStub
from quantmesh.chassis.rpc import Peer
from quantmesh.gateway.adapters.response_cache import ResponseCache
from quantmesh.gateway.http.answer import Answer, tagged_bytes
from quantmesh.gateway.http.models import market as models
from quantmesh.gateway.http.models.base import Symbol
from quantmesh.gateway.http.operations import Operations
from quantmesh.gateway.http.route import QueryOf
from quantmesh.gateway.translation import market as translation
from quantmesh.gateway.translation.common import next_cursor, page_request


class Assets:
    def __init__(self, market: Peer, cache: ResponseCache) -> None:
        self._market = market
        self._stub = MarketServiceStub(market.channel)
        self._cache = cache

    def operations(self) -> Operations:
        operations = Operations("/api/v2/assets", "assets")
        operations.add(
            "GET",
            "",
            self.list_assets,
            summary="Assets that have prices",
            scope="market:read",
            answer=models.AssetsShown,
            conditional="none-match",
        )
        operations.add(
            "GET",
            "/{symbol}",
            self.get_asset,
            summary="One asset",
            scope="market:read",
            answer=models.AssetShown,
            conditional="none-match",
        )
        return operations

    async def list_assets(self, query: QueryOf[models.AssetsQuery]) -> Answer:
        async def ask() -> dict[str, object]:
            request = pb.ListAssetsRequest(
                page=page_request(query.limit, query.cursor),
                asset_class=translation.ASSET_CLASSES[query.asset_class]
                if query.asset_class
                else pb.ASSET_CLASS_UNSPECIFIED,
                search=query.search,
            )
            answer = await self._market.call(self._stub.ListAssets, request)
            return {
                "data": [translation.asset(item) for item in answer.assets],
                "next_cursor": next_cursor(answer.page),
            }

        return tagged_bytes(await self._cache.get_or_ask("assets", query.model_dump_json(), ask))

    async def get_asset(self, symbol: Symbol) -> Answer:
        async def ask() -> dict[str, object]:
            answer = await self._market.call(self._stub.GetAsset, pb.GetAssetRequest(symbol=symbol))
            return translation.asset(answer.asset)

        return tagged_bytes(await self._cache.get_or_ask("assets", symbol, ask))
