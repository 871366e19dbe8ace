"""Past the capacity of a part the edge refuses at once, on real sockets: what is refused, how, and what is not."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import httpx
import pytest
from prometheus_client import REGISTRY
from starlette.types import Receive, Scope, Send

from quantmesh.gateway.core.shedding import CALM_SECONDS, Crowd
from quantmesh.gateway.http.admission import Admission
from quantmesh.gateway.http.middleware.envelope import SECURITY_HEADERS
from quantmesh.gateway.http.server import HttpServer

from .test_server import wait_for_port

PATHS = ("/api/v2/orders", "/api/v2/orders/{id}", "/api/v2/risk/limits/{id}", "/api/v2/halts")
BODY = b"x" * 100_000
LONG = "/api/v2/orders/long"
# More than the kernel holds between the two.
LONG_BYTES, PIECE = 16_000_000, b"x" * 100_000


class SlowApp:
    """Answers what it has read once it may, and probes at once; tells what it has begun and what it has read."""

    def __init__(self) -> None:
        self.may = asyncio.Event()
        self.begun: asyncio.Queue[str] = asyncio.Queue()
        self.read: asyncio.Queue[str] = asyncio.Queue()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        self.begun.put_nowait(path)
        while (await receive()).get("more_body", False):
            pass
        self.read.put_nowait(path)
        if path == LONG:
            await send_long(send)
            return
        if path != "/healthz":
            await self.may.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})


async def send_long(send: Send) -> None:
    headers = [(b"content-length", str(LONG_BYTES).encode()), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    for _ in range(LONG_BYTES // len(PIECE)):
        await send({"type": "http.response.body", "body": PIECE, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


class Busy:
    """A server whose orders are full."""

    def __init__(self, app: SlowApp, port: int, http: httpx.AsyncClient) -> None:
        self.app = app
        self.port = port
        self.http = http
        self.under_way: list[asyncio.Task[httpx.Response]] = []

    async def begin(self, count: int, path: str = "/api/v2/orders", method: str = "GET") -> None:
        self.under_way += [asyncio.create_task(self.http.request(method, path)) for _ in range(count)]
        await told(self.app.begun, count)

    async def is_free(self, client: httpx.AsyncClient | None = None) -> None:
        """Once one more is answered."""
        status = 503
        async with asyncio.timeout(30):
            while status == 503:
                await asyncio.sleep(0.02)
                status = (await (client or self.http).get("/api/v2/orders")).status_code
        assert status == 200

    async def finish(self) -> list[int]:
        self.app.may.set()
        return [answer.status_code for answer in await asyncio.gather(*self.under_way)]

    async def exchange(self, request: bytes) -> bytes:
        """All that comes until the server closes the connection."""
        async with self.connected() as (reader, writer), asyncio.timeout(30):
            writer.write(request)
            return await reader.read()

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            yield reader, writer
        finally:
            writer.close()
            await writer.wait_closed()


async def told(queue: asyncio.Queue[str], count: int) -> None:
    async with asyncio.timeout(30):
        for _ in range(count):
            await queue.get()


@pytest.fixture
async def busy() -> AsyncIterator[Busy]:
    async with serving(Crowd(burst=3, standing=1)) as busy:
        await busy.begin(3)
        yield busy
        await busy.finish()


@asynccontextmanager
async def serving(crowd: Crowd) -> AsyncIterator[Busy]:
    app = SlowApp()
    server = HttpServer(app, "127.0.0.1:0", admission=Admission(PATHS, crowd), shutdown_seconds=2.0)
    # Whatever the machine's kernel would keep for who does not read, it keeps little here.
    server._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)
    running = asyncio.create_task(server.run())
    await wait_for_port(server.port)
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}", timeout=30) as http:
            yield Busy(app, server.port, http)
    finally:
        app.may.set()
        await server.stop()
        await running


async def test_a_refusal_is_a_problem_that_says_when_to_come_back(busy: Busy) -> None:
    answer = await busy.http.post("/api/v2/orders/17?a=b", content=BODY, headers={"X-Request-Id": "mine"})
    assert answer.status_code == 503
    assert answer.json() == {
        "type": "/problems/overloaded",
        "title": "Too busy",
        "status": 503,
        "detail": "3 calls to /api/v2/orders are under way already.",
        "instance": "/api/v2/orders/17",
        "request_id": "mine",
    }
    assert answer.headers["retry-after"] == "1"
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-request-id"] == "mine"
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    for name, value in SECURITY_HEADERS:
        assert answer.headers[name.decode()] == value.decode()
    assert busy.app.begun.empty()


async def test_other_parts_go_on_and_so_does_what_is_no_part(busy: Busy) -> None:
    await busy.begin(1, "/api/v2/risk/limits/1")
    await busy.begin(1, "/healthz")
    assert await busy.finish() == [200] * 5


async def test_the_connection_of_a_refused_request_serves_the_next_one(busy: Busy) -> None:
    one = httpx.AsyncHTTPTransport(limits=httpx.Limits(max_connections=1))
    async with httpx.AsyncClient(transport=one, base_url=busy.http.base_url, timeout=30) as client:
        for _ in range(3):
            assert (await client.put("/api/v2/orders/17", content=BODY)).status_code == 503
        assert (await client.head("/api/v2/orders")).headers["content-length"] != "0"
        busy.app.may.set()
        await busy.finish()
        await busy.is_free(client)


@pytest.mark.parametrize("header", [b"Connection: close", b"Expect: 100-continue\r\nContent-Length: 5"])
async def test_a_connection_on_which_nothing_can_follow_is_closed(busy: Busy, header: bytes) -> None:
    answer = await busy.exchange(b"POST /api/v2/orders HTTP/1.1\r\nHost: edge\r\n" + header + b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert answer.count(b"\r\nconnection: close\r\n") == 1
    assert answer.endswith(b"}")


async def test_those_refused_are_counted_by_their_part(busy: Busy) -> None:
    labels = {"method": "GET", "route": "/api/v2/orders", "status": "503"}
    before = REGISTRY.get_sample_value("quantmesh_http_seconds_count", labels) or 0.0
    assert (await busy.http.get("/api/v2/orders/17")).status_code == 503
    assert REGISTRY.get_sample_value("quantmesh_http_seconds_count", labels) == before + 1


async def test_a_request_whose_client_has_gone_keeps_no_place_beyond_its_end() -> None:
    async with serving(Crowd(burst=1, standing=1)) as busy:
        await busy.begin(1)
        busy.under_way.pop().cancel()
        assert (await busy.http.get("/api/v2/orders")).status_code == 503
        busy.app.may.set()
        await busy.is_free()


async def test_who_does_not_send_the_body_keeps_no_place_until_it_is_there() -> None:
    async with serving(Crowd(burst=3, standing=1)) as busy, AsyncExitStack() as open_clients:
        head = b"POST /api/v2/orders HTTP/1.1\r\nHost: edge\r\nConnection: close\r\nContent-Length: 4\r\n\r\n"
        clients = [await open_clients.enter_async_context(busy.connected()) for _ in range(5)]
        for _, writer in clients:
            writer.write(head + b"bo")
            await told(busy.app.begun, 1)
        await busy.begin(3)
        await told(busy.app.read, 3)
        for _, writer in clients:
            writer.write(b"dy")
        await told(busy.app.read, 5)
        refused = await busy.http.get("/api/v2/orders")
        assert refused.json()["detail"] == "8 calls to /api/v2/orders are under way already."
        assert await busy.finish() == [200] * 3
        for reader, _ in clients:
            assert (await reader.read()).startswith(b"HTTP/1.1 200 ")
        # The crowd has gone by the clock alone; a stall makes the wait longer, and does no harm.
        await asyncio.sleep(1.1 * CALM_SECONDS)
        busy.app.may.clear()
        await busy.begin(3)
        refused = await busy.http.get("/api/v2/orders")
        assert refused.json()["detail"] == "3 calls to /api/v2/orders are under way already."


async def test_who_does_not_read_the_answer_keeps_no_place_meanwhile() -> None:
    async with serving(Crowd(burst=1, standing=1)) as busy:
        busy.app.may.set()
        async with asyncio.timeout(30), busy.http.stream("GET", LONG) as long:
            await busy.is_free()
            assert len(await long.aread()) == LONG_BYTES


async def test_who_asks_on_without_reading_refusals_is_cut_off(busy: Busy) -> None:
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.setblocking(False)
        await asyncio.get_running_loop().sock_connect(deaf, ("127.0.0.1", busy.port))
        with pytest.raises(ConnectionError):
            await ask_on(deaf)


async def ask_on(client: socket.socket) -> None:
    for _ in range(100):
        request = b"GET /api/v2/orders HTTP/1.1\r\nHost: edge\r\n\r\n"
        await asyncio.get_running_loop().sock_sendall(client, request * 100)
        await asyncio.sleep(0)


async def test_of_many_requests_sent_ahead_the_first_refusal_is_the_last_answer(
    busy: Busy, caplog: pytest.LogCaptureFixture
) -> None:
    ahead = b"GET /healthz HTTP/1.1\r\nHost: edge\r\n\r\n" + b"GET /api/v2/orders HTTP/1.1\r\n\r\n" * 1_500
    answer = await busy.exchange(ahead)
    assert answer.count(b"HTTP/1.1 200 ") == 1
    assert answer.count(b"HTTP/1.1 503 ") == 1
    assert answer.count(b"\r\nconnection: close\r\n") == 1
    assert not caplog.records


async def test_nothing_is_begun_on_a_connection_that_is_being_closed(busy: Busy) -> None:
    refused = b"POST /api/v2/orders HTTP/1.1\r\nHost: edge\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\nbody"
    answer = await busy.exchange(refused + b"POST /api/v2/risk/limits/1 HTTP/1.1\r\nHost: edge\r\n\r\n")
    assert answer.count(b"HTTP/1.1 ") == 1
    assert busy.app.begun.empty()


@pytest.mark.parametrize(("method", "path"), [("DELETE", "/api/v2/orders/17"), ("POST", "/api/v2/halts")])
async def test_what_lessens_risk_is_not_refused_for_what_others_ask(busy: Busy, method: str, path: str) -> None:
    await busy.begin(3, "/api/v2/halts")
    assert (await busy.http.post("/api/v2/orders")).status_code == 503
    assert (await busy.http.get("/api/v2/halts")).status_code == 503
    await busy.begin(3, path, method)
    assert (await busy.http.request(method, path)).status_code == 503
    assert await busy.finish() == [200] * 9
