"""Hand-written stand-ins for the mesh: peers that answer from a table, and an edge put together over them."""

from collections.abc import AsyncIterable, AsyncIterator, Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from inspect import isawaitable
from typing import Any

import grpc

from quantmesh.chassis.context import CallContext, Caller
from quantmesh.chassis.errors import QuantmeshError, Unauthenticated
from quantmesh.chassis.events.dead_letters import DeadLetter, DeadLetterNotFound

Handler = Callable[[Any], Any]


class FakeMethod:
    """One method of a stub, known by its full path."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __call__(self, *_: Any, **__: Any) -> Any:
        """As a line to a peer of the release before."""
        raise grpc.aio.AioRpcError(grpc.StatusCode.UNIMPLEMENTED, grpc.aio.Metadata(), grpc.aio.Metadata())


class FakeChannel:
    """What a generated stub asks of a channel."""

    def unary_unary(self, path: str, **_: Any) -> FakeMethod:
        return FakeMethod(path)

    unary_stream = stream_unary = stream_stream = unary_unary


class FakePeer:
    """Answers by method name: a message, an error to raise, or a function of the request. Keeps what it was asked."""

    def __init__(self, **answers: Any) -> None:
        self.channel = FakeChannel()
        self.answers: dict[str, Any] = answers
        self.asked: list[tuple[str, Any]] = []
        self.replayed = False
        self.own: FakePeer | None = None

    def in_own_name(self) -> "FakePeer":
        """Keeps by itself what it was asked, and answers the same."""
        if self.own is None:
            self.own = FakePeer()
            self.own.answers = self.answers
        return self.own

    async def call(self, method: FakeMethod, request: Any, *, timeout_seconds: float | None = None) -> Any:
        name = method.path.rsplit("/", 1)[-1]
        self.asked.append((name, request))
        answer = self.answers[name]
        if callable(answer) and not isinstance(answer, QuantmeshError):
            answer = answer(request)
            if isawaitable(answer):
                answer = await answer
        if isinstance(answer, QuantmeshError):
            raise answer
        return answer

    async def call_replayable(
        self, method: FakeMethod, request: Any, *, timeout_seconds: float | None = None
    ) -> tuple[Any, bool]:
        return await self.call(method, request), self.replayed

    def timeout(self, _: CallContext, timeout_seconds: float) -> float:
        return timeout_seconds

    def counted(self, _: FakeMethod) -> AbstractContextManager[str]:
        return nullcontext("")

    async def metadata(self, *_: Any) -> grpc.aio.Metadata:
        return grpc.aio.Metadata()

    async def stream(
        self, method: FakeMethod, requests: AsyncIterable[Any], *, timeout_seconds: float | None = None
    ) -> AsyncIterator[Any]:
        name = method.path.rsplit("/", 1)[-1]
        received = [request async for request in requests]
        self.asked.append((name, received))
        answer = self.answers[name]
        if isinstance(answer, QuantmeshError):
            raise answer
        for message in answer(received):
            yield message

    def last(self, name: str) -> Any:
        return next(request for asked, request in reversed(self.asked) if asked == name)


class FakeCredentials:
    """Tokens by their text."""

    def __init__(self, callers: Mapping[str, Caller]) -> None:
        self._callers = callers
        self.on_revoked: Callable[[str], None] = lambda _: None

    async def of_bearer(self, token: str) -> Caller:
        if token not in self._callers:
            raise Unauthenticated("The access token is not valid.")
        return self._callers[token]

    of_api_key = of_text = of_bearer

    def is_known_key(self, secret: str) -> bool:
        return secret in self._callers


class FakeCache:
    """A cache that keeps everything, unless it `is_down`."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        self.is_down = False

    async def get(self, key: str) -> bytes | None:
        return None if self.is_down else self.kept.get(key)

    async def set(self, key: str, value: bytes, ttl_seconds: float) -> bool:
        if not self.is_down:
            self.kept[key] = value
        return not self.is_down


class FakeLetters:
    """Dead letters in a list, from which replaying takes them."""

    def __init__(self) -> None:
        self.kept: list[DeadLetter] = []

    async def after(self, number: int, limit: int) -> list[DeadLetter]:
        return [letter for letter in self.kept if letter.number > number][:limit]

    async def replay(self, number: int) -> DeadLetter:
        for letter in self.kept:
            if letter.number == number:
                self.kept.remove(letter)
                return letter
        raise DeadLetterNotFound("There is no such dead letter.")
