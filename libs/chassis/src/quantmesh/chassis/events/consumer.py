"""Events in, once in effect: inbox row and effect in one transaction, acknowledged after its commit."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Generic, TypeVar
from uuid import UUID

import nats.errors
from google.protobuf.message import DecodeError, Message
from nats.aio.msg import Msg
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from prometheus_client import Counter, Gauge, Histogram
from sqlalchemy.ext.asyncio import AsyncSession

from quantmesh.api.common.v1.common_pb2 import EventEnvelope
from quantmesh.chassis.context import CallContext, set_call
from quantmesh.chassis.database import Database
from quantmesh.chassis.errors import Conflict, Unavailable
from quantmesh.chassis.events import inbox
from quantmesh.chassis.events.bus import REQUEST_SECONDS, EventBus
from quantmesh.chassis.events.pull import ConsumerLostError, PullSubscription
from quantmesh.chassis.events.streams import DEAD_LETTERS, SUBJECT_ROOT, ensure_stream, publisher_of, stream_name
from quantmesh.chassis.telemetry import tracing
from quantmesh.chassis.telemetry.logs import get_logger

log = get_logger(__name__)

M = TypeVar("M", bound=Message)
Handle = Callable[[AsyncSession, EventEnvelope, M], Awaitable[None]]

BROKER_FAULTS = (nats.errors.Error, OSError, TimeoutError, Unavailable)
_ACK_WAIT_SECONDS = 30.0
_PARKED_DELIVERIES_BEFORE_TRIM_CHECK = 3

_EVENTS = Counter("quantmesh_consumer_events_total", "Events by what became of them", ["consumer", "outcome"])
_SECONDS = Histogram("quantmesh_consumer_seconds", "Time an event was handled in", ["consumer"])
_PENDING = Gauge("quantmesh_consumer_pending", "Events in the stream, not yet given to the consumer", ["consumer"])


class PoisonError(Exception):
    """The message can never be handled: not an envelope, or not of the type this consumer takes."""


class _ParkedError(Exception):
    """Leaves the transaction, so that the claim is rolled back: an earlier event of the aggregate is missing."""

    def __init__(self, verdict: inbox.Verdict) -> None:
        super().__init__(verdict.value)
        self.verdict = verdict


class Consumer(Generic[M]):
    """A durable JetStream consumer of one subject of another service.

    `handle(session, envelope, message)` runs in the transaction that marks the event as handled: across tenants, or
    with `as_owner` as the envelope's owner. What it raises rolls back and is tried again with a growing delay;
    after `max_deliver` failures the event goes to `qm.dead.<service>.<name>`. A part that is away (Unavailable,
    Conflict) does not count as a failure. Events of one aggregate arrive in order, those of others side by side.
    """

    def __init__(
        self,
        name: str,
        *,
        subject: str,
        message: type[M],
        handle: Handle[M],
        as_owner: bool = False,
        max_deliver: int = 5,
        prefetch: int = 32,
    ) -> None:
        self.name = name
        self.subject = subject
        self._publisher = publisher_of(subject)
        self._message = message
        self._handle = handle
        self._as_owner = as_owner
        self._max_deliver = max_deliver
        self._prefetch = prefetch

    async def run(self, database: Database, bus: EventBus) -> None:
        """Until cancelled; what was fetched and not finished is then given back for others to take."""
        durable = f"{database.service}-{self.name}"
        while True:
            try:
                await self._consume(_Work(self, database, bus, durable))
            except ConsumerLostError as lost:
                log.warning("consumer is created again", consumer=durable, cause=str(lost))
            except BROKER_FAULTS as fault:
                log.warning("consumer waits for the broker", consumer=durable, error=str(fault))
                await asyncio.sleep(0.2)
                await bus.wait_connected(5.0)

    async def _consume(self, work: "_Work[M]") -> None:
        await ensure_stream(work.bus.jetstream, self._publisher)
        await work.bus.jetstream.add_consumer(
            stream_name(self._publisher),
            ConsumerConfig(
                durable_name=work.durable,
                filter_subject=f"{self.subject}.*",
                deliver_policy=DeliverPolicy.ALL,
                ack_policy=AckPolicy.EXPLICIT,
                ack_wait=_ACK_WAIT_SECONDS,
                # Failures are counted in the inbox: an outage must not use up an event's chances.
                max_deliver=-1,
                max_ack_pending=1024,
            ),
        )
        pulled = PullSubscription(work.bus, stream_name(self._publisher), work.durable)
        await pulled.open()
        try:
            while True:
                await work.process(await pulled.batch(self._prefetch), pulled)
        finally:
            # Closed first: what is given back would otherwise be delivered to our own open request again.
            await asyncio.shield(pulled.close())
            await asyncio.shield(_give_back([*work.unfinished, *pulled.waiting()]))

    async def apply(self, work: "_Work[M]", envelope: EventEnvelope, subject: str, *, accept_unseen: bool) -> bool:
        """Handle one event in its transaction; false where it had been handled before."""
        message = self._decode(envelope)
        async with self._transaction(work.database, envelope) as session:
            verdict = await inbox.claim(session, work.durable, subject, envelope, accept_unseen=accept_unseen)
            if verdict is inbox.Verdict.DUPLICATE:
                return False
            if verdict is not inbox.Verdict.HANDLE:
                raise _ParkedError(verdict)
            await self._handle(session, envelope, message)
        return True

    def _decode(self, envelope: EventEnvelope) -> M:
        wanted = self._message.DESCRIPTOR.full_name
        if envelope.type != wanted:
            msg = f"an event of type {envelope.type!r}, where {wanted} was expected"
            raise PoisonError(msg)
        try:
            return self._message.FromString(envelope.payload)
        except DecodeError as error:
            msg = f"the payload is no {wanted}"
            raise PoisonError(msg) from error

    @asynccontextmanager
    async def _transaction(self, database: Database, envelope: EventEnvelope) -> AsyncIterator[AsyncSession]:
        if self._as_owner:
            async with database.transaction(UUID(envelope.owner_id)) as session:
                yield session
        else:
            async with database.system_transaction() as session:
                yield session

    @property
    def max_deliver(self) -> int:
        return self._max_deliver

    @property
    def publisher(self) -> str:
        return self._publisher


class _Work(Generic[M]):
    """One stretch of consuming, from connection to fault."""

    def __init__(self, consumer: Consumer[M], database: Database, bus: EventBus, durable: str) -> None:
        self.consumer = consumer
        self.database = database
        self.bus = bus
        self.durable = durable
        self.unfinished: list[Msg] = []

    async def process(self, batch: list[Msg], pulled: PullSubscription) -> None:
        """Partitions side by side, each in its order; returns when all of the batch is settled."""
        lanes: dict[str, list[Msg]] = defaultdict(list)
        for message in batch:
            lanes[message.subject].append(message)
        _PENDING.labels(self.durable).set(batch[-1].metadata.num_pending)
        self.unfinished = list(batch)
        keeping = asyncio.create_task(self._keep_alive(pulled))
        try:
            async with asyncio.TaskGroup() as group:
                for lane in lanes.values():
                    group.create_task(self._process_lane(lane))
        except ExceptionGroup as faults:
            raise faults.exceptions[0] from None
        finally:
            keeping.cancel()

    async def _process_lane(self, lane: list[Msg]) -> None:
        for message in lane:
            await self._settle(message)
            self.unfinished.remove(message)

    async def _keep_alive(self, pulled: PullSubscription) -> None:
        """Slow handlers keep their messages, and those waiting behind them."""
        while True:
            await asyncio.sleep(_ACK_WAIT_SECONDS / 3)
            for message in (*self.unfinished, *pulled.waiting()):
                with suppress(*BROKER_FAULTS):
                    await message.in_progress()

    async def _settle(self, message: Msg) -> None:
        """Acknowledge, delay or bury one message. Only faults of the broker leave it."""
        try:
            envelope = EventEnvelope.FromString(message.data)
            event_id = UUID(envelope.event_id)
            owner_id = UUID(envelope.owner_id) if envelope.owner_id else None
        except (DecodeError, ValueError) as error:
            await self._bury(message, None, PoisonError(f"the message is no envelope: {error}"))
            return
        subject = message.subject.rpartition(".")[0]
        traceparent = (message.headers or {}).get("traceparent", "")
        deliveries = message.metadata.num_delivered
        with (
            tracing.server_span(f"{self.durable} {subject}", traceparent) as span,
            _SECONDS.labels(self.durable).time(),
        ):
            context = CallContext(request_id=envelope.event_id, traceparent=span)
            set_call(context if owner_id is None else context.on_behalf_of(owner_id))
            try:
                accept_unseen = await self._is_trimmed(deliveries)
                fresh = await self.consumer.apply(self, envelope, subject, accept_unseen=accept_unseen)
            except _ParkedError as parked:
                await self._delay(message, "parked", str(parked))
            except (Unavailable, Conflict) as fault:
                await self._delay(message, "postponed", str(fault))
            except PoisonError as error:
                await self._bury(message, envelope, error)
            except Exception as error:  # noqa: BLE001  a handler's bug must stop neither the others nor this consumer
                await self._fail(message, envelope, event_id, error)
            else:
                await message.ack()
                _EVENTS.labels(self.durable, "handled" if fresh else "duplicate").inc()

    async def _is_trimmed(self, deliveries: int) -> bool:
        """Whether the stream may have dropped what came before; asked only for events that have waited in vain."""
        if deliveries <= _PARKED_DELIVERIES_BEFORE_TRIM_CHECK:
            return False
        info = await self.bus.jetstream.stream_info(stream_name(self.consumer.publisher))
        return info.state.first_seq > 1

    async def _delay(self, message: Msg, outcome: str, cause: str) -> None:
        """Growing from 0.1 s to 5 s; a bare nak would come back at once, thousands of times in an outage."""
        log.info("event is delayed", consumer=self.durable, subject=message.subject, outcome=outcome, cause=cause)
        _EVENTS.labels(self.durable, outcome).inc()
        await message.nak(delay=min(0.1 * 2 ** min(message.metadata.num_delivered - 1, 10), 5.0))

    async def _fail(self, message: Msg, envelope: EventEnvelope, event_id: UUID, error: Exception) -> None:
        log.error("event failed", consumer=self.durable, event_id=envelope.event_id, exc_info=error)
        try:
            failures = await inbox.count_failure(self.database, self.durable, event_id)
        except (Unavailable, Conflict) as fault:
            await self._delay(message, "postponed", str(fault))
            return
        if failures >= self.consumer.max_deliver:
            await self._bury(message, envelope, error)
        else:
            await self._delay(message, "failed", repr(error))

    async def _bury(self, message: Msg, envelope: EventEnvelope | None, error: Exception) -> None:
        """To the dead letters with its error. Only then is it settled here, so that it cannot get lost between."""
        event_id = envelope.event_id if envelope is not None else f"{message.metadata.sequence.stream}"
        await ensure_stream(self.bus.jetstream, DEAD_LETTERS)
        await self.bus.jetstream.publish(
            f"{SUBJECT_ROOT}.{DEAD_LETTERS}.{self.database.service}.{self.consumer.name}",
            message.data,
            timeout=REQUEST_SECONDS,
            headers={
                **(message.headers or {}),
                "Nats-Msg-Id": f"{self.durable}-{event_id}",
                "Qm-Subject": message.subject,
                "Qm-Error": f"{type(error).__name__}: {error}"[:1024],
            },
        )
        if envelope is not None:
            try:
                async with self.database.system_transaction() as session:
                    await inbox.skip(session, self.durable, message.subject.rpartition(".")[0], envelope)
            except (Unavailable, Conflict) as fault:
                await self._delay(message, "postponed", str(fault))
                return
        await message.term()
        _EVENTS.labels(self.durable, "dead").inc()
        log.error("event is a dead letter", consumer=self.durable, event_id=event_id, error=str(error))


async def _give_back(messages: list[Msg]) -> None:
    for message in messages:
        with suppress(*BROKER_FAULTS, nats.errors.MsgAlreadyAckdError):
            await message.nak()
