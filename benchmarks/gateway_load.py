"""A small closed-loop HTTP/1.1 load generator: it must cost far less per request than what it measures."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import cast
from urllib.parse import urlsplit

import numpy as np


@dataclass(frozen=True, slots=True)
class Load:
    """What one run saw; latencies in seconds."""

    requests_per_second: float
    p50: float
    p99: float
    failures: int


def whole_answer(held: bytes) -> tuple[bytes, bytes] | None:
    """Head, in lower case, and body; None where more is to come."""
    end = held.find(b"\r\n\r\n")
    if end < 0:
        return None
    head = held[:end].lower()
    at = head.find(b"content-length:")
    length = int(head[at + 15 :].split(b"\r\n", 1)[0])
    return None if len(held) < end + 4 + length else (head, held[end + 4 :])


class _Connection(asyncio.Protocol):
    """Sends the next request as soon as the answer to the one before is whole."""

    def __init__(self, requests: Iterator[bytes], deadline: float, done: "asyncio.Future[None]") -> None:
        self._requests = requests
        self._deadline = deadline
        self.done = done
        self._held = b""
        self._sent_at = 0.0
        self.latencies: list[float] = []
        self.failures = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's own class: a Transport in all but name.
        self._transport = cast("asyncio.Transport", transport)
        self._next()

    def data_received(self, data: bytes) -> None:
        self._held += data
        answer = whole_answer(self._held)
        if answer is None:
            return
        now = time.perf_counter()
        self.latencies.append(now - self._sent_at)
        if not answer[0].startswith(b"http/1.1 2"):
            self.failures += 1
        self._held = b""
        if now < self._deadline:
            self._next()
        else:
            self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        if error is not None:
            self.failures += 1
        if not self.done.done():
            self.done.set_result(None)

    def _next(self) -> None:
        request = next(self._requests)
        self._sent_at = time.perf_counter()
        self._transport.write(request)


def request_bytes(url: str, body: bytes, headers: dict[str, str]) -> bytes:
    parts = urlsplit(url)
    lines = [f"POST {parts.path} HTTP/1.1", f"Host: {parts.netloc}", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in {"Content-Type": "application/json", **headers}.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def load(url: str, requests: Iterator[bytes], *, connections: int, seconds: float) -> Load:
    """`connections` clients, each with one request under way, for `seconds`."""
    loop = asyncio.get_running_loop()
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    deadline = time.perf_counter() + seconds
    started = time.perf_counter()
    protocols = [_Connection(requests, deadline, loop.create_future()) for _ in range(connections)]
    for protocol in protocols:
        await loop.create_connection(partial(_itself, protocol), parts.hostname, parts.port)
    await asyncio.wait_for(asyncio.gather(*(protocol.done for protocol in protocols)), seconds + 30.0)
    elapsed = time.perf_counter() - started
    latencies = np.concatenate([np.asarray(protocol.latencies) for protocol in protocols])
    return Load(
        requests_per_second=latencies.size / elapsed,
        p50=float(np.percentile(latencies, 50)),
        p99=float(np.percentile(latencies, 99)),
        failures=sum(protocol.failures for protocol in protocols),
    )


def _itself(protocol: _Connection) -> _Connection:
    return protocol
