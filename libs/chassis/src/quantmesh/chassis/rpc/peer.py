"""Calls to another service: identity, deadline, retry, breaker and bulkhead on each of them."""

from __future__ import annotations  # grpc.aio is generic in its stubs alone

import time
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import grpc
from prometheus_client import Histogram

from quantmesh.chassis.context import CallContext, current_call
from quantmesh.chassis.errors import QuantmeshError, Unavailable
from quantmesh.chassis.rpc.breaker import Breaker
from quantmesh.chassis.rpc.served import code_name
from quantmesh.chassis.rpc.status import from_rpc_error
from quantmesh.chassis.telemetry import tracing

Request = TypeVar("Request")
Response = TypeVar("Response")

_SECONDS = Histogram(
    "quantmesh_peer_seconds",
    "Time a call to a peer took",
    ["peer", "method", "code"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0),
)


@cache
def _name(method: bytes | str) -> str:
    """ "ListEvents" of a whole path."""
    path = method.decode() if isinstance(method, bytes) else method
    return path.rsplit("/", 1)[-1] or "unknown"


@cache
def _observer(peer: str, method: str, code: str) -> Callable[[float], None]:
    """Looking labels up takes longer than observing."""
    return _SECONDS.labels(peer, method, code).observe


class TokenSource(Protocol):
    """Where a service gets the token it acts with when no user's token is at hand."""

    async def token(self) -> str: ...


if TYPE_CHECKING:
    # A generated stub over an asyncio channel is typed as either, by how it was annotated.
    Unary = grpc.UnaryUnaryMultiCallable[Request, Response] | grpc.aio.UnaryUnaryMultiCallable[Request, Response]
    Stream = (
        grpc.StreamStreamMultiCallable[Request, Response]
        | grpc.aio.StreamStreamMultiCallable[Request, Response]
        | grpc.UnaryStreamMultiCallable[Request, Response]
        | grpc.aio.UnaryStreamMultiCallable[Request, Response]
    )


class Peer:
    """One other service. Every failure is a QuantmeshError; a call never outlives its caller's deadline."""

    def __init__(
        self,
        name: str,
        channel: grpc.aio.Channel,
        *,
        tokens: TokenSource | None = None,
        timeout_seconds: float = 2.0,
        max_in_flight: int = 256,
        breaker: Breaker | None = None,
        in_own_name: bool = False,
    ) -> None:
        self.name = name
        self.channel = channel
        self._tokens = tokens
        self._timeout_seconds = timeout_seconds
        self._max_in_flight = max_in_flight
        self._in_flight = 0
        self._breaker = breaker or Breaker(name)
        self._in_own_name = in_own_name
        self._was_away = False
        self._span_attributes = {"rpc.system": "grpc", "peer.service": name}

    def in_own_name(self) -> Peer:
        """The same peer, asked by this service itself, for the caller's owner where there is one.

        The caller's scopes are then not asked for: it is for what is everybody's, and for what the caller is not told.
        """
        return Peer(
            self.name,
            self.channel,
            tokens=self._tokens,
            timeout_seconds=self._timeout_seconds,
            max_in_flight=self._max_in_flight,
            breaker=self._breaker,
            in_own_name=True,
        )

    async def call(
        self, method: Unary[Request, Response], request: Request, *, timeout_seconds: float | None = None
    ) -> Response:
        """The answer, or the peer's error."""
        response, _ = await self._unary(method, request, timeout_seconds, want_metadata=False)
        return response

    async def call_replayable(
        self, method: Unary[Request, Response], request: Request, *, timeout_seconds: float | None = None
    ) -> tuple[Response, bool]:
        """The answer, and whether it is an earlier one under the same idempotency key."""
        return await self._unary(method, request, timeout_seconds, want_metadata=True)

    async def _unary(
        self,
        method: Unary[Request, Response],
        request: Request,
        timeout_seconds: float | None,
        *,
        want_metadata: bool,
    ) -> tuple[Response, bool]:
        context = current_call()
        timeout = self.timeout(context, timeout_seconds)
        invoke: Any = method
        with self.counted(method) as traceparent:
            call = invoke(request, timeout=timeout, metadata=await self.metadata(context, traceparent))
            response = await call
            return response, want_metadata and "idempotent-replayed" in await call.initial_metadata()

    async def stream(
        self,
        method: Stream[Request, Response],
        requests: AsyncIterable[Request] | Request,
        *,
        timeout_seconds: float | None = None,
    ) -> AsyncIterator[Response]:
        """The answers of a call, while `requests` are being sent where they are several."""
        context = current_call()
        timeout = self.timeout(context, timeout_seconds)
        invoke: Any = method
        call = None
        try:
            with self.counted(method) as traceparent:
                call = invoke(requests, timeout=timeout, metadata=await self.metadata(context, traceparent))
                async for response in call:
                    yield response
        finally:
            if call is not None and not call.done():
                call.cancel()

    @contextmanager
    def counted(self, method: object) -> Iterator[str]:
        """One call of `method`: let through by the breaker, with a place among those in flight, measured; its trace.

        What gRPC raises of it is raised as the caller sees it.
        """
        self._enter()
        name = _name(getattr(method, "_method", b""))
        started = time.perf_counter()
        code = "OK"
        try:
            with tracing.client_span(name, self._span_attributes) as traceparent:
                yield traceparent
            self._breaker.succeeded()
        except grpc.aio.AioRpcError as error:
            code = error.code().name
            raise self._failure(error) from error
        except BaseException as error:
            # No token could be had, or nobody waits any more.
            code = code_name(error)
            raise
        finally:
            self._in_flight -= 1
            _observer(self.name, name, code)(time.perf_counter() - started)

    async def close(self) -> None:
        await self.channel.close()

    def is_connected(self) -> bool:
        """Whether a replica says that it serves; one is looked for from now on where none was called yet."""
        return self.channel.get_state(try_to_connect=True) is grpc.ChannelConnectivity.READY

    def _enter(self) -> None:
        if self._breaker.is_open and self._was_away and self.is_connected():
            # It is back and says so: who comes before the next probe is not refused.
            self._breaker.succeeded()
        self._breaker.admit()
        if self._in_flight >= self._max_in_flight:
            msg = f"{self._max_in_flight} calls to {self.name} are in flight already."
            raise Unavailable(msg, retry_after_seconds=1.0, metadata={"peer": self.name})
        self._in_flight += 1

    def timeout(self, context: CallContext, timeout_seconds: float | None) -> float:
        timeout = self._timeout_seconds if timeout_seconds is None else timeout_seconds
        remaining = context.remaining_seconds()
        if remaining is not None:
            timeout = min(timeout, remaining)
        if timeout <= 0:
            msg = f"No time was left to ask {self.name}."
            raise Unavailable(msg, retry_after_seconds=1.0, metadata={"peer": self.name})
        return timeout

    async def metadata(self, context: CallContext, traceparent: str) -> grpc.aio.Metadata:
        metadata = grpc.aio.Metadata()
        if context.request_id:
            metadata.add("x-request-id", context.request_id)
        if traceparent or context.traceparent:
            metadata.add("traceparent", traceparent or context.traceparent)
        if context.idempotency_key:
            metadata.add("idempotency-key", context.idempotency_key)
        caller = context.caller
        token = caller.token if caller is not None and not self._in_own_name else ""
        is_service = caller is not None and caller.is_service
        if not token and self._tokens is not None:
            token, is_service = await self._tokens.token(), True
        if is_service and caller is not None and caller.owner_id is not None:
            metadata.add("x-owner-id", str(caller.owner_id))
        if token:
            metadata.add("authorization", f"Bearer {token}")
        return metadata

    def _failure(self, error: grpc.aio.AioRpcError) -> QuantmeshError:
        translated = from_rpc_error(error, self.name)
        # An answer, even a refusal, shows a peer that lives; a domain's own "unavailable" names no peer.
        if isinstance(translated, Unavailable) and translated.metadata.get("peer") == self.name:
            self._breaker.failed()
            self._was_away = not self.is_connected()
        else:
            self._breaker.succeeded()
        return translated
