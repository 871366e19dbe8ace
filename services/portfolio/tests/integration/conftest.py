from collections.abc import AsyncIterator

import pytest

from quantmesh.chassis.database import Database
from quantmesh.local.testing import NewDatabase
from quantmesh.portfolio.adapters.rpc import PortfolioRpc
from quantmesh.portfolio.core.execution import ExecutionCosts

from .fakes import COSTS, FakeMarket, Service, TickingClock


@pytest.fixture
async def service(service_database: NewDatabase) -> AsyncIterator[Service]:
    own = service_database("portfolio")
    database = Database(own.url, "portfolio", pool_size=20, pool_timeout_seconds=20.0)
    market, clock = FakeMarket(), TickingClock()
    rpc = PortfolioRpc(database, market, clock, ExecutionCosts(**COSTS))
    yield Service(rpc, database, market, clock, own.admin_url, own.url)
    await database.close()
