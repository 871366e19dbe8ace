"""Past the capacity of a part the edge refuses at once, on real sockets: what is refused, how, and what is not."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from prometheus_client import REGISTRY
from starlette.types import Receive, Scope, Send

from quantmesh.gateway.core.shedding import CALM_SECONDS, Crowd
from quantmesh.gateway.http.admission import Admission
from quantmesh.gateway.http.middleware.envelope import SECURITY_HEADERS
from quantmesh.gateway.http.server import HttpServer

from .test_server import wait_for_port

PATHS = ("/api/v2/orders", "/api/v2/orders/{id}", "/api/v2/risk/limits/{id}")
BODY = b"x" * 100_000


class SlowApp:
    """Answers once it may, and tells what it has begun."""

    def __init__(self) -> None:
        self.may = asyncio.Event()
        self.begun: asyncio.Queue[str] = asyncio.Queue()

    async def __call__(self, scope: Scope, _: Receive, send: Send) -> None:
        self.begun.put_nowait(scope["path"])
        await self.may.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})


class Busy:
    """A server whose orders are full."""

    def __init__(self, app: SlowApp, port: int, http: httpx.AsyncClient) -> None:
        self.app = app
        self.port = port
        self.http = http
        self.under_way: list[asyncio.Task[httpx.Response]] = []

    async def begin(self, count: int, path: str = "/api/v2/orders") -> None:
        self.under_way += [asyncio.create_task(self.http.get(path)) for _ in range(count)]
        async with asyncio.timeout(10):
            for _ in range(count):
                await self.app.begun.get()

    async def finish(self) -> list[int]:
        self.app.may.set()
        return [answer.status_code for answer in await asyncio.gather(*self.under_way)]

    async def exchange(self, request: bytes) -> bytes:
        """All that comes until the server closes the connection."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(request)
        async with asyncio.timeout(10):
            answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        return answer


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
    running = asyncio.create_task(server.run())
    await wait_for_port(server.port)
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}", timeout=10) as http:
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
    async with httpx.AsyncClient(transport=one, base_url=busy.http.base_url, timeout=10) as client:
        for _ in range(3):
            assert (await client.put("/api/v2/orders/17", content=BODY)).status_code == 503
        assert (await client.head("/api/v2/orders")).headers["content-length"] != "0"
        busy.app.may.set()
        await busy.finish()
        await asyncio.sleep(1.1 * CALM_SECONDS)
        assert (await client.get("/api/v2/orders")).text == "ok"


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
        await asyncio.sleep(1.1 * CALM_SECONDS)
        assert (await busy.http.get("/api/v2/orders")).status_code == 200
