"""A line to a peer: one call of gRPC that stays open and carries the calls of one caller, each with its own outcome."""

from __future__ import annotations  # grpc.aio is generic in its stubs alone

import asyncio
from collections.abc import AsyncIterator, Callable
from contextvars import Context
from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf.message import Message
from google.rpc import status_pb2

from quantmesh.api.common.v1.bundle_pb2 import BundledCall, BundledOutcome
from quantmesh.chassis.context import CallContext, Caller

if TYPE_CHECKING:
    from quantmesh.chassis.rpc.peer import Peer, Stream

# Together far below the limit of a message.
_MOST = 64
_CODES = {code.value[0]: code for code in grpc.StatusCode}


class Line:
    """Opened by the first call that it takes; once closed, it ends when the last of them has its outcome."""

    def __init__(
        self,
        peer: Peer,
        method: Stream[Any, Any],
        bundle_type: Callable[..., Message],
        caller: Caller,
        longest_seconds: float,
    ) -> None:
        self.takes_calls = True
        self._peer = peer
        self._method: Any = method
        self._bundle_type = bundle_type
        self._caller = caller
        self._longest_seconds = longest_seconds
        self._task: asyncio.Task[None] | None = None
        self._calls = 0
        self._departing: list[BundledCall] = []
        self._something_to_do = asyncio.Event()
        # By the call's place; None where the peer knows no lines.
        self._awaited: dict[int, asyncio.Future[BundledOutcome | None]] = {}

    def close(self) -> None:
        """Takes no more calls."""
        self.takes_calls = False
        self._something_to_do.set()

    async def outcome(self, call: BundledCall, timeout_seconds: float) -> BundledOutcome | None:
        """A response, or None from a peer of the release before, which knows no lines; the call is to go alone then.

        Raises grpc.aio.AioRpcError as a call of gRPC by itself. What nobody waits for any more is called off.
        """
        self._calls += 1
        call.place = self._calls
        told: asyncio.Future[BundledOutcome | None] = asyncio.get_running_loop().create_future()
        self._awaited[call.place] = told
        self._send(call)
        try:
            async with asyncio.timeout(timeout_seconds):
                outcome = await told
        except TimeoutError:
            raise _failed(grpc.StatusCode.DEADLINE_EXCEEDED, "no outcome in time") from None
        finally:
            if self._awaited.pop(call.place, None) is not None:
                self._send(BundledCall(place=call.place, called_off=True))
        if outcome is not None and outcome.HasField("refusal"):
            raise _refused(outcome.refusal)
        return outcome

    def _send(self, call: BundledCall) -> None:
        self._departing.append(call)
        self._something_to_do.set()
        if self._task is None:
            # The context of none of them: each has a trace and a request id of its own.
            self._task = asyncio.get_running_loop().create_task(self._carry(), context=Context())

    async def _carry(self) -> None:
        failure: grpc.aio.AioRpcError | None = _failed(grpc.StatusCode.UNAVAILABLE, "ended without an outcome")
        stream = None
        try:
            metadata = await self._peer.metadata(CallContext(caller=self._caller), "")
            stream = self._method(self._departures(), timeout=self._longest_seconds, metadata=metadata)
            async for answer in stream:
                for outcome in answer.outcomes:
                    self._tell(outcome)
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.UNIMPLEMENTED:
                failure = None
            elif error.code() is not grpc.StatusCode.INTERNAL or error.trailing_metadata():
                failure = error
            # Else the peer did not say it: grpc.aio calls it internal where a message met a connection that had broken.
        finally:
            self.close()
            if stream is not None and not stream.done():
                stream.cancel()
            for told in self._awaited.values():
                if told.done():
                    continue
                if failure is None:
                    told.set_result(None)
                else:
                    told.set_exception(failure)
            self._awaited.clear()

    async def _departures(self) -> AsyncIterator[Message]:
        """What is there at the same time goes together; open for callings-off until nobody waits any more."""
        while self.takes_calls or self._awaited or self._departing:
            while self._departing:
                bundle, self._departing = self._departing[:_MOST], self._departing[_MOST:]
                yield self._bundle_type(calls=bundle)
            self._something_to_do.clear()
            if self.takes_calls or self._awaited:
                await self._something_to_do.wait()

    def _tell(self, outcome: BundledOutcome) -> None:
        """Unless he went away."""
        told = self._awaited.pop(outcome.place, None)
        if told is not None and not told.done():
            told.set_result(outcome)
        if not self._awaited and not self.takes_calls:
            self._something_to_do.set()


def _failed(code: grpc.StatusCode, details: str) -> grpc.aio.AioRpcError:
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(), details=details)


def _refused(refusal: bytes) -> grpc.aio.AioRpcError:
    """What the status would have come as."""
    status = status_pb2.Status.FromString(refusal)
    trailing = grpc.aio.Metadata(("grpc-status-details-bin", refusal))
    return grpc.aio.AioRpcError(_CODES[status.code], grpc.aio.Metadata(), trailing, details=status.message)
