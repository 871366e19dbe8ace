"""Calls that came together, each served as if it had come alone."""

import asyncio
import time
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
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

        async def bundle() -> AsyncIterator[Iterable[BundledCall]]:
            for place, call in enumerate(calls):
                call.place = place
            yield calls

        async for outcomes in self.line(bundle()):
            yield outcomes

    async def line(self, bundles: AsyncIterable[Iterable[BundledCall]]) -> AsyncIterator[list[BundledOutcome]]:
        """The same while more come, until no more do and all have their outcome; what is called off has none."""
        under_way: dict[int, asyncio.Task[BundledOutcome]] = {}
        called_off: set[int] = set()
        ended: asyncio.Queue[tuple[int, asyncio.Task[BundledOutcome]] | None] = asyncio.Queue()

        def begin(call: BundledCall) -> None:
            place = call.place
            task = under_way[place] = asyncio.create_task(self._served(call))
            task.add_done_callback(lambda _: ended.put_nowait((place, task)))

        async def receive() -> None:
            async for bundle in bundles:
                for call in bundle:
                    if not call.called_off:
                        begin(call)
                    elif call.place in under_way:
                        called_off.add(call.place)
                        under_way[call.place].cancel()

        receiving = asyncio.create_task(receive())
        receiving.add_done_callback(lambda _: ended.put_nowait(None))
        try:
            while under_way or not receiving.done():
                ready = [await ended.get()]
                while not ended.empty():
                    ready.append(ended.get_nowait())
                served = [each for each in ready if each is not None]
                for place, _ in served:
                    under_way.pop(place, None)
                if outcomes := [self._outcome(*each) for each in served if each[0] not in called_off]:
                    yield outcomes
            await receiving
        finally:
            await end(receiving, *under_way.values())

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
