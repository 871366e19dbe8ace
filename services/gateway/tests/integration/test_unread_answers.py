"""Clients that ask for much and read nothing of it, on real sockets."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any

import httpx
import pytest

from quantmesh.api.auth.v1.auth_pb2 import GetMeResponse, User
from quantmesh.api.pricing.v1.pricing_pb2 import PriceBatchResponse
from quantmesh.gateway.http.options import ARROW
from quantmesh.gateway.http.packets import GatheredTransport
from services.gateway.tests.unit.edges import Edge, make_edge

from .test_server import served

MUCH = 8_000_000


@pytest.fixture
def edge() -> Edge:
    edge = make_edge()
    edge.peers["auth"].answers["GetMe"] = GetMeResponse(user=User(full_name="x" * MUCH))
    return edge


@asynccontextmanager
async def asked(port: int, request: bytes) -> AsyncIterator[socket.socket]:
    loop = asyncio.get_running_loop()
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.setblocking(False)
        await loop.sock_connect(client, ("127.0.0.1", port))
        await loop.sock_sendall(client, request)
        yield client


def head(method: str, path: str, *headers: str) -> bytes:
    lines = (f"{method} {path} HTTP/1.1", "Host: edge", "Authorization: Bearer ada", *headers)
    return "".join(f"{line}\r\n" for line in lines).encode() + b"\r\n"


@pytest.mark.parametrize("kept", [True, False])
async def test_an_answer_that_is_not_read_keeps_no_connection(
    edge: Edge, monkeypatch: pytest.MonkeyPatch, *, kept: bool
) -> None:
    monkeypatch.setattr("quantmesh.gateway.http.server.IDLE_SECONDS", 0.3)
    monkeypatch.setattr("quantmesh.gateway.http.packets.UNREAD_SECONDS", 0.3)
    request = head("GET", "/api/v2/auth/me", f"Connection: {'keep-alive' if kept else 'close'}")
    async with served(edge) as server, asked(server.port, request) as client:
        assert await asyncio.get_running_loop().sock_recv(client, 1)
        connections = server._server.server_state.connections
        assert connections
        async with asyncio.timeout(30):
            while connections:  # noqa: ASYNC110  the server tells nobody
                await asyncio.sleep(0.02)


async def test_an_answer_that_is_read_slowly_comes_whole(edge: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[Callable[[], None]] = []

    class Watched(GatheredTransport):
        """Looks after its reader when the test says so: as often, and only as often, as much was read."""

        def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
            super().__init__(transport, loop)
            self._call_later: Any = lambda _, look, *known: looks.append(partial(look, *known))

    monkeypatch.setattr("quantmesh.gateway.http.packets.GatheredTransport", Watched)
    loop = asyncio.get_running_loop()
    request = head("GET", "/api/v2/auth/me", "Connection: close")
    async with served(edge) as server, asked(server.port, request) as client:
        size = looked = 0
        while piece := await loop.sock_recv(client, 1_000_000):
            size += len(piece)
            if looks and size > (looked + 1) * MUCH // 8:
                looks.pop()()
                looked += 1
    assert size > MUCH
    assert looked > 3


async def test_who_does_not_read_prices_keeps_no_place_of_those_who_do(
    edge: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quantmesh.gateway.http.answer._UNREAD_SECONDS", 1.0)

    def priced(_: object) -> Iterable[PriceBatchResponse]:
        return (PriceBatchResponse(arrow=bytes(100_000)) for _ in range(100))

    edge.peers["pricing"].answers["PriceBatch"] = priced
    path = "/api/v2/options/price/batch"
    request = head("POST", path, f"Content-Type: {ARROW}", "Content-Length: 1") + b"x"
    async with served(edge) as server, AsyncExitStack() as unread, httpx.AsyncClient(timeout=30) as http:
        url, headers = f"http://127.0.0.1:{server.port}{path}", {"Authorization": "Bearer ada", "Content-Type": ARROW}

        async def status() -> int:
            return (await http.post(url, content=b"x", headers=headers)).status_code

        async with asyncio.timeout(30):
            # Those who came first may be gone again before they are seen.
            while await status() != 503:
                for _ in range(2):
                    await unread.enter_async_context(asked(server.port, request))
            while await status() != 200:
                pass
