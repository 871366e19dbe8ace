"""A ledger whose calls travel together over a real channel, and those who call it."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from uuid import UUID, uuid4

import grpc

from quantmesh.api.common.v1.bundle_pb2 import BundledCall
from quantmesh.api.portfolio.v1 import portfolio_pb2 as pb
from quantmesh.chassis.context import CallContext, Caller, current_call, current_caller, set_call
from quantmesh.chassis.identity import TokenVerifier, requires
from quantmesh.chassis.rpc import Peer, RpcServer, open_channel
from quantmesh.chassis.rpc.bundling import Bundled
from quantmesh.chassis.rpc.served import Method, carries_calls
from quantmesh.chassis.rpc.unbundling import Unbundling

from .tokens import OneKey, token

SERVICE = "quantmesh.tests.Ledger"
ADA, BOB = uuid4(), uuid4()
TRACE = "00-" + "4b" * 16 + "-" + "00f0" * 4 + "-01"
Request: TypeAlias = pb.RecordTransactionRequest
Response: TypeAlias = pb.RecordTransactionResponse
Ask = Callable[..., asyncio.Task[tuple[Response, bool]]]


@dataclass
class Ledger:
    """Answers with what it sees of the call; `behaviour` does what a test wants of one, by its name."""

    behaviour: dict[str, Callable[[], Awaitable[None]]] = field(default_factory=dict)
    server: RpcServer | None = None
    peer: Peer | None = None
    alone: list[str] = field(default_factory=list)
    lines: list[UUID | None] = field(default_factory=list)
    ended: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))
    bundles: list[int] = field(default_factory=list)

    @requires("portfolio:write")
    async def RecordTransaction(self, request: Request, context: object) -> Response:
        self.alone.append(request.portfolio_id)
        return await self._record(request)

    @requires("portfolio:write")
    @carries_calls
    async def StreamRecordings(
        self, requests: AsyncIterator[pb.StreamRecordingsRequest], context: object
    ) -> AsyncIterator[pb.StreamRecordingsResponse]:
        self.lines.append(current_caller().owner_id)

        async def bundles() -> AsyncIterator[Sequence[BundledCall]]:
            async for request in requests:
                self.bundles.append(len(request.calls))
                yield request.calls

        unbundling = Unbundling(Method(SERVICE, "RecordTransaction"), Request, self._record)
        try:
            async for outcomes in unbundling.line(bundles()):
                yield pb.StreamRecordingsResponse(outcomes=outcomes)
        finally:
            self.ended.release()

    async def _record(self, request: Request) -> Response:
        name = request.portfolio_id
        if name in self.behaviour:
            await self.behaviour[name]()
        call = current_call()
        seen = " ".join((str(current_caller().owner_id), call.request_id, call.idempotency_key, call.traceparent))
        return Response(transaction=pb.Transaction(id=name, input=pb.TransactionInput(note=seen)))

    def add_to(self, server: Any, *, knows_lines: bool) -> None:
        methods = {
            "RecordTransaction": grpc.unary_unary_rpc_method_handler(
                self.RecordTransaction,
                request_deserializer=Request.FromString,
                response_serializer=Response.SerializeToString,
            ),
            "StreamRecordings": grpc.stream_stream_rpc_method_handler(
                self.StreamRecordings,
                request_deserializer=pb.StreamRecordingsRequest.FromString,
                response_serializer=pb.StreamRecordingsResponse.SerializeToString,
            ),
        }
        if not knows_lines:
            del methods["StreamRecordings"]
        server.add_registered_method_handlers(SERVICE, methods)


@asynccontextmanager
async def serving(
    ledger: Ledger, *, knows_lines: bool = True, timeout_seconds: float = 30.0, line_seconds: float = 60.0
) -> AsyncIterator[Ask]:
    """A caller of the ledger, as an edge makes one: in a task of each request. Ada and Bob have called once before."""
    server = RpcServer("127.0.0.1:0", TokenVerifier(OneKey()))
    ledger.server = server
    server.add_servicer(lambda _, recording: ledger.add_to(recording, knows_lines=knows_lines), ledger)
    await server.start()
    peer = Peer("ledger", open_channel(f"127.0.0.1:{server.port}", []), timeout_seconds=timeout_seconds)
    ledger.peer = peer
    bundled: Bundled[Request, Response] = Bundled(
        peer,
        peer.channel.unary_unary(f"/{SERVICE}/RecordTransaction", Request.SerializeToString, Response.FromString),
        peer.channel.stream_stream(
            f"/{SERVICE}/StreamRecordings",
            pb.StreamRecordingsRequest.SerializeToString,
            pb.StreamRecordingsResponse.FromString,
        ),
        bundle_type=pb.StreamRecordingsRequest,
        response_type=Response,
        timeout_seconds=timeout_seconds,
        line_seconds=line_seconds,
    )

    def ask(
        name: str,
        user: UUID = ADA,
        *,
        note: str = "",
        seconds: float = 30.0,
        scope: str = "portfolio:write",
        service: str = "",
    ) -> asyncio.Task[tuple[Response, bool]]:
        bearer = token("", service) if service else tokens[user, scope]
        caller = Caller(service or str(user), frozenset(), frozenset(), "", "", bearer, 0.0, user)
        context = CallContext(f"request {name}", caller, time.monotonic() + seconds, f"key {name}", TRACE)
        own = copy_context()
        own.run(set_call, context)
        request = Request(portfolio_id=name, transaction=pb.TransactionInput(note=note))
        return asyncio.get_running_loop().create_task(bundled.call_replayable(request), context=own)

    tokens = {
        (user, scope): token(scope, str(user)) for user in (ADA, BOB) for scope in ("portfolio:write", "jobs:read")
    }
    try:
        for bearer in tokens:
            await asyncio.gather(ask("before", bearer[0], scope=bearer[1]), return_exceptions=True)
        ledger.alone.clear()
        yield ask
    finally:
        await peer.close()
        await server.stop(0)
