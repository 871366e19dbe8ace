"""Portfolios themselves."""

from quantmesh.api.common.v1 import common_pb2
from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb
from quantmesh.chassis.identity import requires
from quantmesh.chassis.ids import uuid7
from quantmesh.portfolio.adapters import translate
from quantmesh.portfolio.adapters.rpc.base import Context, Methods, portfolio_id_of
from quantmesh.portfolio.adapters.store import Store
from quantmesh.portfolio.core.errors import InvalidRequest
from quantmesh.portfolio.core.model import LotMethod, Portfolio, base_currency, portfolio_name
from quantmesh.portfolio.core.pages import id_from_cursor, page_limit, page_of


class PortfolioMethods(Methods):
    @requires("portfolio:write")
    async def CreatePortfolio(self, request: pb.CreatePortfolioRequest, context: Context) -> pb.CreatePortfolioResponse:
        lot_method = (
            translate.chosen(translate.LOT_METHODS, request.lot_method, "lot_method")
            if request.lot_method
            else LotMethod.AVERAGE
        )
        wanted = Portfolio(
            id=uuid7(),
            name=portfolio_name(request.name),
            base_currency=base_currency(request.base_currency),
            lot_method=lot_method,
            created_at=self._clock.now(),
            version=1,
            seq=0,
            margin_enabled=request.margin_enabled,
        )

        async def create(store: Store) -> pb.CreatePortfolioResponse:
            return pb.CreatePortfolioResponse(portfolio=translate.portfolio(await store.create(wanted)))

        return await self._once(request, pb.CreatePortfolioResponse, create, key_required=False)

    @requires("portfolio:read")
    async def GetPortfolio(self, request: pb.GetPortfolioRequest, context: Context) -> pb.GetPortfolioResponse:
        async with self._store() as store:
            portfolio = await store.portfolio(portfolio_id_of(request.id))
        return pb.GetPortfolioResponse(portfolio=translate.portfolio(portfolio))

    @requires("portfolio:read")
    async def ListPortfolios(self, request: pb.ListPortfoliosRequest, context: Context) -> pb.ListPortfoliosResponse:
        limit = page_limit(request.page.limit)
        after = id_from_cursor(request.page.cursor)
        async with self._store() as store:
            found = await store.portfolios(after, limit + 1)
        shown, cursor = page_of(found, limit, lambda portfolio: [str(portfolio.id)])
        return pb.ListPortfoliosResponse(
            portfolios=[translate.portfolio(portfolio) for portfolio in shown],
            page=common_pb2.PageInfo(next_cursor=cursor),
        )

    @requires("portfolio:write")
    async def UpdatePortfolio(self, request: pb.UpdatePortfolioRequest, context: Context) -> pb.UpdatePortfolioResponse:
        portfolio_id = portfolio_id_of(request.id)
        name = portfolio_name(request.name) if request.HasField("name") else None
        margin_enabled = request.margin_enabled if request.HasField("margin_enabled") else None
        if name is None and margin_enabled is None:
            raise InvalidRequest("name", "is missing; it and margin_enabled are what can be changed")
        expected = request.expected_version if request.HasField("expected_version") else None
        async with self._store() as store:
            portfolio = await store.update(portfolio_id, expected, name=name, margin_enabled=margin_enabled)
        return pb.UpdatePortfolioResponse(portfolio=translate.portfolio(portfolio))

    @requires("portfolio:write")
    async def DeletePortfolio(self, request: pb.DeletePortfolioRequest, context: Context) -> pb.DeletePortfolioResponse:
        expected = request.expected_version if request.HasField("expected_version") else None
        async with self._store() as store:
            await store.delete(portfolio_id_of(request.id), self._clock.now(), expected)
        return pb.DeletePortfolioResponse()
