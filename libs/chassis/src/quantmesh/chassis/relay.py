"""Publishes the outbox: one active relay per service, in order per aggregate, at least once (decisions.md 9)."""

import asyncio
import time
from contextlib import suppress
from typing import Any
from uuid import UUID

import nats.errors
import nats.js.errors
import psycopg
from google.protobuf.timestamp_pb2 import Timestamp
from nats.js.api import PubAck
from prometheus_client import Counter, Gauge
from psycopg import sql

from quantmesh.api.common.v1.common_pb2 import EventEnvelope
from quantmesh.chassis.cancellation import raise_if_cancelled
from quantmesh.chassis.database import Database
from quantmesh.chassis.errors import Unavailable
from quantmesh.chassis.events.bus import BROKER_FAULTS, EventBus
from quantmesh.chassis.events.streams import SUBJECT_ROOT, ensure_stream
from quantmesh.chassis.leadership import leading
from quantmesh.chassis.telemetry.logs import get_logger

log = get_logger(__name__)

_BATCH = 256
_POLL_SECONDS = 1.0
_MEASURE_SECONDS = 5.0
_ACK_SECONDS = 2.0
_SWEEP_SECONDS = 30.0
_FAULTS = (psycopg.Error, *BROKER_FAULTS)

_UNPUBLISHED = """
    SELECT id, subject, partition, aggregate_id, aggregate_version, previous_version, owner_id, occurred_at,
           recorded_at, schema_version, type, payload, traceparent
    FROM outbox WHERE published_at IS NULL ORDER BY position LIMIT %s
"""
# The broker gave a sequence that it had given before: it was restored to an older state, and what we had published
# from there on is lost. Only rows of earlier batches can be meant, since this batch is not marked yet.
_FORGOTTEN = """
    UPDATE outbox SET published_at = NULL, stream_sequence = NULL WHERE stream_sequence >= %s RETURNING id
"""
_MARK = """
    UPDATE outbox SET published_at = now(), stream_sequence = marked.sequence
    FROM unnest(%s::uuid[], %s::bigint[]) AS marked (id, sequence) WHERE outbox.id = marked.id
"""
_BACKLOG = """
    SELECT count(*) AS rows, coalesce(extract(epoch FROM clock_timestamp() - min(recorded_at)), 0)::float8 AS age
    FROM outbox WHERE published_at IS NULL
"""
_FORGET = """
    DELETE FROM outbox WHERE id IN
        (SELECT id FROM outbox WHERE published_at < now() - interval '7 days' LIMIT 10000)
"""

_PUBLISHED = Counter("quantmesh_outbox_published_total", "Events acknowledged by the broker", ["service"])
_REPUBLISHED = Counter("quantmesh_outbox_republished_total", "Events that the broker had lost", ["service"])
_ROWS = Gauge("quantmesh_outbox_unpublished", "Events that wait for the broker", ["service"])
_AGE = Gauge("quantmesh_outbox_lag_seconds", "Age of the oldest event that waits", ["service"])


class Relay:
    """Runs in every replica; the one that holds the advisory lock publishes, the others wait for its end."""

    def __init__(self, database: Database, bus: EventBus) -> None:
        self._database = database
        self._bus = bus

    async def run(self) -> None:
        """Until cancelled. Ends at once where the service has no outbox."""
        while True:
            raise_if_cancelled()
            try:
                async with leading(self._database, "relay") as connection:
                    if not await _has_outbox(connection):
                        log.info("no outbox, no relay")
                        return
                    await _Turn(connection, self._bus, self._database.service).relay()
            except _FAULTS as fault:
                log.warning("relay waits", error=str(fault))
                await asyncio.sleep(_POLL_SECONDS)


class _Turn:
    """From taking the lock to the first fault."""

    def __init__(self, connection: psycopg.AsyncConnection[Any], bus: EventBus, service: str) -> None:
        self._connection = connection
        self._bus = bus
        self._service = service
        self._swept_epoch = -1
        self._swept_at = 0.0
        self._measured_at = 0.0

    async def relay(self) -> None:
        channel = f"{self._service}_outbox"
        await self._connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
        log.info("relay publishes")
        while True:
            raise_if_cancelled()
            if not await self._bus.wait_connected(_POLL_SECONDS):
                await self._measure()
                continue
            if self._bus.epoch != self._swept_epoch or time.monotonic() - self._swept_at > _SWEEP_SECONDS:
                await self._sweep()
            if await self._publish_batch() < _BATCH:
                await self._measure()
                await self._wait_for_rows()

    async def _wait_for_rows(self) -> None:
        """One notification wakes; it may have come during the statements before. The others say the same."""
        async for _ in self._connection.notifies(timeout=_POLL_SECONDS, stop_after=1):
            pass
        async for _ in self._connection.notifies(timeout=0):
            pass

    async def _publish_batch(self) -> int:
        """The number of rows found; raises after marking those that were acknowledged, where one was not."""
        rows = await (await self._connection.execute(_UNPUBLISHED, [_BATCH])).fetchall()
        if not rows:
            return 0
        acks = await self._publish(rows)
        stuck: set[str] = set()
        marked: list[tuple[UUID, PubAck]] = []
        for row, ack in zip(rows, acks, strict=True):
            # Behind one that failed, the later events of the same aggregate are sent again, in order.
            if ack is None:
                stuck.add(row.aggregate_id)
            elif row.aggregate_id not in stuck:
                marked.append((row.id, ack))
        if marked:
            await self._mark(marked)
        if stuck:
            msg = f"{len(rows) - len(marked)} events were not acknowledged"
            raise Unavailable(msg)
        return len(rows)

    async def _publish(self, rows: list[Any]) -> list[PubAck | None]:
        """Written one after the other on one connection, without waiting between; None for those not acknowledged."""
        waiting: list[asyncio.Future[PubAck]] = []
        jetstream = self._bus.jetstream
        with suppress(nats.errors.Error, OSError):
            for row in rows:
                subject = f"{SUBJECT_ROOT}.{row.subject}.{row.partition}"
                headers = {"Nats-Msg-Id": str(row.id), "Content-Type": "application/protobuf"}
                if row.traceparent:
                    headers["traceparent"] = row.traceparent
                payload = _envelope(row).SerializeToString()
                waiting.append(
                    await jetstream.publish_async(subject, payload, wait_stall=_ACK_SECONDS, headers=headers)
                )
        if waiting:
            await asyncio.wait(waiting, timeout=_ACK_SECONDS)
        acks: list[PubAck | None] = []
        for future in waiting:
            if not future.done():
                future.cancel()  # gives its slot in the client's window back
                acks.append(None)
            else:
                acks.append(future.result() if future.exception() is None else None)
        return acks + [None] * (len(rows) - len(acks))

    async def _mark(self, marked: list[tuple[UUID, PubAck]]) -> None:
        fresh = [ack.seq for _, ack in marked if not ack.duplicate]
        async with self._connection.transaction():
            if fresh:
                forgotten = await (await self._connection.execute(_FORGOTTEN, [min(fresh)])).fetchall()
                self._report_lost(len(forgotten))
            await self._connection.execute(_MARK, [[row_id for row_id, _ in marked], [ack.seq for _, ack in marked]])
        _PUBLISHED.labels(self._service).inc(len(marked))

    async def _sweep(self) -> None:
        """Find a broker that is behind what it acknowledged, and forget what is old."""
        epoch = self._bus.epoch
        info = await ensure_stream(self._bus.jetstream, self._service)
        forgotten = await self._connection.execute(_FORGOTTEN, [info.state.last_seq + 1])
        self._report_lost(len(await forgotten.fetchall()))
        await self._connection.execute(_FORGET)
        self._swept_epoch = epoch
        self._swept_at = time.monotonic()

    def _report_lost(self, count: int) -> None:
        if count:
            _REPUBLISHED.labels(self._service).inc(count)
            log.error("the broker lost events that it had acknowledged; they are published again", events=count)

    async def _measure(self) -> None:
        if time.monotonic() - self._measured_at < _MEASURE_SECONDS:
            return
        self._measured_at = time.monotonic()
        backlog = await _one(await self._connection.execute(_BACKLOG))
        _ROWS.labels(self._service).set(backlog.rows)
        _AGE.labels(self._service).set(backlog.age)


def _envelope(row: Any) -> EventEnvelope:
    occurred_at, recorded_at = Timestamp(), Timestamp()
    occurred_at.FromDatetime(row.occurred_at)
    recorded_at.FromDatetime(row.recorded_at)
    return EventEnvelope(
        event_id=str(row.id),
        aggregate_id=row.aggregate_id,
        aggregate_version=row.aggregate_version,
        previous_version=row.previous_version,
        owner_id="" if row.owner_id is None else str(row.owner_id),
        occurred_at=occurred_at,
        recorded_at=recorded_at,
        schema_version=row.schema_version,
        type=row.type,
        payload=bytes(row.payload),
    )


async def _has_outbox(connection: psycopg.AsyncConnection[Any]) -> bool:
    return bool((await _one(await connection.execute("SELECT to_regclass('outbox') IS NOT NULL AS found"))).found)


async def _one(cursor: psycopg.AsyncCursor[Any]) -> Any:
    row = await cursor.fetchone()
    if row is None:
        msg = "the statement answers exactly one row"
        raise LookupError(msg)
    return row
