"""Events in, once in effect: inbox row and effect in one transaction, acknowledged after its commit."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

import psycopg
from google.protobuf.message import DecodeError, Message
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from quantmesh.api.common.v1.common_pb2 import EventEnvelope
from quantmesh.chassis.cancellation import raise_if_cancelled
from quantmesh.chassis.context import CallContext, current_call, set_call
from quantmesh.chassis.database import Database
from quantmesh.chassis.events import inbox
from quantmesh.chassis.events.arrival import Arrival, PoisonError, in_batch
from quantmesh.chassis.events.bus import BROKER_FAULTS, EventBus
from quantmesh.chassis.events.pull import ConsumerLostError, PullSubscription
from quantmesh.chassis.events.settling import ACK_WAIT_SECONDS, Settling
from quantmesh.chassis.events.streams import publisher_of, stream_name
from quantmesh.chassis.leadership import while_leading
from quantmesh.chassis.sql import Session
from quantmesh.chassis.telemetry.logs import get_logger

log = get_logger(__name__)

M = TypeVar("M", bound=Message)
Handle = Callable[[Session, EventEnvelope, M], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Event(Generic[M]):
    """`traceparent` is that of the call which recorded it; empty where none is known."""

    envelope: EventEnvelope
    message: M
    traceparent: str


HandleTogether = Callable[[Session, Sequence[Event[M]]], Awaitable[None]]


class Consumer(Generic[M]):
    """A durable JetStream consumer of one subject of another service.

    `handle(session, envelope, message)` runs in the transaction that marks the event as handled: across tenants, or
    with `as_owner` as the envelope's owner; in its place `handle_together(session, events)` gets all that this
    transaction marks, in order. What it raises rolls back and is tried again, several events by halves, and then with
    a growing delay; after `max_deliver` failures the event goes to `qm.dead.<service>.<name>`. A part that is away
    (Unavailable, Conflict) does not count as a failure. Events of one aggregate are handled in order, those of other
    partitions side by side, `concurrency` at a time, and as they come up to `together` in one transaction.
    `gather_seconds` is how long a first event waits for others: for effects that nobody waits for, since what an event
    costs is mostly its share of a transaction. One replica of the service consumes; the others take over within
    seconds.
    """

    def __init__(
        self,
        name: str,
        *,
        subject: str,
        message: type[M],
        handle: Handle[M] | None = None,
        handle_together: HandleTogether[M] | None = None,
        as_owner: bool = False,
        max_deliver: int = 5,
        concurrency: int = 4,
        prefetch: int = 256,
        together: int = 64,
        gather_seconds: float = 0.0,
    ) -> None:
        self.name = name
        self.subject = subject
        self.max_deliver = max_deliver
        self.concurrency = concurrency
        self.prefetch = prefetch
        self.together = together
        self.stream = stream_name(publisher_of(subject))
        self._message = message
        if handle is None and handle_together is not None:
            handle = _one_alone(handle_together)
        elif handle is None or handle_together is not None:
            msg = f"consumer {name} takes either handle or handle_together"
            raise ValueError(msg)
        self._handle = handle
        self._handle_together = handle_together
        self._gather_seconds = gather_seconds
        self._as_owner = as_owner

    async def run(self, database: Database, bus: EventBus) -> None:
        """Until cancelled; what was fetched and not finished is then given back for others to take."""
        while True:
            raise_if_cancelled()
            try:
                await while_leading(database, f"consumer-{self.name}", partial(self._consume, database, bus))
            except ConsumerLostError as lost:
                log.warning("consumer is created again", consumer=self.name, cause=str(lost))
            except BROKER_FAULTS as fault:
                log.warning("consumer waits for the broker", consumer=self.name, error=str(fault))
                await asyncio.sleep(0.2)
                await bus.wait_connected(5.0)
            except psycopg.Error as fault:
                log.warning("consumer waits for the database", consumer=self.name, error=str(fault))
                await asyncio.sleep(0.5)

    async def _consume(self, database: Database, bus: EventBus) -> None:
        durable = f"{database.service}-{self.name}"
        await bus.ensure_stream(publisher_of(self.subject))
        await bus.jetstream.add_consumer(
            self.stream,
            ConsumerConfig(
                durable_name=durable,
                filter_subject=f"{self.subject}.*",
                deliver_policy=DeliverPolicy.ALL,
                ack_policy=AckPolicy.EXPLICIT,
                ack_wait=ACK_WAIT_SECONDS,
                # Failures are counted in the inbox: an outage must not use up an event's chances.
                max_deliver=-1,
                max_ack_pending=1024,
            ),
        )
        pulled = PullSubscription(bus, self.stream, durable, self._gather_seconds)
        await pulled.open()
        settling = Settling(self, database, bus, durable)
        try:
            await settling.run(pulled)
        finally:
            # Closed first: what is given back would otherwise be delivered to our own open request again.
            await asyncio.shield(pulled.close())
            await asyncio.shield(settling.give_back(pulled.waiting()))

    async def apply(self, database: Database, durable: str, arrival: Arrival, *, accept_unseen: bool) -> inbox.Verdict:
        """Handle one event in its transaction, where the verdict is that it takes effect.

        Raises PoisonError, once what it follows has been handled: given up before, it would take that along.
        """
        with arrival.in_call(durable):
            async with self._transaction(database, arrival) as session:
                if arrival.is_replay_for(durable):
                    verdict = await inbox.reclaim(session, durable, arrival.subject, arrival.envelope)
                else:
                    verdict = await inbox.claim(
                        session, durable, arrival.subject, arrival.envelope, accept_unseen=accept_unseen
                    )
                if verdict.takes_effect:
                    await self._handle(session, arrival.envelope, self._decode(arrival))
                else:
                    await session.rollback()
        return verdict

    def go_together(self, durable: str, arrivals: list[Arrival]) -> bool:
        """Whether one transaction can hold them: it has one owner, and a replay has its own way."""
        owners = {arrival.owner_id for arrival in arrivals}
        return not (self._as_owner and len(owners) > 1) and not any(each.is_replay_for(durable) for each in arrivals)

    async def apply_together(self, database: Database, durable: str, arrivals: list[Arrival]) -> list[inbox.Verdict]:
        """Handle events of one subject in one transaction: all that may be handled now, or none.

        A commit is what an event costs most; while they come faster than one by one goes, they are handled together.
        """
        messages = [self._decode(arrival) for arrival in arrivals]
        set_call(CallContext())  # not that of an event before
        async with self._transaction(database, arrivals[0]) as session:
            verdicts = await inbox.claim_together(
                session, durable, arrivals[0].subject, [arrival.envelope for arrival in arrivals]
            )
            chosen = [
                (arrival, message)
                for arrival, message, verdict in zip(arrivals, messages, verdicts, strict=True)
                if verdict is inbox.Verdict.HANDLE
            ]
            if self._handle_together is None:
                for arrival, message in chosen:
                    with arrival.in_call(durable):
                        await self._handle(session, arrival.envelope, message)
            elif chosen:
                with in_batch(durable, [arrival for arrival, _ in chosen]):
                    events = [Event(arrival.envelope, message, arrival.traceparent) for arrival, message in chosen]
                    await self._handle_together(session, events)
        return verdicts

    def _decode(self, arrival: Arrival) -> M:
        envelope = arrival.envelope
        if self._as_owner and arrival.owner_id is None:
            msg = "the event has no owner to handle it as"
            raise PoisonError(msg)
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
    async def _transaction(self, database: Database, arrival: Arrival) -> AsyncIterator[Session]:
        if not self._as_owner or arrival.owner_id is None:
            async with database.system_transaction() as session:
                yield session
            return
        async with database.transaction(arrival.owner_id) as session:
            yield session


def _one_alone(handle_together: HandleTogether[M]) -> Handle[M]:
    async def handle(session: Session, envelope: EventEnvelope, message: M) -> None:
        await handle_together(session, [Event(envelope, message, current_call().traceparent)])

    return handle
