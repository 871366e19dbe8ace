"""The relay, and consumers of everything that it publishes, step by step."""

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any, cast

import psycopg
from google.protobuf.message import Message
from nats.aio.msg import Msg

from quantmesh.api.common.v1.common_pb2 import EventEnvelope
from quantmesh.chassis.database import Database
from quantmesh.chassis.errors import Unavailable
from quantmesh.chassis.events import Consumer, EventBus
from quantmesh.chassis.events.pull import ConsumerLostError
from quantmesh.chassis.events.settling import Settling
from quantmesh.chassis.leadership import leading
from quantmesh.chassis.relay import _Turn
from quantmesh.chassis.sql import Session, text

from .broker import Broker, Durable
from .scheduler import Died, Scheduler, current_actor

_BATCH = 8
_FAILURE = 0.05
# With more of them an event would become a dead letter.
_MOST_FAILURES = 3
_ARRIVED = text(
    "INSERT INTO arrival (subject, aggregate_id, version, event_id) VALUES (:subject, :aggregate_id, :version, :id)"
)


class HandlerFailed(Exception):
    """A bug of the consumer's, which comes and goes."""


class Relays:
    """One relay after the other, as its process dies: production code but for the waiting between its rounds."""

    def __init__(self, scheduler: Scheduler, database: Database, bus: EventBus, commits: Callable[[], int]) -> None:
        self._scheduler = scheduler
        self._database = database
        self._bus = bus
        self._commits = commits
        # The broker's restarts up to this one have been seen to.
        self.swept_epoch = -1

    async def run(self, is_over: Callable[[], bool]) -> None:
        while not is_over():
            try:
                await self._lead(is_over)
            except (Died, Unavailable, psycopg.Error) as fault:
                self._scheduler.history.tell(f"relay: {type(fault).__name__}")

    async def _lead(self, is_over: Callable[[], bool]) -> None:
        async with leading(self._database, "relay") as connection:
            current_actor().backend = connection.info.backend_pid
            turn = _Turn(connection, self._bus, self._database)
            await turn._publisher.open()
            commits = -1
            while not is_over():
                await self._scheduler.pause("relay round", partial(self._has_work, turn, commits, is_over))
                commits = self._commits()
                if self._bus.epoch != turn._swept_epoch:
                    await turn._sweep()
                    self.swept_epoch = turn._swept_epoch
                await turn._publish_all()

    def _has_work(self, turn: _Turn, commits: int, is_over: Callable[[], bool]) -> bool:
        """As a commit, or the broker's return, would wake it; what is acknowledged is marked in the next round."""
        is_woken = commits != self._commits() or self._bus.epoch != turn._swept_epoch
        return is_woken or bool(turn._acknowledged) or is_over()


class Readers:
    """A consumer of one subject, whose process dies now and then; what it had parked in memory is then gone."""

    def __init__(self, scheduler: Scheduler, database: Database, bus: EventBus, broker: Broker) -> None:
        self._scheduler = scheduler
        self._database = database
        self._bus = bus
        self._broker = broker
        self._failures: Counter[str] = Counter()

    async def run(self, subject: str, message: type[Message], is_over: Callable[[], bool]) -> None:
        name = subject.replace(".", "-")
        handle = partial(self._arrive, subject)
        await self.consume(Consumer(name, subject=f"qm.{subject}", message=message, handle=handle), is_over)

    async def consume(self, consumer: Consumer[Any], is_over: Callable[[], bool]) -> None:
        name = f"{self._database.service}-{consumer.name}"
        durable = self._broker.durable(name, consumer.stream, f"{consumer.subject}.*")
        while not is_over():
            settling = Settling(consumer, self._database, self._bus, name)
            try:
                while not is_over():
                    await self._scheduler.pause("delivery", lambda: durable.has_more() or is_over())
                    await self._settle(settling, durable)
            except (Died, ConsumerLostError) as end:
                self._scheduler.history.tell(f"{current_actor().name}: {type(end).__name__}")

    async def _settle(self, settling: Settling, durable: Durable) -> None:
        """One batch of several partitions, as one of the consumer's lanes takes it."""
        messages = [cast("Msg", delivery) for delivery in durable.next_batch(_BATCH)]
        settling._unfinished.update((id(message), message) for message in messages)
        if messages:
            await settling._settle_in_order(messages)

    async def _arrive(self, subject: str, session: Session, envelope: EventEnvelope, _: Message) -> None:
        is_due = self._broker.is_faulty and self._failures[envelope.event_id] < _MOST_FAILURES
        if is_due and current_actor().random.random() < _FAILURE:
            self._failures[envelope.event_id] += 1
            raise HandlerFailed(envelope.event_id)
        await session.execute(
            _ARRIVED,
            {
                "subject": subject,
                "aggregate_id": envelope.aggregate_id,
                "version": envelope.aggregate_version,
                "id": envelope.event_id,
            },
        )
