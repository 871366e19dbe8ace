"""Publishes the outbox: one active relay per service, in order per aggregate, at least once (decisions.md 9)."""

import asyncio
import time
from contextlib import suppress
from typing import Any

import psycopg
from prometheus_client import Counter, Gauge

from quantmesh.chassis import failpoints
from quantmesh.chassis.cancellation import end, raise_if_cancelled
from quantmesh.chassis.database import Database
from quantmesh.chassis.envelopes import message_of
from quantmesh.chassis.errors import Unavailable
from quantmesh.chassis.events.bus import BROKER_FAULTS, EventBus
from quantmesh.chassis.events.publishing import Acknowledgement, Publisher, SentBatch
from quantmesh.chassis.failpoints import Failpoint
from quantmesh.chassis.leadership import leading
from quantmesh.chassis.sql import plain_array
from quantmesh.chassis.telemetry.logs import get_logger

log = get_logger(__name__)

_BATCH = 1024
# In parts, since an event may have to wait for one; and many, or the table would grow where many are published.
_FORGOTTEN_AT_ONCE = 2000
_FORGET_SECONDS = 0.2
_POLL_SECONDS = 1.0
_MARK_SECONDS = 0.1
_MEASURE_SECONDS = 5.0
_ACK_SECONDS = 2.0
_SWEEP_SECONDS = 30.0
# Who waits for a lock measures nothing, and would look well for as long.
_LOCK_SECONDS = 30.0
_FAULTS = (psycopg.Error, *BROKER_FAULTS)

_MARK = """
    UPDATE outbox SET published_at = now(), stream_sequence = marked.sequence
    FROM unnest(%(marked)s::uuid[], %(sequences)s::bigint[]) AS marked (id, sequence) WHERE outbox.id = marked.id
"""
# One snapshot: what is marked here is still unpublished to its own reading.
_MARK_AND_READ = f"""
    WITH marking AS ({_MARK})
    SELECT id::text, subject, partition, aggregate_id, aggregate_version, previous_version,
           coalesce(owner_id::text, '') AS owner_id, schema_version, type, payload, traceparent,
           (extract(epoch FROM occurred_at) * 1000000)::bigint AS occurred_micros,
           (extract(epoch FROM recorded_at) * 1000000)::bigint AS recorded_micros
    FROM outbox WHERE published_at IS NULL AND id NOT IN (SELECT unnest(%(known)s::uuid[]))
    ORDER BY position LIMIT %(limit)s
"""  # noqa: S608  our own parts
# Without fresh statistics the planner would sort the whole backlog for each batch; and a plan for each would cost as
# much as its work. Nobody waits for marks on the disk: what loses one is published again under the same id.
_SETTINGS = """
    SELECT set_config(name, 'off', false)
    FROM unnest('{enable_bitmapscan,enable_seqscan,enable_sort,synchronous_commit}'::text[]) AS name
    UNION ALL SELECT set_config('plan_cache_mode', 'force_generic_plan', false)
    UNION ALL SELECT set_config('lock_timeout', %s, false)
"""
# The broker gave a sequence that it had given before: it was restored to an older state, and what we had published
# from there on is lost. Only rows of earlier batches can be meant, since this batch is not marked yet.
_FORGOTTEN = """
    UPDATE outbox SET published_at = NULL, stream_sequence = NULL WHERE stream_sequence >= %s
"""
_LAST_SEQUENCE = "SELECT coalesce(max(stream_sequence), 0) AS sequence FROM outbox"
_BACKLOG = """
    SELECT count(*) AS rows, coalesce(extract(epoch FROM clock_timestamp() - min(recorded_at)), 0)::float8 AS age
    FROM outbox WHERE published_at IS NULL
"""
_FORGET = f"""
    DELETE FROM outbox WHERE id IN
        (SELECT id FROM outbox WHERE published_at < now() - interval '7 days' LIMIT {_FORGOTTEN_AT_ONCE})
"""  # noqa: S608  a constant

_PUBLISHED = Counter("quantmesh_outbox_published_total", "Events acknowledged by the broker", ["schema"])
_REPUBLISHED = Counter("quantmesh_outbox_republished_total", "Events that the broker had lost", ["schema"])
_ROWS = Gauge("quantmesh_outbox_unpublished", "Events that wait for the broker", ["schema"])
_AGE = Gauge("quantmesh_outbox_lag_seconds", "Age of the oldest event that waits", ["schema"])


class Relay:
    """Runs in every replica; the one that holds the advisory lock publishes, the others wait for its end."""

    def __init__(self, database: Database, bus: EventBus) -> None:
        self._database = database
        self._bus = bus

    async def run(self) -> None:
        """Until cancelled. Ends at once where the service has no outbox."""
        try:
            while True:
                raise_if_cancelled()
                following = asyncio.create_task(self._tell_leader())
                try:
                    async with leading(self._database, "relay", on_another=self._show_nothing) as connection:
                        await end(following)
                        if not await _has_outbox(connection):
                            log.info("no outbox, no relay")
                            return
                        await _Turn(connection, self._bus, self._database).relay()
                except _FAULTS as fault:
                    log.warning("relay waits", error=str(fault))
                    if isinstance(fault, psycopg.Error):
                        self._show_nothing()
                    await asyncio.sleep(_POLL_SECONDS)
                finally:
                    await end(following)
        finally:
            self._show_nothing()

    def _show_nothing(self) -> None:
        """Whoever leads measures; what this process last saw would stay for ever.

        Not after a fault of the broker alone, which is when the backlog is looked at: it leads again within seconds, or
        finds another that does.
        """
        _ROWS.remove(self._database.service)
        _AGE.remove(self._database.service)

    async def _tell_leader(self) -> None:
        """What this process has written; the leader would find that too, within a second."""
        while True:
            await self._database.events_written.wait()
            self._database.events_written.clear()
            await self._bus.publish(_told_on(self._database.service), b"")


class _Turn:
    """From taking the lock to the first fault."""

    def __init__(self, connection: psycopg.AsyncConnection[Any], bus: EventBus, database: Database) -> None:
        self._connection = connection
        self._bus = bus
        self._service = database.service
        self._written = database.events_written
        self._publisher = Publisher(bus)
        # What the broker has and no row says yet.
        self._acknowledged: list[tuple[str, Acknowledgement]] = []
        # The newest place in the stream that any row has.
        self._last_sequence = 0
        self._swept_epoch = -1
        self._swept_at = 0.0
        # Whether rows may be left that nobody needs any more.
        self._has_old = False
        self._forgot_at = 0.0
        self._measured_at = 0.0

    async def relay(self) -> None:
        await self._connection.execute(_SETTINGS, [f"{_LOCK_SECONDS * 1000:.0f}"])
        await self._publisher.open()
        others = await self._bus.subscribe(_told_on(self._service), self._hear)
        _REPUBLISHED.labels(self._service)  # there from the start: what appears with a first one shows no increase
        log.info("relay publishes")
        try:
            while True:
                raise_if_cancelled()
                await self._measure()
                if not await self._bus.wait_connected(_POLL_SECONDS):
                    continue
                if self._bus.epoch != self._swept_epoch or time.monotonic() - self._swept_at > _SWEEP_SECONDS:
                    await self._sweep()
                self._written.clear()
                await self._publish_all()
                await self._forget_some()
                await self._wait_for_rows()
        finally:
            await asyncio.shield(others.close())
            await asyncio.shield(self._publisher.close())

    async def _hear(self, _subject: str, _payload: bytes) -> None:
        self._written.set()

    async def _wait_for_rows(self) -> None:
        """What is acknowledged is marked with the reading of the next rows, or where none come for a moment."""
        if self._acknowledged and not await self._is_written(_MARK_SECONDS):
            await self._mark()
        await self._is_written(_FORGET_SECONDS if self._has_old else _POLL_SECONDS)

    async def _is_written(self, seconds: float) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._written.wait()
        return self._written.is_set()

    async def _publish_all(self) -> None:
        """Until no row waits, or it is time to look after the broker.

        Batches go one after the other, each once the one before is acknowledged: its events would else be overtaken by
        later ones of their aggregates. Behind a full one there are more: while the broker takes it, Postgres marks the
        one before and reads the next.
        """
        rows = await self._mark_and_read([])
        while rows:
            raise_if_cancelled()
            is_full = len(rows) == _BATCH
            upkeep = asyncio.create_task(self._mark_and_read([row.id for row in rows])) if is_full else None
            try:
                await asyncio.sleep(0)  # Postgres works on it while this process is busy with sending
                sent = await self._publisher.send(message_of(row) for row in rows)
            finally:
                following = await upkeep if upkeep else []
            await failpoints.reached(Failpoint.AFTER_PUBLISH)
            await self._settle(rows, sent)
            rows = following if time.monotonic() - self._swept_at < _SWEEP_SECONDS else []

    async def _mark_and_read(self, on_their_way: list[str]) -> list[Any]:
        """The rows nobody has published. Never "beyond the last": a transaction that commits late would be skipped."""
        ids, sequences = await self._take_acknowledged()
        values = {
            "marked": plain_array(ids),
            "sequences": plain_array(sequences),
            "known": plain_array([*ids, *on_their_way]),
            "limit": _BATCH,
        }
        return await (await self._connection.execute(_MARK_AND_READ, values, binary=True)).fetchall()

    async def _mark(self) -> None:
        ids, sequences = await self._take_acknowledged()
        if ids:
            await self._connection.execute(_MARK, {"marked": plain_array(ids), "sequences": plain_array(sequences)})

    async def _take_acknowledged(self) -> tuple[list[str], list[int]]:
        """Ids and places in the stream, to be marked at once."""
        acknowledged, self._acknowledged = self._acknowledged, []
        ids, sequences = [row_id for row_id, _ in acknowledged], [answer.sequence for _, answer in acknowledged]
        oldest = min((answer.sequence for _, answer in acknowledged if not answer.is_duplicate), default=None)
        if oldest is not None and oldest <= self._last_sequence:
            await self._forget_from(oldest)
        self._last_sequence = max([self._last_sequence, *sequences])
        _PUBLISHED.labels(self._service).inc(len(ids))
        return ids, sequences

    async def _settle(self, rows: list[Any], sent: SentBatch) -> None:
        """Raises Unavailable, after marking the others, where some were not acknowledged."""
        answers = await sent.settled(_ACK_SECONDS)
        stuck: set[str] = set()
        for row, answer in zip(rows, answers, strict=True):
            # Behind one that failed, the later events of the same aggregate are sent again, in order.
            if answer is None:
                stuck.add(row.aggregate_id)
            elif row.aggregate_id not in stuck:
                self._acknowledged.append((row.id, answer))
        if stuck:
            missing = len(rows) - len(self._acknowledged)
            await self._mark()
            msg = f"{missing} events were not acknowledged"
            raise Unavailable(msg)

    async def _sweep(self) -> None:
        """Find a broker that is behind what it acknowledged, and begin to forget what is old."""
        epoch = self._bus.epoch
        await self._mark()
        info = await self._bus.ensure_stream(self._service)
        await self._forget_from(info.state.last_seq + 1)
        self._last_sequence = (await _one(await self._connection.execute(_LAST_SEQUENCE))).sequence
        self._has_old = True
        self._swept_epoch = epoch
        self._swept_at = time.monotonic()

    async def _forget_some(self) -> None:
        if self._has_old and time.monotonic() - self._forgot_at >= _FORGET_SECONDS:
            deleted = await self._connection.execute(_FORGET)
            self._has_old = deleted.rowcount == _FORGOTTEN_AT_ONCE
            self._forgot_at = time.monotonic()

    async def _forget_from(self, sequence: int) -> None:
        """The broker has, or gives to others, the places from `sequence` on: what was there is lost."""
        async with self._connection.transaction():
            # Unlike a mark, this must not be lost: what it un-marks would never be published.
            await self._connection.execute("SET LOCAL synchronous_commit = on")
            count = (await self._connection.execute(_FORGOTTEN, [sequence])).rowcount
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


def _told_on(service: str) -> str:
    """Where replicas tell the leading one that they wrote events."""
    return f"outbox.{service}"


async def _has_outbox(connection: psycopg.AsyncConnection[Any]) -> bool:
    return bool((await _one(await connection.execute("SELECT to_regclass('outbox') IS NOT NULL AS found"))).found)


async def _one(cursor: psycopg.AsyncCursor[Any]) -> Any:
    row = await cursor.fetchone()
    if row is None:
        msg = "the statement answers exactly one row"
        raise LookupError(msg)
    return row
