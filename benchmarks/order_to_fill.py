"""From a market order sent to its fill heard on the WebSocket, against the parts that it cannot do without.

Those are, measured in turn in the same run, the medians of: a bare FastAPI to grpc.aio echo, two bare commits on a
Postgres that syncs, and one JetStream publish with its acknowledgement. Goal: the fill's p50 within 3 times their sum.
"""

import asyncio
import json
import secrets
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import uuid4

import httpx
import nats
import psycopg
import uvloop
import websockets
from gateway_latency import OPTION
from gateway_peers import Target, bare_http, target

from quantmesh.local.network import free_port
from quantmesh.local.servers import NatsServer, PostgresServer, start_and_wait

ORDERS, PARTS, ROUNDS = 40, 100, 3
GOAL = 3.0
PATIENCE_SECONDS = 15.0
SYMBOL = "AAPL"
_TABLE = "CREATE TABLE bare (id uuid PRIMARY KEY, note text NOT NULL)"
_INSERT = "INSERT INTO bare (id, note) VALUES (%s, 'Benchmark')"


class NotFilled(Exception):
    """The quote of this moment cannot fill an order."""


async def median(seconds: Callable[[], Awaitable[float]], times: int) -> float:
    taken: list[float] = []
    deadline = time.perf_counter() + PATIENCE_SECONDS
    while len(taken) < times:
        try:
            taken.append(await seconds())
        except NotFilled:
            if time.perf_counter() > deadline:
                raise
            await asyncio.sleep(0.1)
    return statistics.median(taken)


def timed(work: Callable[[], Awaitable[object]]) -> Callable[[], Awaitable[float]]:
    async def seconds() -> float:
        began = time.perf_counter()
        await work()
        return time.perf_counter() - began

    return seconds


async def funded_portfolio(http: httpx.AsyncClient) -> str:
    answer = await http.post("/portfolios", json={"name": "Benchmark", "base_currency": "USD"})
    answer.raise_for_status()
    portfolio = str(answer.json()["id"])
    deposit = {"type": "deposit", "amount": "1000000.00", "executed_at": "2020-01-02T15:00:00Z"}
    answer = await http.post(f"/portfolios/{portfolio}/transactions", json=deposit, headers=new_key())
    answer.raise_for_status()
    return portfolio


def new_key() -> dict[str, str]:
    return {"Idempotency-Key": secrets.token_hex(16)}


class Filling:
    """Orders placed over HTTP whose fills are heard on the account's channel."""

    def __init__(self, http: httpx.AsyncClient, stream: websockets.ClientConnection, portfolio: str) -> None:
        self._http = http
        self._stream = stream
        self._portfolio = portfolio

    async def fill(self) -> float:
        """Seconds until the fill is heard; the next order waits for the answer too."""
        began = time.perf_counter()
        order = {"portfolio_id": self._portfolio, "symbol": SYMBOL, "side": "buy", "quantity": "1"}
        placing = asyncio.create_task(self._http.post("/orders", json=order, headers=new_key()))
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                heard = json.loads(await self._stream.recv())
                if heard.get("type") in {"order.filled", "order.rejected"}:
                    break
        seconds = time.perf_counter() - began
        answer = await placing
        answer.raise_for_status()
        if heard["type"] == "order.rejected":
            raise NotFilled(heard["data"]["reason"])
        return seconds


async def measure(gateway: Target, bare_port: int, database_url: str, nats_url: str) -> bool:
    bus = await nats.connect(nats_url)
    jetstream = bus.jetstream()
    await jetstream.add_stream(name="bench", subjects=["bench.>"])
    connection = await psycopg.AsyncConnection.connect(database_url, autocommit=True)
    await connection.execute(_TABLE)
    api = f"{gateway.url}/api/v2"
    seen: dict[str, list[float]] = {name: [] for name in ("fill", "echo", "commit", "publish")}
    async with (
        httpx.AsyncClient(base_url=api, headers=gateway.headers, timeout=30.0) as http,
        httpx.AsyncClient(timeout=30.0) as bare,
        websockets.connect(f"{api.replace('http', 'ws', 1)}/stream") as stream,
    ):
        portfolio = await funded_portfolio(http)
        await stream.send(json.dumps({"op": "auth", "token": gateway.token}))
        await stream.send(json.dumps({"op": "subscribe", "channels": [f"portfolio.{portfolio}"]}))
        filling = Filling(http, stream, portfolio)
        url, body = f"http://127.0.0.1:{bare_port}/price", json.loads(OPTION)
        parts: dict[str, tuple[Callable[[], Awaitable[float]], int]] = {
            "fill": (filling.fill, ORDERS),
            "echo": (timed(lambda: bare.post(url, json=body)), PARTS),
            "commit": (timed(lambda: connection.execute(_INSERT, [uuid4()])), PARTS),
            "publish": (timed(lambda: jetstream.publish("bench.one", b"x" * 512)), PARTS),
        }
        for seconds, times in parts.values():
            await median(seconds, times // 10)
        for _ in range(ROUNDS):
            for name, (seconds, times) in parts.items():
                seen[name].append(await median(seconds, times))
    await connection.close()
    await bus.close()
    medians = {name: statistics.median(rounds) for name, rounds in seen.items()}
    least = medians["echo"] + 2 * medians["commit"] + medians["publish"]
    for name, middle in medians.items():
        sys.stdout.write(f"{name}: p50 {middle * 1e3:.2f} ms\n")
    ratio = medians["fill"] / least
    sys.stdout.write(
        f"order to fill on the stream: {ratio:.1f} times echo, two commits and a publish"
        f" ({least * 1e3:.2f} ms; goal at most {GOAL:g}){'' if ratio <= GOAL else '  ABOVE GOAL'}\n"
    )
    return ratio <= GOAL


def main() -> None:
    gateway = target(__doc__)
    folder = Path(tempfile.mkdtemp(prefix="quantmesh-"))
    folder.chmod(0o711)  # Postgres runs as another user when this is root
    servers = (
        PostgresServer(folder / "postgres", free_port(), secrets.token_hex(16)),
        NatsServer(folder / "nats", free_port()),
    )
    children = [start_and_wait(server, folder / f"{server.name}.log") for server in servers]
    try:
        with bare_http() as port:
            met = uvloop.run(measure(gateway, port, *(server.url for server in servers)))
    finally:
        for child in children:
            child.stop()
        shutil.rmtree(folder)
    sys.exit(0 if met else 1)


if __name__ == "__main__":
    main()
