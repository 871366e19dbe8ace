"""/portfolios: cash, positions, the ledger and the account's log; their transactions are next door."""

from functools import partial

from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb
from quantmesh.api.portfolio.v1.portfolio_pb2_grpc import PortfolioServiceStub
from quantmesh.api.risk.v1.risk_pb2_grpc import RiskServiceStub
from quantmesh.chassis.rpc import Peer
from quantmesh.gateway.core.conditional import version_tag
from quantmesh.gateway.http.answer import Answer, created, no_content, ok, replayed
from quantmesh.gateway.http.call import Call
from quantmesh.gateway.http.models import portfolios as models
from quantmesh.gateway.http.models.base import Id, PageQuery
from quantmesh.gateway.http.models.optimization import OptimizationShown, PortfolioOptimizeBody
from quantmesh.gateway.http.models.performance import PerformanceQuery, PerformanceShown
from quantmesh.gateway.http.models.snapshot import SnapshotShown
from quantmesh.gateway.http.operations import Operations
from quantmesh.gateway.http.rebalance import Rebalance
from quantmesh.gateway.http.route import QueryOf
from quantmesh.gateway.http.transactions import Transactions
from quantmesh.gateway.translation import optimization
from quantmesh.gateway.translation import portfolios as translation
from quantmesh.gateway.translation.common import instant_request, next_cursor, page_request
from quantmesh.gateway.translation.performance import performance, performance_request
from quantmesh.gateway.translation.snapshot import snapshot

_READ_SECONDS = 15.0


class Portfolios:
    def __init__(self, portfolio: Peer, risk: Peer) -> None:
        self._portfolio = portfolio
        self._portfolio_unscoped = portfolio.in_own_name()
        self._stub = PortfolioServiceStub(portfolio.channel)
        self._transactions = Transactions(portfolio)
        self._rebalance = Rebalance(portfolio)
        self._risk = risk
        self._risk_stub = RiskServiceStub(risk.channel)

    def operations(self) -> Operations:
        operations = Operations("/api/v2/portfolios", "portfolios")
        self._declare_portfolios(operations)
        self._transactions.declare(operations)
        self._rebalance.declare(operations)
        self._declare_reads(operations)
        return operations

    def _declare_portfolios(self, operations: Operations) -> None:
        add = operations.add
        add(
            "POST",
            "",
            self.create,
            summary="Open a portfolio",
            scope="portfolio:write",
            answer=models.PortfolioShown,
            status=201,
            idempotency="optional",
            takes_body=True,
        )
        add(
            "GET",
            "",
            self.list_portfolios,
            summary="One's portfolios",
            scope="portfolio:read",
            answer=models.PortfoliosShown,
        )
        add(
            "GET",
            "/{portfolio_id}",
            self.get,
            summary="One portfolio",
            scope="portfolio:read",
            answer=models.PortfolioShown,
            conditional="none-match",
        )
        add(
            "PATCH",
            "/{portfolio_id}",
            self.update,
            summary="Rename a portfolio, or switch its margin",
            scope="portfolio:write",
            answer=models.PortfolioShown,
            conditional="match",
            takes_body=True,
            statuses=(409,),
        )
        add(
            "DELETE",
            "/{portfolio_id}",
            self.delete,
            summary="Close a portfolio that holds nothing",
            scope="portfolio:write",
            status=204,
            conditional="match",
            statuses=(409,),
        )
        add(
            "POST",
            "/{portfolio_id}/optimize",
            self.optimize,
            summary="Weights for the portfolio's holdings, and the orders that get there",
            scope="portfolio:read risk:use",
            answer=OptimizationShown,
            takes_body=True,
            deadline_seconds=_READ_SECONDS,
        )

    def _declare_reads(self, operations: Operations) -> None:
        add = operations.add
        add(
            "GET",
            "/{portfolio_id}/positions",
            self.positions,
            summary="Positions and cash, valued",
            scope="portfolio:read",
            answer=models.PositionsShown,
            deadline_seconds=_READ_SECONDS,
        )
        add(
            "GET",
            "/{portfolio_id}/lots",
            self.lots,
            summary="The open lots of one instrument",
            scope="portfolio:read",
            answer=models.LotsShown,
            deadline_seconds=_READ_SECONDS,
        )
        add(
            "GET",
            "/{portfolio_id}/performance",
            self.performance,
            summary="Time-weighted, money-weighted and simple return, risk, and what explains them",
            scope="portfolio:read",
            answer=PerformanceShown,
            deadline_seconds=_READ_SECONDS,
        )
        add(
            "GET",
            "/{portfolio_id}/ledger",
            self.ledger,
            summary="Double-entry postings",
            scope="portfolio:read",
            answer=models.LedgerShown,
            deadline_seconds=_READ_SECONDS,
        )
        add(
            "GET",
            "/{portfolio_id}/events",
            self.events,
            summary="The account's gapless log",
            scope="portfolio:read",
            answer=models.EventsShown,
        )
        add(
            "GET",
            "/{portfolio_id}/snapshot",
            self.snapshot,
            summary="Cash, positions and open orders at one number of the log",
            scope="portfolio:read",
            answer=SnapshotShown,
        )

    async def create(self, body: models.CreatePortfolioBody) -> Answer:
        request = pb.CreatePortfolioRequest(
            name=body.name,
            base_currency=body.base_currency,
            lot_method=translation.LOT_METHODS[body.lot_method],
            margin_enabled=body.margin_enabled,
        )
        answer, again = await self._portfolio.call_replayable(self._stub.CreatePortfolio, request)
        return created(
            translation.portfolio(answer.portfolio),
            location=f"/api/v2/portfolios/{answer.portfolio.id}",
            tag=version_tag(answer.portfolio.version),
            headers=replayed(again),
        )

    async def list_portfolios(self, query: QueryOf[PageQuery]) -> Answer:
        request = pb.ListPortfoliosRequest(page=page_request(query.limit, query.cursor))
        answer = await self._portfolio.call(self._stub.ListPortfolios, request)
        return ok(
            {
                "data": [translation.portfolio(item) for item in answer.portfolios],
                "next_cursor": next_cursor(answer.page),
            }
        )

    async def get(self, portfolio_id: Id) -> Answer:
        answer = await self._portfolio.call(self._stub.GetPortfolio, pb.GetPortfolioRequest(id=portfolio_id))
        return ok(translation.portfolio(answer.portfolio), tag=version_tag(answer.portfolio.version))

    async def update(self, call: Call, portfolio_id: Id, body: models.UpdatePortfolioBody) -> Answer:
        expected = await call.expected_version(partial(self._version, portfolio_id))
        request = pb.UpdatePortfolioRequest(
            id=portfolio_id, name=body.name, margin_enabled=body.margin_enabled, expected_version=expected
        )
        answer = await self._portfolio.call(self._stub.UpdatePortfolio, request)
        return ok(translation.portfolio(answer.portfolio), tag=version_tag(answer.portfolio.version))

    async def delete(self, call: Call, portfolio_id: Id) -> Answer:
        expected = await call.expected_version(partial(self._version, portfolio_id))
        request = pb.DeletePortfolioRequest(id=portfolio_id, expected_version=expected)
        await self._portfolio.call(self._stub.DeletePortfolio, request)
        return no_content()

    async def _version(self, portfolio_id: Id) -> int:
        request = pb.GetPortfolioRequest(id=portfolio_id)
        return (await self._portfolio_unscoped.call(self._stub.GetPortfolio, request)).portfolio.version

    async def positions(self, portfolio_id: Id, query: QueryOf[models.PositionsQuery]) -> Answer:
        request = pb.GetPositionsRequest(
            portfolio_id=portfolio_id,
            as_of=instant_request(query.as_of),
            known_at=instant_request(query.known_at),
            lots=query.lots,
        )
        answer = await self._portfolio.call(self._stub.GetPositions, request, timeout_seconds=_READ_SECONDS)
        return ok(translation.positions(answer))

    async def lots(self, portfolio_id: Id, query: QueryOf[models.LotsQuery]) -> Answer:
        request = pb.ListLotsRequest(
            portfolio_id=portfolio_id,
            symbol=query.symbol,
            as_of=instant_request(query.as_of),
            known_at=instant_request(query.known_at),
            page=page_request(query.limit, query.cursor),
        )
        answer = await self._portfolio.call(self._stub.ListLots, request, timeout_seconds=_READ_SECONDS)
        return ok(
            {
                "data": [translation.lot(item) for item in answer.lots],
                "next_cursor": next_cursor(answer.page),
                "seq": answer.seq,
            }
        )

    async def performance(self, portfolio_id: Id, query: QueryOf[PerformanceQuery]) -> Answer:
        request = performance_request(portfolio_id, query)
        answer = await self._portfolio.call(self._stub.GetPerformance, request, timeout_seconds=_READ_SECONDS)
        return ok(performance(answer))

    async def ledger(self, portfolio_id: Id, query: QueryOf[models.LedgerQuery]) -> Answer:
        request = pb.ListLedgerRequest(
            portfolio_id=portfolio_id,
            as_of=instant_request(query.as_of),
            known_at=instant_request(query.known_at),
            page=page_request(query.limit, query.cursor),
        )
        answer = await self._portfolio.call(self._stub.ListLedger, request, timeout_seconds=_READ_SECONDS)
        return ok(
            {
                "data": [translation.ledger_entry(item) for item in answer.entries],
                "next_cursor": next_cursor(answer.page),
            }
        )

    async def snapshot(self, portfolio_id: Id) -> Answer:
        answer = await self._portfolio.call(self._stub.GetSnapshot, pb.GetSnapshotRequest(portfolio_id=portfolio_id))
        return ok(snapshot(answer))

    async def events(self, portfolio_id: Id, query: QueryOf[models.EventsQuery]) -> Answer:
        request = pb.ListEventsRequest(portfolio_id=portfolio_id, after=query.after, limit=query.limit)
        answer = await self._portfolio.call(self._stub.ListEvents, request)
        events = [translation.event(item) for item in answer.events]
        more = bool(events) and events[-1]["seq"] < answer.last_seq
        return ok(
            {
                "data": events,
                "last_seq": answer.last_seq,
                "next_cursor": str(events[-1]["seq"]) if more else None,
            }
        )

    async def optimize(self, portfolio_id: Id, body: PortfolioOptimizeBody) -> Answer:
        request = optimization.optimize_request(body, portfolio_id)
        answer = await self._risk.call(self._risk_stub.Optimize, request, timeout_seconds=_READ_SECONDS)
        return ok(optimization.optimization(answer))
