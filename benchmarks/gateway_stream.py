"""A quote from NATS to a thousand WebSocket clients, against a bare uvicorn broadcast of the same bytes.

Throughput: the next quote is published when the last client has the previous one, so that nothing is conflated. Goal:
half of the broadcast's messages a second. Latency: 20 quotes a second, from publishing to each client. Goal: p99 under
15 ms.
"""

import argparse
import asyncio
import base64
import json
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import cast

import httpx
import nats
import numpy as np
import numpy.typing as npt
import uvloop
from gateway_peers import ROOT, bare, login

from quantmesh.api.market.v1.market_pb2 import Quote

CLIENTS, ROUNDS, TICKS = 1000, 60, 100
TICK_SECONDS = 0.05
GOAL, GOAL_MILLISECONDS = 0.5, 15.0


class Audience:
    """Counts the events that its clients were sent, and notes how long each took."""

    def __init__(self) -> None:
        self.published_at = 0.0
        self.latencies: list[float] = []
        self._missing = 0
        self._all_here = asyncio.Event()

    def expect(self, count: int) -> None:
        self._missing = count
        self._all_here.clear()
        self.published_at = time.perf_counter()

    def arrived(self) -> None:
        self.latencies.append(time.perf_counter() - self.published_at)
        self._missing -= 1
        if self._missing == 0:
            self._all_here.set()

    async def wait(self) -> None:
        await asyncio.wait_for(self._all_here.wait(), 30.0)


class Listener(asyncio.Protocol):
    """The least WebSocket client: shakes hands, says one thing, and reads the frames that come."""

    def __init__(self, path: str, headers: dict[str, str], first: bytes, audience: Audience) -> None:
        key = base64.b64encode(bytes(16)).decode()
        lines = [
            f"GET {path} HTTP/1.1",
            "Host: localhost",
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Key: {key}",
            *(f"{name}: {value}" for name, value in headers.items()),
        ]
        self._handshake = "\r\n".join([*lines, "", ""]).encode()
        self._first = first
        self._audience = audience
        self._held = bytearray()
        self._open = False
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def itself(self) -> "Listener":
        return self

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.transport.write(self._handshake)

    def data_received(self, data: bytes) -> None:
        if self._open and not self._held and data[1] == 126 and int.from_bytes(data[2:4]) + 4 == len(data):
            # One event and nothing else, as nearly always.
            self._audience.arrived()
            return
        self._held += data
        if not self._open:
            end = self._held.find(b"\r\n\r\n")
            if end < 0:
                return
            assert self._held.startswith(b"HTTP/1.1 101"), bytes(self._held[:200])
            del self._held[: end + 4]
            self._open = True
            if self._first:
                # A mask of zeros leaves the payload as it is.
                self.transport.write(bytes([0x81, 0x80 | len(self._first)]) + bytes(4) + self._first)
            else:
                self.ready.set_result(None)
        while self._frame():
            pass

    def _frame(self) -> bool:
        held = self._held
        if len(held) < 4:
            return False
        length, start = held[1], 2
        if length == 126:
            length, start = int.from_bytes(held[2:4]), 4
        if len(held) < start + length:
            return False
        if held[start : start + 10] == b'{"channel"':
            self._audience.arrived()
        elif not self.ready.done():
            self.ready.set_result(None)
        del held[: start + length]
        return True


async def gather_audience(
    port: int, path: str, headers: dict[str, str], first: bytes
) -> tuple[Audience, list[Listener]]:
    loop = asyncio.get_running_loop()
    audience = Audience()
    listeners = [Listener(path, headers, first, audience) for _ in range(CLIENTS)]
    for start in range(0, CLIENTS, 50):
        some = listeners[start : start + 50]
        await asyncio.gather(*(loop.create_connection(listener.itself, "127.0.0.1", port) for listener in some))
        await asyncio.wait_for(asyncio.gather(*(listener.ready for listener in some)), 30.0)
    await asyncio.sleep(1.0)
    audience.latencies.clear()
    return audience, listeners


async def throughput(audience: Audience, publish: Callable[[int], Awaitable[object]]) -> float:
    """Messages a second, the median of the rounds."""
    times = []
    for number in range(ROUNDS):
        audience.expect(CLIENTS)
        await publish(number)
        await audience.wait()
        times.append(time.perf_counter() - audience.published_at)
    return CLIENTS / statistics.median(times)


async def latencies(audience: Audience, publish: Callable[[int], Awaitable[object]]) -> npt.NDArray[np.float64]:
    audience.latencies.clear()
    for number in range(TICKS):
        audience.expect(CLIENTS)
        await publish(number)
        await audience.wait()
        await asyncio.sleep(max(0.0, TICK_SECONDS - (time.perf_counter() - audience.published_at)))
    return np.asarray(audience.latencies) * 1e3


def quote_of(symbol: str, number: int) -> Quote:
    quote = Quote(symbol=symbol, source="replay", currency="USD")
    quote.price.value = quote.bid.value = f"{100 + number}.00"
    quote.ask.value = f"{100 + number}.10"
    quote.time.GetCurrentTime()
    quote.received_at.GetCurrentTime()
    return quote


async def measure(url: str, token: str, nats_url: str, bare_port: int) -> bool:
    """Whether both goals are met."""
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(timeout=30.0) as http:
        assets = (await http.get(f"{url}/api/v2/assets?limit=500", headers=headers)).json()["data"]
        # One that the replay does not quote, so that nobody else speaks on its channel.
        symbol = next(asset["symbol"] for asset in assets if not asset["tradable"])
        bus = await nats.connect(nats_url)

        async def publish(number: int) -> None:
            await bus.publish(f"quotes.{symbol}", quote_of(symbol, number).SerializeToString())
            await bus.flush()

        subscribe = json.dumps({"op": "subscribe", "channels": [f"quotes.{symbol}"]}).encode()
        audience, listeners = await gather_audience(int(url.rsplit(":", 1)[1]), "/api/v2/stream", headers, subscribe)
        ours = await throughput(audience, publish)
        seen = await latencies(audience, publish)
        for listener in listeners:
            listener.transport.abort()
        await bus.close()

        # As long as one of ours.
        frame = b'{"channel":"quotes.X"' + b" " * 300 + b"}"

        async def broadcast(_: int) -> None:
            await http.post(f"http://127.0.0.1:{bare_port}/", content=frame)

        audience, listeners = await gather_audience(bare_port, "/", {}, b"")
        peer = await throughput(audience, broadcast)
        for listener in listeners:
            listener.transport.abort()
    print(f"a quote to {CLIENTS:,} clients, gateway: {ours:,.0f} messages/s")
    print(f"a quote to {CLIENTS:,} clients, bare broadcast: {peer:,.0f} messages/s")
    print(f"a quote to {CLIENTS:,} clients, ratio: {ours / peer:.2f} (goal {GOAL})")
    p50, p99 = np.percentile(seen, [50, 99])
    goal = f"(goal under {GOAL_MILLISECONDS:g} ms)"
    print(f"20 quotes/s to {CLIENTS:,} clients: p50 {p50:.1f} ms, p99 {p99:.1f} ms {goal}")
    return ours / peer >= GOAL and float(p99) < GOAL_MILLISECONDS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    parser.add_argument("--operator", type=Path, default=ROOT / ".quantmesh" / "operator.json")
    parser.add_argument("--nats", default="nats://127.0.0.1:4222")
    given = parser.parse_args()
    with bare("broadcast") as port:
        good = uvloop.run(measure(given.url, login(given.url, given.operator), given.nats, port))
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
