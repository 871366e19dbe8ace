"""Events for an edge: every replica gets each of them, in order, from now on."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from google.protobuf.message import DecodeError
from nats.aio.msg import Msg
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy, StreamInfo

from quantmesh.api.common.v1.common_pb2 import EventEnvelope
from quantmesh.chassis.cancellation import raise_if_cancelled
from quantmesh.chassis.events.bus import BROKER_FAULTS, EventBus
from quantmesh.chassis.events.pull import ConsumerLostError, PullSubscription
from quantmesh.chassis.events.streams import publisher_of, stream_name
from quantmesh.chassis.telemetry.logs import get_logger

log = get_logger(__name__)

_INACTIVE_SECONDS = 30.0
# An event is recorded when its transaction begins, and comes when that is committed.
_COMMITTED_SECONDS = 60.0
EnvelopeHandle = Callable[[EventEnvelope], Awaitable[None]]


class Broadcast:
    """An ephemeral subscription without acknowledgement to `subject` (wildcards allowed), without its partition.

    After a fault it goes on behind the last event it gave; an edge that was away for longer reads the owner's log.
    `handle` must not raise: it fans out to clients, and one event cannot be tried again here. With `backlog` it begins
    that far in the past, for what a fresh process has to know already (revocations). `began`: no event is missed
    from then on.
    """

    def __init__(self, *, subject: str, handle: EnvelopeHandle, backlog: timedelta = timedelta(0)) -> None:
        self.subject = subject
        self._publisher = publisher_of(subject)
        self._handle = handle
        self._backlog = backlog
        # Behind which it goes on; 0 is the beginning of a stream, None where only the time to begin at is known.
        self._last_sequence: int | None = None
        self._begins_at: datetime | None = None
        # Of the stream in which that place is.
        self._stream_began: datetime | None = None
        # Of the events given; and of those that another stream brings again, the first that may be new. Unix time.
        self._newest_recorded = time.time()
        self._first_recorded = 0.0
        self.began = asyncio.Event()

    async def run(self, bus: EventBus) -> None:
        while True:
            raise_if_cancelled()
            try:
                await self._follow(bus)
            except ConsumerLostError as lost:
                log.info("broadcast is created again", subject=self.subject, cause=str(lost))
            except BROKER_FAULTS as fault:
                log.warning("broadcast waits for the broker", subject=self.subject, error=str(fault))
                await asyncio.sleep(0.2)
                await bus.wait_connected(5.0)

    async def _follow(self, bus: EventBus) -> None:
        info = await bus.ensure_stream(self._publisher)
        created = await bus.jetstream.add_consumer(
            stream_name(self._publisher),
            ConsumerConfig(
                filter_subject=self.subject if self.subject.endswith(">") else f"{self.subject}.*",
                **self._start(info),
                ack_policy=AckPolicy.NONE,
                inactive_threshold=_INACTIVE_SECONDS,
                mem_storage=True,
            ),
        )
        pulled = PullSubscription(bus, stream_name(self._publisher), created.name)
        await pulled.open()
        self.began.set()
        given = 0
        try:
            while True:
                for message in await pulled.batch(256):
                    given += 1
                    if message.metadata.sequence.consumer != given:
                        raise ConsumerLostError("what the broker gave before has not come")
                    await self._give(message)
        finally:
            await asyncio.shield(pulled.close())

    def _start(self, info: StreamInfo) -> dict[str, Any]:
        """Where to begin: behind the last event given; at first from now, or from the backlog.

        Without an event yet, a later beginning is the same as the first, so that what came meanwhile is given.
        """
        last_sequence = info.state.last_seq
        if self._last_sequence is not None and self._stream_began != info.created:
            # Of a broker that lost all: its relay has published a week's events again, under other numbers.
            self._last_sequence = 0
            self._first_recorded = self._newest_recorded - _COMMITTED_SECONDS
        self._stream_began = info.created
        if self._last_sequence is None and self._backlog:
            self._begins_at = self._begins_at or datetime.now(UTC) - self._backlog
            return {"deliver_policy": DeliverPolicy.BY_START_TIME, "opt_start_time": self._begins_at}
        # A broker restored to an older state counts from there again.
        start = last_sequence if self._last_sequence is None else min(self._last_sequence, last_sequence)
        self._last_sequence = start
        return {"deliver_policy": DeliverPolicy.BY_START_SEQUENCE, "opt_start_seq": start + 1}

    async def _give(self, message: Msg) -> None:
        self._last_sequence = message.metadata.sequence.stream
        try:
            envelope = EventEnvelope.FromString(message.data)
        except DecodeError:
            log.error("a message is no envelope", subject=message.subject, sequence=self._last_sequence)
            return
        recorded = envelope.recorded_at.ToNanoseconds() / 1e9
        self._newest_recorded = max(self._newest_recorded, recorded)
        if recorded >= self._first_recorded:
            await self._handle(envelope)
