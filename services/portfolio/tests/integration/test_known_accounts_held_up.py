"""A recording in one message that is held up or torn off: no effect is lost, none is doubled."""

import asyncio
from collections.abc import Sequence

import psycopg
import pytest
from prometheus_client import REGISTRY

from quantmesh.chassis import failpoints
from quantmesh.chassis.database import Database
from quantmesh.chassis.failpoints import Failpoint
from quantmesh.chassis.pool import AllInUse
from quantmesh.chassis.sql import Asked, Result, Session
from quantmesh.portfolio.adapters.rpc import PortfolioRpc
from quantmesh.portfolio.core.errors import InsufficientCash
from quantmesh.portfolio.core.execution import ExecutionCosts

from .fakes import COSTS, Service, User
from .known_accounts import admin, cash, known, until_some_wait, withdraw


def waits_in_vain() -> float:
    """For a connection of the pool."""
    return REGISTRY.get_sample_value("quantmesh_database_pool_timeouts_total") or 0.0


async def test_an_account_that_somebody_holds_is_waited_for(service: Service) -> None:
    user = service.user()
    portfolio_id = await known(user)
    async with admin(service) as connection, connection.transaction():
        await connection.execute("SELECT FROM portfolio WHERE id = %s FOR UPDATE", [portfolio_id])
        waits = asyncio.create_task(user.deposit(portfolio_id, "1.00"))
        await until_some_wait(connection)
        assert not waits.done()
    await waits
    assert await cash(user, portfolio_id) == "101.00"


async def test_a_connection_that_dies_before_the_commit_costs_nothing(service: Service) -> None:
    user = service.user()
    portfolio_id = await known(user)

    async def kill(point: Failpoint) -> None:
        if point is Failpoint.BEFORE_COMMIT and not killed:
            killed.append(point)
            async with admin(service) as connection:
                await connection.execute(
                    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                    " WHERE application_name = 'quantmesh-portfolio-requests' AND datname = current_database()"
                )

    killed: list[Failpoint] = []
    with failpoints.watched(kill):
        await withdraw(user, portfolio_id, "10.00", key="once")
    assert killed
    assert await withdraw(user, portfolio_id, "10.00", key="once")
    assert await cash(user, portfolio_id) == "90.00"


async def test_a_connection_that_dies_after_the_commit_doubles_nothing(service: Service) -> None:
    user = service.user()
    portfolio_id = await known(user)

    class Unheard(Session):
        async def together(self, asked: Sequence[Asked], *, commit: bool = False) -> list[Result]:
            results = await super().together(asked, commit=commit)
            if asked and commit:
                await self.connection.close()
                raise psycopg.OperationalError("the connection is lost")
            return results

    service.database.session_type = Unheard
    answer = await withdraw(user, portfolio_id, "10.00", key="once")
    assert answer.cash.amount.value == "90.00"
    assert await cash(user, portfolio_id) == "90.00"
    assert (await user.events(portfolio_id)).last_seq == 2


async def test_who_finds_no_connection_waits_for_one_once(service: Service) -> None:
    database = Database(service.app_url, "portfolio", pool_size=1, pool_timeout_seconds=0.1)
    user = User(PortfolioRpc(database, service.market, service.clock, ExecutionCosts(**COSTS)))
    portfolio_id = await known(user)
    async with database.transaction(user.owner_id):
        waited = waits_in_vain()
        with pytest.raises(AllInUse):
            await user.deposit(portfolio_id, "1.00")
        assert waits_in_vain() == waited + 1
    await user.deposit(portfolio_id, "1.00")
    await database.close()


async def test_who_is_cancelled_leaves_no_doubt_behind(service: Service) -> None:
    user = service.user()
    portfolio_id = await known(user)

    async def cancel(point: Failpoint) -> None:
        if point is Failpoint.AFTER_COMMIT:
            raise asyncio.CancelledError

    with failpoints.watched(cancel), pytest.raises(asyncio.CancelledError):
        await withdraw(user, portfolio_id, "60.00", key="once")
    with pytest.raises(InsufficientCash):
        await withdraw(user, portfolio_id, "60.00")
    assert await withdraw(user, portfolio_id, "60.00", key="once")
    assert await cash(user, portfolio_id) == "40.00"
