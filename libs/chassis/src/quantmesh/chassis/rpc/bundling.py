"""Calls that begin at the same time travel together: a call of gRPC costs more than most of what is asked by one."""

from __future__ import annotations  # grpc.aio is generic in its stubs alone

import asyncio
from collections.abc import Callable, Sequence
from contextvars import Context
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from google.protobuf.message import Message
from google.rpc import status_pb2

from quantmesh.api.common.v1.bundle_pb2 import BundledCall, BundledOutcome
from quantmesh.chassis.context import CallContext, current_call, set_call
from quantmesh.chassis.errors import QuantmeshError, Unavailable
from quantmesh.chassis.rpc.status import Unimplemented, from_status

if TYPE_CHECKING:
    from quantmesh.chassis.rpc.peer import Peer, Stream, Unary

Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message)

# Together far below the limit of a message, also of their answers.
_MOST, _LARGEST_BYTES = 64, 16 * 1024
# A bundle has the time that its hastiest call has: who lost more than this already goes alone.
_LOST_SECONDS = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class _Traveller:
    """`told` is None where it is to go alone."""

    request: Message
    context: CallContext
    told: asyncio.Future[BundledOutcome | None]

    def call(self) -> BundledCall:
        return BundledCall(
            request=self.request.SerializeToString(),
            request_id=self.context.request_id,
            idempotency_key=self.context.idempotency_key,
            traceparent=self.context.traceparent,
        )


class Bundled(Generic[Request, Response]):
    """One method of a peer. Calls of one caller that begin in the same turn of the event loop are one call of gRPC.

    `together` is the method that takes several, each as if it had come `alone`: a peer serves it by `Unbundling`.
    """

    def __init__(
        self,
        peer: Peer,
        alone: Unary[Request, Response],
        together: Stream[Any, Any],
        *,
        bundle: Callable[[Sequence[BundledCall]], Message],
        response_type: type[Response],
        timeout_seconds: float,
    ) -> None:
        self._peer = peer
        self._alone = alone
        self._together = together
        self._bundle = bundle
        self._response_type = response_type
        self._timeout_seconds = timeout_seconds
        self._waiting: dict[str, list[_Traveller]] = {}
        self._under_way: dict[asyncio.Task[None], Sequence[_Traveller]] = {}

    async def call_replayable(self, request: Request) -> tuple[Response, bool]:
        """The answer, and whether it is an earlier one under the same idempotency key. Raises as `Peer.call` does."""
        outcome = await self._outcome(request)
        if outcome is None:
            return await self._peer.call_replayable(self._alone, request, timeout_seconds=self._timeout_seconds)
        if outcome.HasField("refusal"):
            status = status_pb2.Status.FromString(outcome.refusal)
            raise from_status(status) or QuantmeshError(status.message)
        return self._response_type.FromString(outcome.response), outcome.replayed

    async def _outcome(self, request: Request) -> BundledOutcome | None:
        context = current_call()
        remaining = context.remaining_seconds()
        is_late = remaining is not None and remaining < self._timeout_seconds - _LOST_SECONDS
        # A service that acts for an owner says so beside its token.
        if context.caller is None or context.caller.is_service or not context.caller.token:
            return None
        if is_late or request.ByteSize() > _LARGEST_BYTES:
            return None
        loop = asyncio.get_running_loop()
        traveller = _Traveller(request, context, loop.create_future())
        # Who they are is said once, for all of them.
        waiting = self._waiting.setdefault(context.caller.token, [])
        waiting.append(traveller)
        if len(waiting) == 1:
            loop.call_soon(self._depart, context.caller.token)
        try:
            return await traveller.told
        except asyncio.CancelledError:
            self._call_off()
            raise

    def _call_off(self) -> None:
        """What nobody waits for any more, as a call that is alone ends with its caller."""
        for task, bundle in self._under_way.items():
            if all(each.told.done() for each in bundle):
                task.cancel()

    def _depart(self, token: str) -> None:
        waiting = [each for each in self._waiting.pop(token) if not each.told.done()]
        for first in range(0, len(waiting), _MOST):
            bundle = waiting[first : first + _MOST]
            if len(bundle) == 1:
                bundle[0].told.set_result(None)
            else:
                # The context of none of them: each has a trace and a request id of its own.
                task = asyncio.get_running_loop().create_task(self._travel(bundle), context=Context())
                self._under_way[task] = bundle
                task.add_done_callback(self._under_way.pop)

    async def _travel(self, bundle: Sequence[_Traveller]) -> None:
        deadlines = [each.context.deadline for each in bundle if each.context.deadline is not None]
        set_call(CallContext(caller=bundle[0].context.caller, deadline=min(deadlines, default=None)))
        request = self._bundle([each.call() for each in bundle])
        failure: QuantmeshError | None = Unavailable(
            f"{self._peer.name} ended without an answer.", retry_after_seconds=1.0, metadata={"peer": self._peer.name}
        )
        try:
            async for answer in self._peer.stream(self._together, request, timeout_seconds=self._timeout_seconds):
                for outcome in answer.outcomes:
                    _tell(bundle[outcome.place], outcome)
        except Unimplemented:
            # A peer of the release before knows them one by one.
            failure = None
        except QuantmeshError as error:
            failure = error
        finally:
            for each in bundle:
                _tell(each, failure)


def _tell(traveller: _Traveller, outcome: BundledOutcome | QuantmeshError | None) -> None:
    """Unless it knows already, or went away."""
    if traveller.told.done():
        return
    if isinstance(outcome, QuantmeshError):
        traveller.told.set_exception(outcome)
    else:
        traveller.told.set_result(outcome)
