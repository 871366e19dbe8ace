"""Who may call what."""

import pytest

from quantmesh.api.portfolio.v1 import portfolio_pb2
from quantmesh.chassis.identity import access_of
from quantmesh.portfolio.adapters.rpc import PortfolioRpc
from quantmesh.portfolio.adapters.store.imports import IMPORT_JOB, JOB_SCOPES, REVERSAL_JOB

METHODS = [method.name for method in portfolio_pb2.DESCRIPTOR.services_by_name["PortfolioService"].methods]
SCOPES = {
    "CreatePortfolio": "portfolio:write",
    "UpdatePortfolio": "portfolio:write",
    "DeletePortfolio": "portfolio:write",
    "RecordTransaction": "portfolio:write",
    "RecordTransactions": "portfolio:write",
    "StreamRecordings": "portfolio:write",
    "ImportTransactions": "portfolio:write",
    "ReverseTransaction": "portfolio:write",
    "ReverseImport": "portfolio:write",
    "PlaceOrder": "orders:write",
    "StreamOrders": "orders:write",
    "CancelOrder": "orders:write",
    "PreviewOrder": "orders:write",
    "ReplaceOrder": "orders:write",
}


@pytest.mark.parametrize("method", METHODS)
def test_each_method_asks_for_its_scope_and_is_open_to_nobody_else(method: str) -> None:
    access = access_of(getattr(PortfolioRpc, method))
    assert access is not None
    assert (access.scope, access.public) == (SCOPES.get(method, "portfolio:read"), False)


@pytest.mark.parametrize(("kind", "started_by"), [(IMPORT_JOB, "ImportTransactions"), (REVERSAL_JOB, "ReverseImport")])
def test_a_job_asks_for_the_scope_of_the_call_that_starts_it(kind: str, started_by: str) -> None:
    access = access_of(getattr(PortfolioRpc, started_by))
    assert access is not None
    assert JOB_SCOPES[kind] == access.scope
