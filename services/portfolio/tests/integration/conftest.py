from collections.abc import AsyncIterator

import pytest

from quantmesh.chassis.database import Database
from quantmesh.local.testing import NewDatabase
from quantmesh.portfolio.adapters.rpc import PortfolioRpc
from quantmesh.portfolio.core.execution import ExecutionCosts

from .fakes import COSTS, FakeMarket, Service, TickingClock, User
from .order_desk import Desk
from .pre_trade_peers import Checks, checked


@pytest.fixture
async def service(service_database: NewDatabase) -> AsyncIterator[Service]:
    own = service_database("portfolio")
    database = Database(own.url, "portfolio", pool_size=20, pool_timeout_seconds=20.0)
    market, clock = FakeMarket(), TickingClock()
    rpc = PortfolioRpc(database, market, clock, ExecutionCosts(**COSTS))
    yield Service(rpc, database, market, clock, own.admin_url, own.url)
    await database.close()


@pytest.fixture
async def account(service: Service) -> tuple[User, str, Desk]:
    """A portfolio with 100,000.00 USD and 100 AAPL, at a quote of 129.95 to 130.05."""
    user = service.user()
    portfolio = await user.create()
    await user.deposit(portfolio.id, "110000.00")
    await user.buy(portfolio.id, "100", "100")
    return user, portfolio.id, Desk(service, user)


@pytest.fixture
async def checks(service: Service) -> AsyncIterator[Checks]:
    async with checked(service) as found:
        yield found
