"""Recorded transactions a second: through the gateway against a bare FastAPI to grpc.aio echo, and inside the portfolio
service against a bare INSERT and COMMIT through the same driver.

Each recording has a key of its own and goes to one of 32 portfolios; it is checked, posted, logged, and told to the
outbox, all on a Postgres that syncs. Ours and the bare peer take turns; goals are medians of the ratios of each turn.
"""

import asyncio
import json
import secrets
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from itertools import cycle, repeat
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import httpx
import psycopg
import uvloop
from gateway_latency import OPTION
from gateway_load import load, request_bytes
from gateway_peers import Target, bare_http, target

from quantmesh.api.common.v1.common_pb2 import Decimal as DecimalMessage
from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb
from quantmesh.chassis.clock import SystemClock
from quantmesh.chassis.context import CallContext, Caller, set_call
from quantmesh.chassis.database import Database
from quantmesh.chassis.times import to_timestamp
from quantmesh.local.network import free_port
from quantmesh.local.servers import PostgresServer, start_and_wait
from quantmesh.local.testing.databases import ServiceDatabase, cloned_database
from quantmesh.portfolio.adapters.rpc import PortfolioRpc
from quantmesh.portfolio.core.execution import ExecutionCosts
from quantmesh.portfolio.core.ports import Market

# Of one client, a single turn's ratio may be off by a third.
PORTFOLIOS, ROUNDS = 32, 9
GATEWAY_GOALS = {1: 0.25, 32: 0.35}
# One client alone has nothing to be grouped with.
SERVICE_GOALS = {1: None, 32: 0.5}
ROUND_SECONDS = 1.0
_BARE_TABLE = "CREATE TABLE bare (id uuid PRIMARY KEY, amount numeric NOT NULL, note text NOT NULL)"
_BARE = "INSERT INTO bare (id, amount, note) VALUES (%s, %s, %s)"
_NOBODY: Any = None


@dataclass(frozen=True, slots=True)
class Rates:
    """Medians of both sides' rounds, per second, and of their ratios."""

    ours: float
    bare: float
    ratio: float

    def met(self, name: str, clients: int, goal: float | None) -> bool:
        met = goal is None or self.ratio >= goal
        told = "" if goal is None else f" (goal {goal}){'' if met else '  BELOW GOAL'}"
        sys.stdout.write(
            f"{name}, {clients} client{'s' if clients > 1 else ''}: {self.ours:,.0f} recordings/s, bare"
            f" {self.bare:,.0f}/s, ratio {self.ratio:.2f}{told}\n"
        )
        return met


async def in_turn(ours: Callable[[], Awaitable[float]], bare: Callable[[], Awaitable[float]]) -> Rates:
    rounds = []
    for _ in range(ROUNDS):
        recorded, answered = await ours(), await bare()
        rounds.append((recorded, answered, recorded / answered))
    return Rates(*(statistics.median(each) for each in zip(*rounds, strict=True)))


def recordings(gateway: Target) -> tuple[str, Iterator[bytes]]:
    """Requests without end, to new portfolios in turn; the address of one of them."""
    body = json.dumps({"type": "deposit", "amount": "10.00", "executed_at": "2020-01-02T15:00:00Z"}).encode()
    with httpx.Client(headers=gateway.headers, timeout=30.0) as http:
        urls = []
        for number in range(PORTFOLIOS):
            asked = {"name": f"Benchmark {number}", "base_currency": "USD"}
            answer = http.post(f"{gateway.url}/api/v2/portfolios", json=asked)
            answer.raise_for_status()
            urls.append(f"{gateway.url}/api/v2/portfolios/{answer.json()['id']}/transactions")

    def requests() -> Iterator[bytes]:
        for url in cycle(urls):
            yield request_bytes(url, body, {**gateway.headers, "Idempotency-Key": secrets.token_hex(16)})

    return urls[0], requests()


async def through_gateway(gateway: Target, bare_port: int) -> bool:
    url, requests = recordings(gateway)
    bare_url = f"http://127.0.0.1:{bare_port}/price"
    bare_requests = repeat(request_bytes(bare_url, OPTION, {}))
    met = True
    for clients, goal in GATEWAY_GOALS.items():
        ours, bare = partial(answered, url, requests, clients), partial(answered, bare_url, bare_requests, clients)
        await ours()
        rates = await in_turn(ours, bare)
        met &= rates.met("through the gateway", clients, goal)
    return met


async def answered(url: str, requests: Iterator[bytes], clients: int) -> float:
    seen = await load(url, requests, connections=clients, seconds=ROUND_SECONDS)
    assert not seen.failures, f"{seen.failures} requests failed"
    return seen.requests_per_second


class RememberedTime:
    """What a deposit asks of the market; the service remembers it for seconds."""

    async def now(self, _: datetime) -> datetime:
        return datetime.now(UTC) + timedelta(days=1)


class Recorder:
    """Calls of the service's own method, in this process."""

    def __init__(self, database: Database) -> None:
        costs = ExecutionCosts(Decimal(1), Decimal(0), Decimal(1))
        self._rpc = PortfolioRpc(database, cast("Market", RememberedTime()), SystemClock(), costs)
        owner_id = uuid4()
        scopes = frozenset({"portfolio:write"})
        self._caller = Caller(str(owner_id), scopes, frozenset(), "", "", "", 0.0, owner_id)

    async def open(self) -> str:
        set_call(CallContext(caller=self._caller))
        request = pb.CreatePortfolioRequest(name="Benchmark", base_currency="USD")
        return (await self._rpc.CreatePortfolio(request, _NOBODY)).portfolio.id

    async def record(self, portfolio_id: str) -> None:
        set_call(CallContext(caller=self._caller, idempotency_key=secrets.token_hex(16)))
        transaction = pb.TransactionInput(
            type=pb.TRANSACTION_TYPE_DEPOSIT,
            amount=DecimalMessage(value="10.00"),
            executed_at=to_timestamp(datetime.now(UTC)),
        )
        request = pb.RecordTransactionRequest(portfolio_id=portfolio_id, transaction=transaction)
        await self._rpc.RecordTransaction(request, _NOBODY)


async def inside_service(service: ServiceDatabase) -> bool:
    database = Database(service.url, "portfolio", pool_size=PORTFOLIOS)
    recorder = Recorder(database)
    portfolios = [await recorder.open() for _ in range(PORTFOLIOS)]
    search_path = f"-c search_path={service.service}"
    connections = [
        await psycopg.AsyncConnection.connect(service.admin_url, options=search_path) for _ in range(PORTFOLIOS)
    ]
    await connections[0].execute(_BARE_TABLE)
    await connections[0].commit()

    async def insert(connection: psycopg.AsyncConnection) -> None:
        await connection.execute(_BARE, [uuid4(), Decimal("10.00"), "Benchmark"])
        await connection.commit()

    met = True
    for clients, goal in SERVICE_GOALS.items():
        ours = partial(rate_of, [partial(recorder.record, portfolio) for portfolio in portfolios[:clients]])
        bare = partial(rate_of, [partial(insert, connection) for connection in connections[:clients]])
        await ours()
        rates = await in_turn(ours, bare)
        met &= rates.met("inside the service", clients, goal)
    for connection in connections:
        await connection.close()
    await database.close()
    return met


async def rate_of(works: Sequence[Callable[[], Awaitable[None]]]) -> float:
    """Each over and over, side by side, for a while."""
    deadline = time.perf_counter() + ROUND_SECONDS

    async def repeat_work(work: Callable[[], Awaitable[None]]) -> int:
        done = 0
        while time.perf_counter() < deadline:
            await work()
            done += 1
        return done

    began = time.perf_counter()
    done = await asyncio.gather(*(asyncio.create_task(repeat_work(work)) for work in works))
    return sum(done) / (time.perf_counter() - began)


def main() -> None:
    gateway = target(__doc__)
    with bare_http() as port:
        met = uvloop.run(through_gateway(gateway, port))
    folder = Path(tempfile.mkdtemp(prefix="quantmesh-"))
    folder.chmod(0o711)  # Postgres runs as another user when this is root
    server = PostgresServer(folder / "postgres", free_port(), secrets.token_hex(16))
    child = start_and_wait(server, folder / "postgres.log")
    try:
        with cloned_database(server, "portfolio") as service:
            met &= uvloop.run(inside_service(service))
    finally:
        child.stop()
        shutil.rmtree(folder)
    sys.exit(0 if met else 1)


if __name__ == "__main__":
    main()
