"""An open-loop HTTP/1.1 load generator: requests come at their rate, whatever became of those before."""

import asyncio
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import urlsplit

import numpy as np
from gateway_load import whole_answer

# Never so few that the clients wait for each other, nor so many that nothing but opening them is measured.
CONNECTIONS = 1_000
_TICK_SECONDS, _SETTLING_SECONDS = 0.002, 1.0
_ANSWER_SECONDS = 10.0


@dataclass(slots=True)
class Answers:
    """Of the requests that were offered for some time; latencies in seconds, from the sending to the whole answer.

    `unsent` found no free connection, `broken` none or a wrong answer: neither accepted nor properly refused.
    """

    seconds: float
    accepted: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    broken: list[bytes] = field(default_factory=list)
    unsent: int = 0

    @property
    def goodput(self) -> float:
        return len(self.accepted) / self.seconds

    @property
    def share_refused(self) -> float:
        return len(self.refused) / max(1, len(self.refused) + len(self.accepted))

    def percentile(self, percent: float) -> float:
        """Of what was accepted."""
        return float(np.percentile(self.accepted, percent)) if self.accepted else float("inf")


class _Client(asyncio.Protocol):
    """One request at a time."""

    def __init__(self, free: "deque[_Client]") -> None:
        self._free = free
        self._held = b""
        self._sent_at = 0.0
        self._answers: Answers | None = None
        self._ended: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's own class: a Transport in all but name.
        self.transport = cast("asyncio.Transport", transport)
        self._free.append(self)

    def send(self, request: bytes, answers: Answers) -> None:
        self._answers = answers
        self._sent_at = time.perf_counter()
        self.transport.write(request)

    async def ended(self) -> None:
        """Once what was sent is answered."""
        if self._answers is not None:
            self._ended = asyncio.get_running_loop().create_future()
            await self._ended

    def data_received(self, data: bytes) -> None:
        self._held += data
        answer = whole_answer(self._held)
        if answer is None or self._answers is None:
            return
        seconds = time.perf_counter() - self._sent_at
        head, body = answer
        if head.startswith(b"http/1.1 2"):
            self._answers.accepted.append(seconds)
        elif is_refusal(head, body):
            self._answers.refused.append(seconds)
        else:
            self._answers.broken.append(head)
        self._held = b""
        self._free.append(self)
        self._end()

    def connection_lost(self, error: Exception | None) -> None:
        if self._answers is not None:
            self._answers.broken.append(f"connection lost: {error}".encode())
            self._end()

    def _end(self) -> None:
        self._answers = None
        if self._ended is not None:
            self._ended.set_result(None)
            self._ended = None


def is_refusal(head: bytes, body: bytes) -> bool:
    """429 or 503, as a problem, with when to come back."""
    status = head[9:12]
    return (
        status in {b"429", b"503"}
        and b"\r\nretry-after: " in head
        and b"\r\ncontent-type: application/problem+json" in head
        and b'"status":' + status in body
    )


class Clients:
    """Connections that stay open from one load to the next."""

    def __init__(self) -> None:
        self._free: deque[_Client] = deque()
        self._all: list[_Client] = []

    async def open(self, url: str) -> None:
        loop = asyncio.get_running_loop()
        parts = urlsplit(url)
        assert parts.hostname is not None
        assert parts.port is not None
        for _ in range(CONNECTIONS):
            _, client = await loop.create_connection(lambda: _Client(self._free), parts.hostname, parts.port)
            self._all.append(client)

    async def offer(self, requests: Iterator[bytes], per_second: float, seconds: float) -> Answers:
        """What became of the requests of `seconds`, which begin after one second of the same load.

        A load that stands is measured: the first of its requests are a burst, which the edge lets queue.
        """
        before, answers = Answers(_SETTLING_SECONDS), Answers(seconds)
        began = time.perf_counter()
        sent = 0
        while (elapsed := time.perf_counter() - began) < _SETTLING_SECONDS + seconds:
            now = before if elapsed < _SETTLING_SECONDS else answers
            due = int(elapsed * per_second)
            while sent < due:
                sent += 1
                if self._free:
                    self._free.popleft().send(next(requests), now)
                else:
                    now.unsent += 1
            await asyncio.sleep(_TICK_SECONDS)
        await asyncio.wait_for(asyncio.gather(*(client.ended() for client in self._all)), _ANSWER_SECONDS)
        answers.broken += before.broken
        return answers

    def close(self) -> None:
        for client in self._all:
            client.transport.close()
