"""Steps that the tests of events take."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from nats.js.client import JetStreamContext
from nats.js.errors import ServerError

from quantmesh.api.common.v1.common_pb2 import EventEnvelope, Money
from quantmesh.chassis import outbox
from quantmesh.chassis.database import Database
from quantmesh.chassis.events import Consumer, EventBus
from quantmesh.chassis.events.streams import ensure_stream
from quantmesh.chassis.sql import Session, text

OWNER = uuid4()
NOW = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
SUBJECT = "ledger.entry.posted"
# Longer than a crowded machine ever takes: only what never comes uses it up.
PATIENCE_SECONDS = 30.0
Start = Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]


async def post(database: Database, aggregate: str, *currencies: str) -> list[UUID]:
    """One event per currency, in one transaction."""
    async with database.transaction(OWNER) as session:
        return [
            await outbox.append(
                session, SUBJECT, Money(currency=currency), aggregate_id=aggregate, occurred_at=NOW, owner_id=OWNER
            )
            for currency in currencies
        ]


async def until(condition: Callable[[], Awaitable[bool] | bool]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            answer = condition()
            if answer if isinstance(answer, bool) else await answer:
                return
            await asyncio.sleep(0.02)


class Effects:
    """What a consumer did, as rows of its own database, so that a rollback takes them back."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.seen: list[str] = []

    async def handle(self, session: Session, envelope: EventEnvelope, message: Money) -> None:
        self.seen.append(message.currency)
        await session.execute(
            text("INSERT INTO entry (owner_id, amount) VALUES (:owner, :version)"),
            {"owner": envelope.owner_id, "version": envelope.aggregate_version},
        )

    def in_order(self) -> list[str]:
        """By first attempts: what is rolled back, as where a broker dies, is tried again."""
        return list(dict.fromkeys(self.seen))

    async def count(self) -> int:
        async with self._database.system_transaction() as session:
            return int(await session.scalar(text("SELECT count(*) FROM entry")) or 0)

    async def is_count(self, wanted: int) -> bool:
        return await self.count() == wanted

    def consumer(self, **options: Any) -> Consumer[Money]:
        return Consumer("post-entries", subject=f"qm.{SUBJECT}", message=Money, handle=self.handle, **options)


async def unpublished(database: Database, wanted: int) -> bool:
    async with database.system_transaction() as session:
        return bool(
            await session.scalar(
                text("SELECT count(*) = :wanted FROM outbox WHERE published_at IS NULL"), {"wanted": wanted}
            )
        )


def envelope_of(version: int, currency: str, *, previous: int | None = None, aggregate: str = "a") -> EventEnvelope:
    return EventEnvelope(
        event_id=str(uuid4()),
        aggregate_id=aggregate,
        aggregate_version=version,
        previous_version=version - 1 if previous is None else previous,
        owner_id=str(OWNER),
        type=Money.DESCRIPTOR.full_name,
        payload=Money(currency=currency).SerializeToString(),
    )


def patient(bus: EventBus) -> JetStreamContext:
    """The broker as a test asks it: a service gives an answer up that takes two seconds."""
    return bus.client.jetstream(timeout=PATIENCE_SECONDS)


async def empty_stream(bus: EventBus) -> None:
    """As of a broker that was restored to its very beginning."""
    jetstream = patient(bus)
    await jetstream.delete_stream("qm-ledger")

    async def stream_is_there() -> bool:
        try:
            await ensure_stream(jetstream, "ledger")
        except ServerError:
            return False  # the broker still clears the old one's files away
        return True

    await until(stream_is_there)


async def send(bus: EventBus, *envelopes: EventEnvelope, partition: int | None = 0) -> None:
    """With None each on the partition of its aggregate."""
    jetstream = patient(bus)
    await ensure_stream(jetstream, "ledger")
    for envelope in envelopes:
        number = outbox.partition_of(envelope.aggregate_id) if partition is None else partition
        await jetstream.publish(f"qm.{SUBJECT}.{number}", envelope.SerializeToString())
