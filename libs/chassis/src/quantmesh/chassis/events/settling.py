"""What becomes of a consumer's messages: handled, parked, delayed, or buried."""

import asyncio
from contextlib import suppress
from typing import Protocol
from uuid import UUID

import nats.errors
from google.protobuf.message import DecodeError
from nats.aio.msg import Msg
from prometheus_client import Counter, Gauge, Histogram

from quantmesh.api.common.v1.common_pb2 import EventEnvelope
from quantmesh.chassis import failpoints
from quantmesh.chassis.cancellation import raise_if_cancelled
from quantmesh.chassis.context import CallContext, set_call
from quantmesh.chassis.database import Database
from quantmesh.chassis.errors import Conflict, Unavailable
from quantmesh.chassis.events import inbox
from quantmesh.chassis.events.bus import BROKER_FAULTS, REQUEST_SECONDS, EventBus
from quantmesh.chassis.events.parking import Aggregate, Parking
from quantmesh.chassis.events.pull import PullSubscription
from quantmesh.chassis.events.streams import DEAD_LETTERS, SUBJECT_ROOT, ensure_stream
from quantmesh.chassis.failpoints import Failpoint
from quantmesh.chassis.telemetry import tracing
from quantmesh.chassis.telemetry.logs import get_logger

log = get_logger(__name__)

# How long what a dead consumer held back lies idle; slow handlers renew it.
ACK_WAIT_SECONDS = 4.0
# A bare nak would come back at once, thousands of times in an outage.
_FIRST_DELAY_SECONDS = 0.1
_LONGEST_DELAY_SECONDS = 2.0
# A predecessor that is only late comes within this time; else the broker is asked whether it still has it.
_PARKED_SECONDS = 2.0
_DELIVERIES_BEFORE_TRIM_CHECK = 2

_EVENTS = Counter("quantmesh_consumer_events_total", "Events by what became of them", ["consumer", "outcome"])
_SECONDS = Histogram("quantmesh_consumer_seconds", "Time an event was handled in", ["consumer"])
_PENDING = Gauge("quantmesh_consumer_pending", "Events in the stream, not yet given to the consumer", ["consumer"])


class PoisonError(Exception):
    """The message can never be handled: not an envelope, or not of the type this consumer takes."""


class Applies(Protocol):
    """The consumer, as far as settling needs it."""

    name: str
    stream: str
    max_deliver: int
    concurrency: int
    prefetch: int

    async def apply(
        self, database: Database, durable: str, subject: str, envelope: EventEnvelope, *, accept_unseen: bool
    ) -> inbox.Verdict: ...


class Settling:
    """One stretch of consuming, from connection to fault."""

    def __init__(self, consumer: Applies, database: Database, bus: EventBus, durable: str) -> None:
        self._consumer = consumer
        self._database = database
        self._bus = bus
        self._durable = durable
        self._lanes: dict[str, asyncio.Queue[Msg]] = {}
        self._unfinished: dict[int, Msg] = {}
        self._room = asyncio.Event()
        self._parking = Parking()
        self._turns = asyncio.Semaphore(consumer.concurrency)

    async def run(self, pulled: PullSubscription) -> None:
        """Until a fault of the broker, which is raised. Partitions go side by side, each in its order."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._keep_alive(pulled))
                while True:
                    raise_if_cancelled()
                    free = self._consumer.prefetch - len(self._unfinished)
                    if free <= 0:
                        self._room.clear()
                        await self._room.wait()
                        continue
                    for message in await pulled.batch(free):
                        _PENDING.labels(self._durable).set(message.metadata.num_pending)
                        self._unfinished[id(message)] = message
                        if message.subject not in self._lanes:
                            lane = self._lanes[message.subject] = asyncio.Queue()
                            group.create_task(self._work(lane))
                        self._lanes[message.subject].put_nowait(message)
        except ExceptionGroup as faults:
            raise faults.exceptions[0] from None

    async def give_back(self, waiting: list[Msg]) -> None:
        """All that is not settled goes to whoever consumes next."""
        for message in (*self._unfinished.values(), *self._parking.messages(), *waiting):
            with suppress(*BROKER_FAULTS):
                await message.nak()

    async def _work(self, lane: asyncio.Queue[Msg]) -> None:
        while True:
            message: Msg | None = await lane.get()
            while message is not None:
                raise_if_cancelled()
                async with self._turns:
                    successor = await self._settle(message)
                self._unfinished.pop(id(message), None)
                if successor is not None:
                    self._unfinished[id(successor)] = successor
                message = successor
            self._room.set()
            raise_if_cancelled()

    async def _keep_alive(self, pulled: PullSubscription) -> None:
        """Slow handlers keep their messages, and those waiting behind them; what parked in vain is delivered anew."""
        while True:
            raise_if_cancelled()
            await asyncio.sleep(ACK_WAIT_SECONDS / 4)
            for message in self._parking.take_overdue(_PARKED_SECONDS):
                await self._delay(message, "overdue")
            for message in (*self._unfinished.values(), *self._parking.messages(), *pulled.waiting()):
                with suppress(nats.errors.MsgAlreadyAckdError):
                    await message.in_progress()

    async def _settle(self, message: Msg) -> Msg | None:
        """Do with one message what is to be done; the parked one that may go next. Raises faults of the broker."""
        try:
            envelope = EventEnvelope.FromString(message.data)
            event_id = UUID(envelope.event_id)
            owner_id = UUID(envelope.owner_id) if envelope.owner_id else None
        except (DecodeError, ValueError) as error:
            await self._bury(message, None, PoisonError(f"the message is no envelope: {error}"))
            return None
        aggregate = (message.subject.rpartition(".")[0], envelope.aggregate_id)
        traceparent = (message.headers or {}).get("traceparent", "")
        with (
            tracing.server_span(f"{self._durable} {aggregate[0]}", traceparent) as span,
            _SECONDS.labels(self._durable).time(),
        ):
            context = CallContext(request_id=envelope.event_id, traceparent=span)
            set_call(context if owner_id is None else context.on_behalf_of(owner_id))
            is_done = await self._handle(message, envelope, event_id, aggregate)
        return self._parking.take(aggregate, envelope.aggregate_version) if is_done else None

    async def _handle(self, message: Msg, envelope: EventEnvelope, event_id: UUID, aggregate: Aggregate) -> bool:
        """Whether the next event of the aggregate may follow."""
        try:
            verdict = await self._consumer.apply(
                self._database, self._durable, aggregate[0], envelope, accept_unseen=await self._is_trimmed(message)
            )
        except (Unavailable, Conflict) as fault:
            await self._delay(message, "postponed", fault.detail)
            return False
        except PoisonError as error:
            return await self._bury(message, envelope, error)
        except Exception as error:  # noqa: BLE001  a handler's bug must stop neither the others nor this consumer
            return await self._fail(message, envelope, event_id, error)
        if verdict is inbox.Verdict.GAP:
            _EVENTS.labels(self._durable, "parked").inc()
            if not self._parking.put(aggregate, envelope.previous_version, message):
                await self._delay(message, "no room to park")
            return False
        await failpoints.reached(Failpoint.BEFORE_ACK)
        await message.ack()
        _EVENTS.labels(self._durable, verdict.value).inc()
        return True

    async def _is_trimmed(self, message: Msg) -> bool:
        """Whether the stream may have dropped what came before; asked only for events that have waited in vain."""
        if message.metadata.num_delivered <= _DELIVERIES_BEFORE_TRIM_CHECK:
            return False
        info = await self._bus.jetstream.stream_info(self._consumer.stream)
        return info.state.first_seq > 1

    async def _delay(self, message: Msg, outcome: str, cause: str = "") -> None:
        log.info("event is delayed", consumer=self._durable, subject=message.subject, outcome=outcome, cause=cause)
        _EVENTS.labels(self._durable, outcome).inc()
        doublings = min(message.metadata.num_delivered - 1, 10)
        await message.nak(delay=min(_FIRST_DELAY_SECONDS * 2**doublings, _LONGEST_DELAY_SECONDS))

    async def _fail(self, message: Msg, envelope: EventEnvelope, event_id: UUID, error: Exception) -> bool:
        log.error("event failed", consumer=self._durable, event_id=envelope.event_id, exc_info=error)
        try:
            failures = await inbox.count_failure(self._database, self._durable, event_id)
        except (Unavailable, Conflict) as fault:
            await self._delay(message, "postponed", fault.detail)
            return False
        if failures >= self._consumer.max_deliver:
            return await self._bury(message, envelope, error)
        await self._delay(message, "failed", repr(error))
        return False

    async def _bury(self, message: Msg, envelope: EventEnvelope | None, error: Exception) -> bool:
        """To the dead letters with its error. Only then is it settled here, so that it cannot get lost between."""
        event_id = envelope.event_id if envelope is not None else f"{message.metadata.sequence.stream}"
        await ensure_stream(self._bus.jetstream, DEAD_LETTERS)
        await self._bus.jetstream.publish(
            f"{SUBJECT_ROOT}.{DEAD_LETTERS}.{self._database.service}.{self._consumer.name}",
            message.data,
            timeout=REQUEST_SECONDS,
            headers={
                **(message.headers or {}),
                "Nats-Msg-Id": f"{self._durable}-{event_id}",
                "Qm-Subject": message.subject,
                "Qm-Error": f"{type(error).__name__}: {error}"[:1024],
            },
        )
        await failpoints.reached(Failpoint.AFTER_BURIAL)
        if envelope is not None:
            try:
                async with self._database.system_transaction() as session:
                    await inbox.skip(session, self._durable, message.subject.rpartition(".")[0], envelope)
            except (Unavailable, Conflict) as fault:
                await self._delay(message, "postponed", fault.detail)
                return False
        await message.term()
        _EVENTS.labels(self._durable, "dead").inc()
        log.error("event is a dead letter", consumer=self._durable, event_id=event_id, error=str(error))
        return True
