"""Calls of one caller that come in quick succession travel together: a call of gRPC costs more than most of them do."""

from __future__ import annotations  # grpc.aio is generic in its stubs alone

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from google.protobuf.message import Message

from quantmesh.api.common.v1.bundle_pb2 import BundledCall
from quantmesh.chassis.context import CallContext, current_call
from quantmesh.chassis.rpc.line import Line

if TYPE_CHECKING:
    from quantmesh.chassis.rpc.peer import Peer, Stream, Unary

Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message)

# Short enough for a replica that ends, a token that is revoked or a certificate that is renewed to be as without it.
_LINE_SECONDS = 1.0
# Nobody waits long for who is before him.
_LARGEST_BYTES = 16 * 1024


class Bundled(Generic[Request, Response]):
    """One method of a peer. A call within a second of an earlier one of its caller goes by a line, others `alone`.

    `line` is the method that carries several, each as if it had come alone: a peer serves it by `Unbundling`.
    """

    def __init__(
        self,
        peer: Peer,
        alone: Unary[Request, Response],
        line: Stream[Any, Any],
        *,
        bundle_type: Callable[..., Message],
        response_type: type[Response],
        timeout_seconds: float,
        line_seconds: float = _LINE_SECONDS,
    ) -> None:
        self._peer = peer
        self._alone = alone
        self._line = line
        self._bundle_type = bundle_type
        self._response_type = response_type
        self._timeout_seconds = timeout_seconds
        self._line_seconds = line_seconds
        # Each caller's by his token.
        self._lines: dict[str, Line] = {}

    async def call_replayable(self, request: Request) -> tuple[Response, bool]:
        """The answer, and whether it is an earlier one under the same idempotency key. Raises as `Peer.call` does."""
        context = current_call()
        line = self._line_of(context, request)
        if line is not None:
            timeout = self._peer.timeout(context, self._timeout_seconds)
            with self._peer.counted(self._alone) as traceparent:
                outcome = await line.outcome(_bundled(request, context, traceparent), timeout)
            if outcome is not None:
                return self._response_type.FromString(outcome.response), outcome.replayed
        return await self._peer.call_replayable(self._alone, request, timeout_seconds=self._timeout_seconds)

    def _line_of(self, context: CallContext, request: Request) -> Line | None:
        caller = context.caller
        # A service that acts for an owner says so beside its token.
        if caller is None or caller.is_service or not caller.token or request.ByteSize() > _LARGEST_BYTES:
            return None
        line = self._lines.get(caller.token)
        if line is not None and line.takes_calls:
            return line
        # For those who come after this one.
        longest_seconds = self._line_seconds + self._timeout_seconds
        line = self._lines[caller.token] = Line(self._peer, self._line, self._bundle_type, caller, longest_seconds)
        asyncio.get_running_loop().call_later(self._line_seconds, self._end, caller.token, line)
        return None

    def _end(self, token: str, line: Line) -> None:
        line.close()
        if self._lines.get(token) is line:
            del self._lines[token]


def _bundled(request: Message, context: CallContext, traceparent: str) -> BundledCall:
    return BundledCall(
        request=request.SerializeToString(),
        request_id=context.request_id,
        idempotency_key=context.idempotency_key,
        traceparent=traceparent or context.traceparent,
    )
