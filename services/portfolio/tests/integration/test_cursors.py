"""Cursors that somebody else made."""

from typing import Any

import pytest

from quantmesh.api.common.v1 import common_pb2
from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb
from quantmesh.portfolio.core.errors import InvalidCursor
from quantmesh.portfolio.core.pages import to_cursor

from .fakes import NO_CONTEXT, Service


async def test_a_cursor_that_a_list_did_not_give_is_refused_by_each(service: Service) -> None:
    user = service.user()
    portfolio = await user.create()
    await user.deposit(portfolio.id, "1000.00")
    user.call()
    rpc = service.rpc
    for cursor in ("!", "AAAA", "YWJj", "YXxi", "w7w", to_cursor(["2020-01-02", "1"])):
        page = common_pb2.PageRequest(cursor=cursor)
        calls: list[tuple[Any, Any]] = [
            (rpc.ListPortfolios, pb.ListPortfoliosRequest(page=page)),
            (rpc.ListOrders, pb.ListOrdersRequest(page=page)),
            (rpc.ListLedger, pb.ListLedgerRequest(portfolio_id=portfolio.id, page=page)),
            (rpc.ListTransactions, pb.ListTransactionsRequest(portfolio_id=portfolio.id, page=page)),
            (rpc.GetPerformance, pb.GetPerformanceRequest(portfolio_id=portfolio.id, page=page)),
        ]
        for method, request in calls:
            with pytest.raises(InvalidCursor):
                await method(request, NO_CONTEXT)
