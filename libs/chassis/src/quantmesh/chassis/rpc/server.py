"""gRPC in: identity, access, deadline, errors, logs, metrics and traces around every method."""

from __future__ import annotations  # grpc.aio is generic in its stubs alone

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from grpc_status import rpc_status

from quantmesh.chassis.context import CallContext, Caller, set_call, was_replayed
from quantmesh.chassis.errors import Unauthenticated
from quantmesh.chassis.identity import Access, TokenVerifier, access_of
from quantmesh.chassis.rpc.options import server_options
from quantmesh.chassis.rpc.served import REQUEST_ID_LIMIT, Method, code_name
from quantmesh.chassis.rpc.status import to_status
from quantmesh.chassis.rpc.tls import TlsFolder
from quantmesh.chassis.shutdown import drain

AddToServer = Callable[[Any, Any], None]
if TYPE_CHECKING:
    ServicerContext = grpc.aio.ServicerContext[Any, Any]


class UndeclaredAccessError(TypeError):
    """A method says neither @requires, @public nor @service_only; the server does not start with it."""


class _Recording:
    """Stands in for a server while generated code registers, so that its handlers can be wrapped."""

    def __init__(self) -> None:
        self.service = ""
        self.handlers: dict[str, Any] = {}

    def add_generic_rpc_handlers(self, _: object) -> None:
        """Generated code registers each method twice; the named form below is the one that is kept."""

    def add_registered_method_handlers(self, service: str, handlers: dict[str, Any]) -> None:
        self.service = service
        self.handlers = handlers


class RpcServer:
    """One port with the service's servicers, health and reflection."""

    def __init__(
        self,
        bind: str,
        verifier: TokenVerifier,
        *,
        tls: TlsFolder | None = None,
        connection_age_seconds: float = 60.0,
    ) -> None:
        self._verifier = verifier
        self._calls = _Calls()
        self._server = grpc.aio.server(options=server_options(connection_age_seconds))
        self._services = [health.SERVICE_NAME, reflection.SERVICE_NAME]
        self._health = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        if tls is None:
            self.port = self._server.add_insecure_port(bind)
        else:
            self.port = self._server.add_secure_port(bind, tls.server_credentials())

    def add_servicer(self, add_to_server: AddToServer, servicer: object) -> None:
        """Register a servicer with the generated `add_..._to_server`; every method must declare its access."""
        recording = _Recording()
        add_to_server(servicer, recording)
        wrapped = {}
        for name, handler in recording.handlers.items():
            declared = getattr(type(servicer), name, None)
            access = access_of(declared)
            if access is None:
                msg = f"{recording.service}/{name} declares no access; mark it @requires, @public or @service_only."
                raise UndeclaredAccessError(msg)
            method = Method(recording.service, name)
            is_line = getattr(declared, "__carries_calls__", False)
            wrapped[name] = _Guard(method, access, self._verifier, self._calls, is_line=is_line).wrap(handler)
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(recording.service, wrapped),))
        self._services.append(recording.service)

    async def start(self) -> None:
        reflection.enable_server_reflection(self._services, self._server)
        await self._server.start()

    async def set_serving(self, serving: bool) -> None:
        """What clients go by: they call a replica that serves, and pass over one that does not."""
        status = health_pb2.HealthCheckResponse
        for service in ("", *self._services[2:]):
            await self._health.set(service, status.SERVING if serving else status.NOT_SERVING)

    async def stop(self, grace_seconds: float) -> None:
        """Send clients elsewhere, then refuse new calls, and let those in flight end, all within `grace_seconds`."""
        await self._health.enter_graceful_shutdown()
        await self._server.stop(await drain(lambda: self._calls.begun, grace_seconds))


@dataclass
class _Calls:
    begun: int = 0


class _Guard:
    """What happens around one method."""

    def __init__(
        self, method: Method, access: Access, verifier: TokenVerifier, calls: _Calls, *, is_line: bool
    ) -> None:
        self._method = method
        self._is_line = is_line
        self._access = access
        self._calls = calls
        self._verifier = verifier

    def wrap(self, handler: grpc.RpcMethodHandler[Any, Any]) -> grpc.RpcMethodHandler[Any, Any]:
        options = {
            "request_deserializer": handler.request_deserializer,
            "response_serializer": handler.response_serializer,
        }
        if handler.response_streaming:
            streaming = cast(
                "Callable[[Any, ServicerContext], AsyncIterator[Any]]", handler.stream_stream or handler.unary_stream
            )
            make = (
                grpc.stream_stream_rpc_method_handler
                if handler.request_streaming
                else grpc.unary_stream_rpc_method_handler
            )
            return make(self._streaming(streaming), **options)
        unary = cast("Callable[[Any, ServicerContext], Awaitable[Any]]", handler.stream_unary or handler.unary_unary)
        make_unary = (
            grpc.stream_unary_rpc_method_handler if handler.request_streaming else grpc.unary_unary_rpc_method_handler
        )
        return make_unary(self._unary(unary), **options)

    def _unary(
        self, behaviour: Callable[[Any, ServicerContext], Awaitable[Any]]
    ) -> Callable[[Any, ServicerContext], Awaitable[Any]]:
        async def serve(request: Any, context: ServicerContext) -> Any:
            self._calls.begun += 1
            started = time.perf_counter()
            code, traceparent = "OK", ""
            try:
                metadata = _metadata(context)
                with self._span(metadata) as traceparent:
                    await self._admit(context, metadata, traceparent)
                    response = await behaviour(request, context)
                if was_replayed():
                    await context.send_initial_metadata((("idempotent-replayed", "true"),))
                return response
            except BaseException as error:
                code = code_name(error)
                await self._refuse(error, context)
                raise
            finally:
                self._method.measure(code, started, traceparent)

        return serve

    def _streaming(
        self, behaviour: Callable[[Any, ServicerContext], AsyncIterator[Any]]
    ) -> Callable[[Any, ServicerContext], AsyncIterator[Any]]:
        async def serve(request: Any, context: ServicerContext) -> AsyncIterator[Any]:
            self._calls.begun += 1
            started = time.perf_counter()
            code, traceparent = "OK", ""
            try:
                metadata = _metadata(context)
                with nullcontext("") if self._is_line else self._span(metadata) as traceparent:
                    await self._admit(context, metadata, traceparent)
                    async for response in behaviour(request, context):
                        yield response
            except BaseException as error:
                code = code_name(error)
                await self._refuse(error, context)
                raise
            finally:
                if not self._is_line:
                    self._method.measure(code, started, traceparent)

        return serve

    def _span(self, metadata: dict[str, str]) -> AbstractContextManager[str]:
        return self._method.span(metadata.get("x-request-id", "")[:REQUEST_ID_LIMIT], metadata.get("traceparent", ""))

    async def _admit(self, context: ServicerContext, metadata: dict[str, str], traceparent: str) -> None:
        caller: Caller | None = None
        authorization = metadata.get("authorization", "")
        if authorization and not self._access.public:
            scheme, _, token = authorization.partition(" ")
            if scheme.lower() != "bearer":
                msg = "The authorization metadata must be a bearer token."
                raise Unauthenticated(msg)
            caller = await self._verifier.verify(token, owner_id=metadata.get("x-owner-id", ""))
        remaining = context.time_remaining()
        set_call(
            CallContext(
                request_id=metadata.get("x-request-id", "")[:REQUEST_ID_LIMIT] or str(uuid.uuid4()),
                caller=caller,
                deadline=None if remaining is None else time.monotonic() + remaining,
                idempotency_key=metadata.get("idempotency-key", ""),
                traceparent=traceparent,
            )
        )
        if self._access.public:
            return
        if caller is None:
            msg = "This call carries no identity; send a bearer token."
            raise Unauthenticated(msg)
        self._access.check(caller)

    async def _refuse(self, error: BaseException, context: ServicerContext) -> None:
        """Answer with the error's status. Raises, as `abort` does, unless the call is over already."""
        if isinstance(error, asyncio.CancelledError | GeneratorExit | grpc.aio.AbortError):
            return
        await context.abort_with_status(rpc_status.to_status(to_status(self._method.shown(error))))


def _metadata(context: ServicerContext) -> dict[str, str]:
    return {key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)}
