"""Answers: JSON by orjson, entity tags, and 304 where the client has it already."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable
from contextlib import aclosing
from typing import Any

import orjson
from starlette.types import Scope, Send

from quantmesh.gateway.core.conditional import content_tag, none_match
from quantmesh.gateway.core.errors import SlowReader
from quantmesh.gateway.http.edge import Header, edge_of

JSON = b"application/json"
_UNREAD_SECONDS = 30.0


class Answer:
    """A status, a body and headers, ready to be sent as one ASGI message each."""

    __slots__ = ("body", "content_type", "headers", "status", "tag")

    def __init__(
        self,
        body: bytes,
        *,
        status: int = 200,
        content_type: bytes = JSON,
        tag: str = "",
        headers: tuple[Header, ...] = (),
    ) -> None:
        self.body = body
        self.status = status
        self.content_type = content_type
        self.tag = tag
        self.headers = headers

    async def send_to(self, scope: Scope, send: Send) -> None:
        headers: list[Header] = list(self.headers)
        status, body = self.status, self.body
        if self.tag:
            headers.append((b"etag", self.tag.encode("ascii")))
            given = edge_of(scope).header(b"if-none-match")
            if given and scope["method"] in ("GET", "HEAD") and none_match(given, self.tag):
                status, body = 304, b""
        if status not in (204, 304):
            headers.append((b"content-type", self.content_type))
            headers.append((b"content-length", str(len(body)).encode("ascii")))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


class StreamedAnswer:
    """A body that is passed on as it arrives.

    It begins with its first piece: until then an error still becomes a problem with its own status. Who does not read
    on ends it, and so frees what the pieces are made with.
    """

    def __init__(self, pieces: AsyncGenerator[bytes], content_type: bytes) -> None:
        self._pieces = pieces
        self._content_type = content_type

    async def send_to(self, _: Scope, send: Send) -> None:
        async with aclosing(self._pieces):
            first = await anext(self._pieces, b"")
            headers = [(b"content-type", self._content_type)]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await _read_in_time(send({"type": "http.response.body", "body": first, "more_body": True}))
            async for piece in self._pieces:
                await _read_in_time(send({"type": "http.response.body", "body": piece, "more_body": True}))
        await send({"type": "http.response.body", "body": b""})


async def _read_in_time(sending: Awaitable[None]) -> None:
    try:
        async with asyncio.timeout(_UNREAD_SECONDS):
            await sending
    except TimeoutError as error:
        raise SlowReader from error


def ok(content: dict[str, Any], *, tag: str = "", headers: tuple[Header, ...] = ()) -> Answer:
    return Answer(orjson.dumps(content), tag=tag, headers=headers)


def tagged(content: dict[str, Any], headers: tuple[Header, ...] = ()) -> Answer:
    """200 with a tag of the content itself."""
    body = orjson.dumps(content)
    return Answer(body, tag=content_tag(body), headers=headers)


def created(content: dict[str, Any], *, location: str = "", tag: str = "", headers: tuple[Header, ...] = ()) -> Answer:
    more: tuple[Header, ...] = ((b"location", location.encode()),) if location else ()
    return Answer(orjson.dumps(content), status=201, tag=tag, headers=(*headers, *more))


def accepted(content: dict[str, Any], *, location: str, headers: tuple[Header, ...] = ()) -> Answer:
    return Answer(orjson.dumps(content), status=202, headers=(*headers, (b"location", location.encode())))


def no_content() -> Answer:
    return Answer(b"", status=204)


def replayed(was: bool) -> tuple[Header, ...]:
    """Says that this is the first answer again."""
    return ((b"idempotent-replayed", b"true"),) if was else ()


def tagged_bytes(body: bytes) -> Answer:
    """200 with JSON that is ready already."""
    return Answer(body, tag=content_tag(body))
