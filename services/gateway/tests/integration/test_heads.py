"""What comes before a request is known, and behind it, on real sockets."""

import asyncio
import re
import socket
from contextlib import suppress

import orjson
import pytest

from quantmesh.api.auth.v1.auth_pb2 import GetMeResponse, User
from quantmesh.gateway.http.heads import MAXIMUM_HEAD_BYTES
from services.gateway.tests.unit.edges import Edge, make_edge

from .test_server import served

ME = b"GET /api/v2/auth/me HTTP/1.1\r\nHost: edge\r\n"
ADA = b"Authorization: Bearer ada\r\n"


@pytest.fixture
def edge() -> Edge:
    edge = make_edge()
    edge.peers["auth"].answers["GetMe"] = GetMeResponse(user=User(id="ada"))
    return edge


async def told(edge: Edge, *pieces: bytes, all_sent: asyncio.Event | None = None) -> bytes:
    """All that is answered until the gateway closes, which it is to do soon, and may do before the last piece."""
    loop, answered = asyncio.get_running_loop(), b""
    async with served(edge) as server, asyncio.timeout(30):
        with socket.socket() as client, suppress(ConnectionError):
            client.setblocking(False)
            await loop.sock_connect(client, ("127.0.0.1", server.port))
            with suppress(ConnectionError):
                for piece in pieces:
                    await loop.sock_sendall(client, piece)
                    await asyncio.sleep(0.05)
            if all_sent is not None:
                all_sent.set()
            while more := await loop.sock_recv(client, 65_536):
                answered += more
    return answered


def problem(answer: bytes) -> dict[str, object]:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"content-type: application/problem+json" in head
    assert b"x-content-type-options: nosniff" in head
    found: dict[str, object] = orjson.loads(body)
    return found


@pytest.mark.parametrize("filler", [b"a: b\r\n", b"b"])
async def test_a_head_without_end_is_refused_before_it_fills_the_memory(edge: Edge, filler: bytes) -> None:
    piece = filler * (MAXIMUM_HEAD_BYTES // len(filler) // 2)
    answer = await told(edge, ME + b"x: ", *[piece] * 3)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert str(MAXIMUM_HEAD_BYTES) in str(problem(answer)["detail"])


async def test_what_follows_the_body_are_no_headers(edge: Edge) -> None:
    """A proxy in front has looked at the headers alone."""
    answer = await told(edge, ME + b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\n" + ADA + b"\r\n")
    assert answer.startswith(b"HTTP/1.1 401 ")


@pytest.mark.parametrize(("credential", "answers"), [(ADA, [b"400"]), (b"", [b"401"])])
async def test_trailers_without_end_are_refused_unless_the_request_is_answered(
    edge: Edge, credential: bytes, answers: list[bytes]
) -> None:
    head = b"POST /api/v2/options/price HTTP/1.1\r\nHost: edge\r\nContent-Type: application/json\r\n" + credential
    piece = b"b" * (MAXIMUM_HEAD_BYTES // 2)
    answer = await told(edge, head + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n0\r\n", b"x: ", *[piece] * 3)
    assert re.findall(rb"HTTP/1.1 ([0-9]+)", answer) == answers


@pytest.mark.parametrize("head", [b"GET / HTTP/1.1\r\nno header", b"FOO / HTTP/1.1", b"CONNECT edge:80 HTTP/1.1"])
async def test_what_is_not_http_is_a_problem(edge: Edge, head: bytes) -> None:
    answer = await told(edge, head + b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert problem(answer)["type"] == "/problems/malformed-request"


@pytest.mark.parametrize("malformed", [b"NONSENSE", b"CONNECT edge:80 HTTP/1.1"])
async def test_what_is_malformed_does_not_answer_the_request_before_it(edge: Edge, malformed: bytes) -> None:
    all_sent = asyncio.Event()

    async def last(_: object) -> GetMeResponse:
        await all_sent.wait()
        return GetMeResponse(user=User(id="ada"))

    edge.peers["auth"].answers["GetMe"] = last
    answer = await told(edge, ME + ADA + b"\r\n", malformed + b"\r\n\r\n", all_sent=all_sent)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.count(b"HTTP/1.1") == 1
    assert b'"id":"ada"' in answer


async def test_a_body_behind_an_upgrade_is_refused_and_never_taken_for_the_next_request(edge: Edge) -> None:
    """As Java's client sends it, unless it is told to speak HTTP/1.1."""
    head = b"POST /api/v2/options/price HTTP/1.1\r\nHost: edge\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n" + ADA
    smuggled = ME + ADA + b"\r\n"
    answer = await told(edge, head + b"Content-Length: %d\r\n\r\n" % len(smuggled), smuggled)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert "Upgrade" in str(problem(answer)["detail"])


@pytest.mark.parametrize("begun", [b"", b"GET /healthz HT", ME + ADA + b"\r\nGET /healthz HT"])
async def test_who_does_not_go_on_is_sent_away(edge: Edge, begun: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quantmesh.gateway.http.server.IDLE_SECONDS", 0.3)
    edge.peers["auth"].answers["GetMe"] = lambda _: asyncio.sleep(0.5, GetMeResponse())
    assert (await told(edge, begun)).count(b"HTTP/1.1 200 ") == begun.count(b"\r\n\r\n")


async def test_who_does_not_go_on_with_a_body_that_is_refused_already_is_sent_away(
    edge: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quantmesh.gateway.http.server.IDLE_SECONDS", 0.3)
    head = b"POST /api/v2/options/price HTTP/1.1\r\nHost: edge\r\nContent-Length: 100\r\n\r\n"
    assert (await told(edge, head, b"{", b" ")).startswith(b"HTTP/1.1 401 ")
