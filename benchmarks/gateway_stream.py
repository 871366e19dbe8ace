"""A quote from NATS to a thousand WebSocket clients, against a bare uvicorn broadcast of the same bytes.

Throughput: the next message is published when the last client has read the previous one, so that nothing is conflated.
Goal: half of the broadcast's messages a second. Latency: 20 messages a second, each client's from just before the
publishing to its bytes read (see gateway_audience.py). Goal: p99 under 15 ms. Both servers are measured in turn by the
same clients, each server on the first core and the clients on the last. They are one account's: the gateway is to run
with QUANTMESH_GATEWAY_STREAMS=1000.
"""

import argparse
import asyncio
import gc
import json
import sys
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import nats
import numpy as np
import numpy.typing as npt
import uvloop
from gateway_audience import Audience, on_first_core, use_last_core
from gateway_peers import ROOT, bare, login

from quantmesh.api.market.v1.market_pb2 import Quote

CLIENTS, TURNS, ROUNDS, TICKS = 1000, 4, 15, 50
TICK_SECONDS = 0.05
GOAL, GOAL_MILLISECONDS = 0.5, 15.0

Publish = Callable[[int], Awaitable[object]]


@dataclass
class Server:
    """One of the two under measure, and what was seen of it; times in nanoseconds."""

    name: str
    audience: Audience
    publish: Publish
    rounds: list[int] = field(default_factory=list)
    latencies: list[npt.NDArray[np.int64]] = field(default_factory=list)

    async def turn(self, listener: Executor) -> None:
        for number in range(ROUNDS):
            self.rounds.append((await self._message(listener, number)).max())
        for number in range(ROUNDS, ROUNDS + TICKS):
            due = time.monotonic() + TICK_SECONDS
            self.latencies.append(await self._message(listener, number))
            await asyncio.sleep(max(0.0, due - time.monotonic()))

    async def _message(self, listener: Executor, number: int) -> npt.NDArray[np.int64]:
        hearing = asyncio.get_running_loop().run_in_executor(listener, self.audience.hear)
        published = time.monotonic_ns()
        await self.publish(number)
        return await hearing - published

    @property
    def messages_a_second(self) -> float:
        return CLIENTS * 1e9 / float(np.median(self.rounds))

    def report(self) -> float:
        """Prints the figures; answers the p99 in milliseconds."""
        p50, p99 = np.percentile(np.concatenate(self.latencies) / 1e6, [50, 99])
        print(f"a quote to {CLIENTS:,} clients, {self.name}: {self.messages_a_second:,.0f} messages/s")
        print(f"20 quotes/s to {CLIENTS:,} clients, {self.name}: p50 {p50:.1f} ms, p99 {p99:.1f} ms")
        return float(p99)


def quote_of(symbol: str, number: int) -> Quote:
    quote = Quote(symbol=symbol, source="replay", currency="USD")
    quote.price.value = quote.bid.value = f"{100 + number}.00"
    quote.ask.value = f"{100 + number}.10"
    quote.time.GetCurrentTime()
    quote.received_at.GetCurrentTime()
    return quote


async def quiet_symbol(url: str, headers: dict[str, str]) -> str:
    """One that the replay does not quote, so that nobody else speaks on its channel."""
    async with httpx.AsyncClient(headers=headers, timeout=30.0) as http:
        assets = (await http.get(f"{url}/api/v2/assets?limit=500")).json()["data"]
    return next(str(asset["symbol"]) for asset in assets if not asset["tradable"])


async def measure(url: str, token: str, nats_url: str, bare_port: int) -> bool:
    """Whether both goals are met."""
    headers = {"Authorization": f"Bearer {token}"}
    symbol = await quiet_symbol(url, headers)
    bus = await nats.connect(nats_url)
    reader, writer = await asyncio.open_connection("127.0.0.1", bare_port)

    async def quote(number: int) -> None:
        await bus.publish(f"quotes.{symbol}", quote_of(symbol, number).SerializeToString())
        await bus.flush()

    async def broadcast(_: int) -> None:
        # As long as one of ours.
        body = b'{"channel":"quotes.X"' + b" " * 300 + b"}"
        writer.write(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        await reader.readuntil(b"\r\n\r\n")

    subscribe = json.dumps({"op": "subscribe", "channels": [f"quotes.{symbol}"]}).encode()
    ours = Server("gateway", Audience(int(url.rsplit(":", 1)[1]), "/api/v2/stream", headers, subscribe, CLIENTS), quote)
    peer = Server("bare broadcast", Audience(bare_port, "/", {}, b"", CLIENTS), broadcast)
    gc.freeze()
    await asyncio.sleep(1.0)
    ours.audience.forget()
    with ThreadPoolExecutor(1, initializer=use_last_core) as listener:
        for _ in range(TURNS):
            await ours.turn(listener)
            await peer.turn(listener)
    for server in (ours, peer):
        server.audience.close()
    writer.close()
    await bus.close()
    peer.report()
    p99 = ours.report()
    ratio = ours.messages_a_second / peer.messages_a_second
    print(f"a quote to {CLIENTS:,} clients: ratio {ratio:.2f} (goal {GOAL}); p99 (goal under {GOAL_MILLISECONDS:g} ms)")
    return ratio >= GOAL and p99 < GOAL_MILLISECONDS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    parser.add_argument("--operator", type=Path, default=ROOT / ".quantmesh" / "operator.json")
    parser.add_argument("--nats", default="nats://127.0.0.1:4222")
    given = parser.parse_args()
    with bare("broadcast") as port, on_first_core(port, int(given.url.rsplit(":", 1)[1])):
        good = uvloop.run(measure(given.url, login(given.url, given.operator), given.nats, port))
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
