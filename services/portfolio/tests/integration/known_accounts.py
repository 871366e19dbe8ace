"""What the tests of recordings in known accounts share: accounts that are known, and transactions that are counted."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, ClassVar

import psycopg

from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb
from quantmesh.chassis.sql import Asked, Result, Session
from quantmesh.portfolio.adapters.rpc import PortfolioRpc
from quantmesh.portfolio.core.execution import ExecutionCosts

from .fakes import COSTS, Service, User

DAY = "2020-01-02"


class Counted(Session):
    """What transactions there were."""

    seen: ClassVar[list[str]]

    async def together(self, asked: Sequence[Asked], *, commit: bool = False) -> list[Result]:
        if not self.is_open:
            self.seen.append("one message" if commit else "several messages")
        return await super().together(asked, commit=commit)


def count(service: Service) -> list[str]:
    class Own(Counted):
        seen: ClassVar[list[str]] = []

    service.database.session_type = Own
    return Own.seen


def elsewhere(service: Service, user: User) -> User:
    """The same owner at another replica."""
    rpc = PortfolioRpc(service.database, service.market, service.clock, ExecutionCosts(**COSTS))
    return User(rpc, user.owner_id)


async def known(user: User, amount: str = "100.00") -> str:
    """A portfolio that the user's replica has recorded in."""
    portfolio = await user.create()
    await user.deposit(portfolio.id, amount)
    return portfolio.id


async def withdraw(user: User, portfolio_id: str, amount: str, **more: Any) -> pb.RecordTransactionResponse:
    return await user.record(portfolio_id, type="withdrawal", amount=amount, currency="USD", at=DAY, **more)


async def cash(user: User, portfolio_id: str) -> str:
    return (await user.positions(portfolio_id)).cash[0].amount.value


async def waiting(connection: psycopg.AsyncConnection[Any]) -> int:
    """How many connections to this database wait for a lock."""
    # Within a transaction Postgres would show the same picture for ever.
    await connection.execute("SELECT pg_stat_clear_snapshot()")
    found = await connection.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    row = await found.fetchone()
    assert row is not None
    return int(row[0])


async def until_some_wait(connection: psycopg.AsyncConnection[Any]) -> None:
    async with asyncio.timeout(30):
        while not await waiting(connection):  # noqa: ASYNC110  Postgres tells nobody
            await asyncio.sleep(0.02)


@asynccontextmanager
async def admin(service: Service) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
    options = "-c search_path=portfolio"
    async with await psycopg.AsyncConnection.connect(service.admin_url, options=options, autocommit=True) as connection:
        yield connection
