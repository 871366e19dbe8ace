"""One request as an endpoint sees it."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive, Scope, Send

from quantmesh.chassis.context import Caller
from quantmesh.chassis.errors import Violation
from quantmesh.gateway.core import conditional, strict_json
from quantmesh.gateway.core.errors import (
    IdempotencyKeyInvalid,
    IdempotencyKeyMissing,
    IfMatchMissing,
    InvalidRequest,
    PayloadTooLarge,
    RequestTimedOut,
    TokenMissing,
    UnsupportedCoding,
    UnsupportedMediaType,
    VersionMismatch,
)
from quantmesh.gateway.http.edge import edge_of

T = TypeVar("T")
ModelT = TypeVar("ModelT", bound=BaseModel)

DEFAULT_BODY_BYTES = 1024 * 1024
JSON_TYPES = ("application/json",)
_BODY_SECONDS = 30.0
# What pydantic calls the branches of a union, "a list or one number": no place in the body.
_BRANCH = re.compile(r"float|bool|[A-Z][A-Za-z]+|(list|literal)\[.*\]")
_IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,255}")


class Call(Request):
    """Starlette's request, with the edge's knowledge and bounded, checked reading."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        super().__init__(scope, receive, send)
        self.edge = edge_of(scope)

    @property
    def caller(self) -> Caller:
        caller = self.edge.caller
        if caller is None:
            raise self.edge.refusal or TokenMissing()
        return caller

    @property
    def media_type(self) -> str:
        return self.edge.header(b"content-type").partition(";")[0].strip().lower()

    def idempotency_key(self, *, required: bool) -> str:
        if b"idempotency-key" not in self.edge.headers:
            if required:
                raise IdempotencyKeyMissing
            return ""
        key = self.edge.header(b"idempotency-key")
        if not _IDEMPOTENCY_KEY.fullmatch(key):
            raise IdempotencyKeyInvalid
        return key

    async def expected_version(self, present: Callable[[], Awaitable[int]]) -> int | None:
        """What If-Match demands, None where any will do; of several the `present` one, which is asked for then alone.

        Raises VersionMismatch where the present one is not among several.
        """
        if b"if-match" not in self.edge.headers:
            return None
        expected = conditional.expected_versions(self.edge.header(b"if-match"))
        if expected is None:
            return None
        if len(expected) == 1:
            return next(iter(expected))
        version = await present()
        if version not in expected:
            raise VersionMismatch(version)
        return version

    async def required_version(self, present: Callable[[], Awaitable[int]]) -> int:
        """The same where it has to be said; `*` is the `present` one. Raises IfMatchMissing."""
        if b"if-match" not in self.edge.headers:
            raise IfMatchMissing
        expected = await self.expected_version(present)
        return await present() if expected is None else expected

    async def read(self, limit_bytes: int = DEFAULT_BODY_BYTES) -> bytes:
        """The whole body. Raises PayloadTooLarge as soon as that is known, RequestTimedOut for a body that dribbles."""
        self.check_head(limit_bytes)
        return await _in_time(self._whole(limit_bytes))

    async def pieces(self, limit_bytes: int, piece_bytes: int) -> AsyncIterator[bytes]:
        """The body as it arrives, in pieces of about `piece_bytes`, none above it. Raises as `read`, of each piece."""
        held, size, more = bytearray(), 0, True
        while more:
            chunk, more = await _in_time(self._chunk(size, limit_bytes))
            size += len(chunk)
            held += chunk
            while len(held) >= piece_bytes or (held and not more):
                yield bytes(held[:piece_bytes])
                del held[:piece_bytes]

    async def _whole(self, limit_bytes: int) -> bytes:
        chunks, size, more = [], 0, True
        while more:
            chunk, more = await self._chunk(size, limit_bytes)
            size += len(chunk)
            chunks.append(chunk)
        return b"".join(chunks)

    async def _chunk(self, size: int, limit_bytes: int) -> tuple[bytes, bool]:
        """What comes behind the first `size` bytes of the body, and whether more is to come."""
        message = await self.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunk: bytes = message.get("body", b"")
        if size + len(chunk) > limit_bytes:
            raise PayloadTooLarge(limit_bytes)
        return chunk, message.get("more_body", False)

    def check_head(self, limit_bytes: int) -> None:
        """What is said of the body ahead of it. Raises PayloadTooLarge, and UnsupportedCoding for gzip."""
        coding = self.edge.header(b"content-encoding")
        if coding.strip().lower() not in ("", "identity"):
            raise UnsupportedCoding(coding[:64])
        length = self.edge.headers.get(b"content-length", b"")
        if length.isdigit() and int(length) > limit_bytes:
            raise PayloadTooLarge(limit_bytes)

    def demand_media_type(self, accepted: tuple[str, ...]) -> None:
        if self.media_type not in accepted:
            raise UnsupportedMediaType(self.media_type[:100], accepted)

    async def json(self, limit_bytes: int = DEFAULT_BODY_BYTES) -> object:
        self.demand_media_type(JSON_TYPES)
        return strict_json.parse(await self.read(limit_bytes))


def check(model: type[ModelT], value: object) -> ModelT:
    """`value` as `model`, or InvalidRequest with a violation per broken rule."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise InvalidRequest(violations(error, "#", value)) from error


def violations(error: ValidationError, root: str, value: object) -> list[Violation]:
    """Each as a JSON pointer below `root` ("#" is the body) and what would be right; inputs are not repeated."""
    return [
        Violation(
            "/".join([root, *_places(problem["loc"], value, is_key=problem["type"] == "extra_forbidden")])[:512],
            problem["msg"].removeprefix("Value error, "),
        )
        for problem in error.errors(include_url=False, include_context=False, include_input=False)[:100]
    ]


def _places(location: tuple[int | str, ...], value: object, *, is_key: bool) -> list[str]:
    """Those parts of `location` that lie in `value`: pydantic also names the branches of a union that it tried.

    `is_key`: the last part is a key that the client chose, whatever it looks like.
    """
    kept = []
    for index, part in enumerate(location):
        is_last = index == len(location) - 1
        if isinstance(value, dict):
            lies_here = part in value or (is_last and (is_key or not _BRANCH.fullmatch(str(part))))
            inner = value.get(part, value)
        else:
            lies_here = isinstance(value, list) and isinstance(part, int)
            inner = value[part] if isinstance(value, list) and isinstance(part, int) and part < len(value) else value
        if lies_here:
            kept.append(str(part).replace("~", "~0").replace("/", "~1"))
            value = inner
    return kept


async def _in_time(arriving: Awaitable[T]) -> T:
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            return await arriving
    except TimeoutError as error:
        raise RequestTimedOut(_BODY_SECONDS) from error
