"""Calls that came together, each served as if it had come alone."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from google.protobuf.message import Message

from quantmesh.api.common.v1.bundle_pb2 import BundledCall, BundledOutcome
from quantmesh.chassis.cancellation import end
from quantmesh.chassis.context import current_call, set_call, was_replayed
from quantmesh.chassis.rpc.served import REQUEST_ID_LIMIT, Method, code_name
from quantmesh.chassis.rpc.status import to_status

Request = TypeVar("Request", bound=Message)


@dataclass(frozen=True, slots=True)
class Unbundling(Generic[Request]):
    """`serve` is what serves each; it is told of as `method`."""

    method: Method
    request_type: type[Request]
    serve: Callable[[Request], Awaitable[Message]]

    async def outcomes(self, calls: Iterable[BundledCall]) -> AsyncIterator[list[BundledOutcome]]:
        """All of them, those that are there at the same time together; nobody waits for who came with him."""
        places = {asyncio.create_task(self._served(call)): place for place, call in enumerate(calls)}
        waiting = set(places)
        try:
            while waiting:
                ended, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                yield [self._outcome(places[task], task) for task in ended]
        finally:
            await end(*waiting)

    async def _served(self, call: BundledCall) -> BundledOutcome:
        started = time.perf_counter()
        code, traceparent = "OK", ""
        request_id = call.request_id[:REQUEST_ID_LIMIT]
        try:
            with self.method.span(request_id, call.traceparent) as traceparent:
                # Each has a task of its own, and so a context.
                set_call(
                    replace(
                        current_call(),
                        request_id=request_id,
                        idempotency_key=call.idempotency_key,
                        traceparent=traceparent,
                    )
                )
                response = await self.serve(self.request_type.FromString(call.request))
            return BundledOutcome(response=response.SerializeToString(), replayed=was_replayed())
        except BaseException as error:
            code = code_name(error)
            raise
        finally:
            self.method.measure(code, started, traceparent)

    def _outcome(self, place: int, task: asyncio.Task[BundledOutcome]) -> BundledOutcome:
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        if error is None:
            outcome = task.result()
            outcome.place = place
            return outcome
        return BundledOutcome(place=place, refusal=to_status(self.method.shown(error)).SerializeToString())
