"""The bank workload: money moves between cash and units at a fixed price while the database crashes.

So each portfolio's total is the same in every read, whoever writes and whatever dies.
"""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any
from uuid import uuid4

import psycopg

from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb
from quantmesh.chassis.clock import SystemClock
from quantmesh.chassis.context import CallContext, Caller, set_call
from quantmesh.chassis.database import Database
from quantmesh.chassis.errors import Conflict, RuleBroken, Unavailable
from quantmesh.chassis.times import to_timestamp
from quantmesh.local.servers import PostgresServer
from quantmesh.local.testing import RunningServer
from quantmesh.local.testing.databases import ServiceDatabase, cloned_database
from quantmesh.portfolio.adapters.rpc import PortfolioRpc
from quantmesh.portfolio.core.execution import ExecutionCosts

from .cluster import crash
from .commands import number
from .market import SYMBOLS, SeededMarket

CLIENTS, PORTFOLIOS, CRASHES = 16, 4, 5
PRICE, TOTAL = Decimal(100), Decimal(2000)
PATIENCE_SECONDS = 30.0
NOBODY: Any = None


class Bank:
    """One owner's portfolios, and what clients were told of their transfers."""

    def __init__(self, database: Database) -> None:
        costs = ExecutionCosts(Decimal(0), Decimal(0), Decimal(0))
        self._market = SeededMarket(random.Random(1), SystemClock())  # noqa: S311  it stands still
        self._rpc = PortfolioRpc(database, self._market, SystemClock(), costs)
        owner_id = uuid4()
        scopes = frozenset({"portfolio:read", "portfolio:write"})
        self._caller = Caller(str(owner_id), scopes, frozenset(), "", "", "", 0.0, owner_id)
        self.portfolios: list[str] = []
        self.acknowledged: dict[str, str] = {}
        self.reads = 0
        self.is_closing = False

    async def open(self) -> None:
        for _ in range(PORTFOLIOS):
            set_call(CallContext(caller=self._caller))
            request = pb.CreatePortfolioRequest(name="Bank", base_currency="USD")
            self.portfolios.append((await self._rpc.CreatePortfolio(request, NOBODY)).portfolio.id)
            await self.record(self.portfolios[-1], type=pb.TRANSACTION_TYPE_DEPOSIT, amount=number(str(TOTAL)))

    async def record(self, portfolio_id: str, **fields: Any) -> None:
        """Until it is known to be there, or refused; the key is its note."""
        key = uuid4().hex
        transaction = pb.TransactionInput(
            currency="USD", note=key, executed_at=to_timestamp(SystemClock().now()), **fields
        )
        request = pb.RecordTransactionRequest(portfolio_id=portfolio_id, transaction=transaction)
        while True:
            set_call(CallContext(caller=self._caller, idempotency_key=key))
            try:
                answer = await self._rpc.RecordTransaction(request, NOBODY)
            except RuleBroken:
                return
            except (Unavailable, Conflict):
                await asyncio.sleep(0.05)
            else:
                self.acknowledged[key] = answer.transaction.id
                return

    async def work(self, draw: random.Random) -> None:
        """Transfers one after the other, a look at some portfolio after each."""
        while not self.is_closing:
            await self.record(
                draw.choice(self.portfolios),
                type=draw.choice([pb.TRANSACTION_TYPE_BUY, pb.TRANSACTION_TYPE_SELL]),
                symbol=draw.choice(SYMBOLS),
                quantity=number(str(draw.randrange(1, 6))),
                price=number(str(PRICE)),
            )
            await self.look(draw.choice(self.portfolios))

    async def look(self, portfolio_id: str) -> None:
        set_call(CallContext(caller=self._caller))
        try:
            shown = await self._rpc.GetPositions(pb.GetPositionsRequest(portfolio_id=portfolio_id), NOBODY)
        except Unavailable:
            return
        balances = [Decimal(cash.amount.value) for cash in shown.cash]
        units = [Decimal(position.quantity.value) for position in shown.positions]
        assert min(balances + units) >= 0
        assert sum(balances) + PRICE * sum(units) == TOTAL
        self.reads += 1


@asynccontextmanager
async def bank_over(own: ServiceDatabase) -> AsyncIterator[Bank]:
    database = Database(own.url, "portfolio", pool_size=CLIENTS)
    bank = Bank(database)
    await bank.open()
    yield bank
    await database.close()


async def test_totals_stay_the_same_and_nothing_acknowledged_is_lost_over_five_crashes_of_the_database(
    own_postgres_server: PostgresServer, own_postgres: RunningServer
) -> None:
    with cloned_database(own_postgres_server, "portfolio") as own:
        async with bank_over(own) as bank:
            draws = [random.Random(client) for client in range(CLIENTS)]  # noqa: S311  no secrets
            workers = [asyncio.create_task(bank.work(draw)) for draw in draws]
            for crashes in range(1, CRASHES + 1):
                async with asyncio.timeout(PATIENCE_SECONDS):
                    while len(bank.acknowledged) < 25 * crashes:
                        await asyncio.sleep(0.02)
                        assert not any(worker.done() for worker in workers), workers
                await asyncio.to_thread(crash, own_postgres_server)
                await asyncio.sleep(0.2)
                own_postgres.kill()
                own_postgres.start_again()
            bank.is_closing = True
            await asyncio.gather(*workers)
            for portfolio_id in bank.portfolios:
                await bank.look(portfolio_id)
        with psycopg.connect(own.admin_url) as admin:
            recorded = admin.execute("SELECT note, id::text FROM portfolio.transaction").fetchall()
    assert bank.reads > CLIENTS
    assert len(recorded) == len(bank.acknowledged)
    assert dict(recorded) == bank.acknowledged
