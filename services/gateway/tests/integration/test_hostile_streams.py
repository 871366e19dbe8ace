"""Streams whose clients do not read, or open none, on real sockets."""

import asyncio
import base64
import logging
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import orjson
import pytest

from quantmesh.chassis.cancellation import end
from quantmesh.gateway.http.server import HttpServer
from services.gateway.tests.unit.edges import Edge, caller, make_edge

from .test_server import served

UPGRADE = b"HTTP/1.1\r\nHost: edge\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
KEY = b"Sec-WebSocket-Key: %s\r\n" % base64.b64encode(bytes(16))
PING, TEXT = 0x9, 0x1


@asynccontextmanager
async def unread(server: HttpServer, token: bytes = b"ada") -> AsyncIterator[socket.socket]:
    """An open stream, of whose socket nothing more is read."""
    loop = asyncio.get_running_loop()
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.setblocking(False)
        await loop.sock_connect(client, ("127.0.0.1", server.port))
        await loop.sock_sendall(
            client, b"GET /api/v2/stream " + UPGRADE + KEY + b"Authorization: Bearer " + token + b"\r\n\r\n"
        )
        assert b" 101 " in await loop.sock_recv(client, 4096)
        yield client


def frame(kind: int, content: bytes) -> bytes:
    length = bytes([0x80 | len(content)]) if len(content) < 126 else b"\xfe" + len(content).to_bytes(2)
    return bytes([0x80 | kind]) + length + bytes(4) + content


async def send_until(seen: Callable[[], bool], client: socket.socket, data: bytes) -> None:
    """Or until the gateway closes."""

    async def send_on() -> None:
        with suppress(ConnectionError):
            while True:
                await asyncio.get_running_loop().sock_sendall(client, data)

    sending = asyncio.create_task(send_on())
    async with asyncio.timeout(30):
        while not (seen() or sending.done()):  # noqa: ASYNC110  the server tells nobody
            await asyncio.sleep(0.02)
    await end(sending)


def waiting_bytes(server: HttpServer) -> list[int]:
    """Of the connections that have some."""
    sizes = [connection.transport.get_write_buffer_size() for connection in server._server.server_state.connections]
    return [size for size in sizes if size]


@pytest.fixture
def edge() -> Edge:
    return make_edge(slow_seconds=0.5, brief=caller(lives=2.0))


async def test_pings_of_who_does_not_read_are_not_answered(edge: Edge) -> None:
    async with served(edge) as server, unread(server) as client:
        loop, pings = asyncio.get_running_loop(), frame(PING, b"x" * 125) * 500
        async with asyncio.timeout(60):
            while not waiting_bytes(server):
                await loop.sock_sendall(client, pings)
            for _ in range(100):
                await loop.sock_sendall(client, pings)
        assert 0 < waiting_bytes(server)[0] < 1_000_000


async def test_who_does_not_read_keeps_no_connection(edge: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quantmesh.gateway.http.stream.protocol._LAST_SECONDS", 0.5)
    wrong = orjson.dumps({"op": "subscribe", "channels": [f"weather.{place}" for place in range(200)]})
    async with served(edge) as server, unread(server, b"ada") as asking, unread(server, b"brief") as idle:
        await send_until(
            lambda: any(each.sending_since for each in edge.stream._connections), asking, frame(TEXT, wrong)
        )
        # As much as fits, so that nothing waits for it but the last words.
        await send_until(lambda: len(waiting_bytes(server)) == 2, idle, frame(PING, b"x" * 125) * 500)
        async with asyncio.timeout(30):
            while server._server.server_state.connections:  # noqa: ASYNC110  the server tells nobody
                await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    "head",
    [
        b"POST /api/v2/stream " + UPGRADE + KEY + b"Content-Length: 3\r\n",
        b"GET /api/v2/stream " + UPGRADE + KEY + b"a: b\r\n" * 150,
        b"GET /api/v2/stream " + UPGRADE + KEY + b"a: " + b"b" * 9000 + b"\r\n",
    ],
)
async def test_what_is_no_handshake_is_answered(edge: Edge, head: bytes) -> None:
    async with served(edge) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(head + b"\r\n")
        answer = await asyncio.wait_for(reader.read(), 30)
        writer.close()
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"/problems/malformed-request" in answer


async def test_a_refused_stream_is_no_error_of_ours(edge: Edge, caplog: pytest.LogCaptureFixture) -> None:
    async with served(edge) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET /api/v2/nowhere " + UPGRADE + KEY + b"\r\n")
        answer = await asyncio.wait_for(reader.read(), 30)
        writer.close()
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
