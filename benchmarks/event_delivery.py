"""Events from commit to effect: the relay against a bare pipelined publish, and the lag of eight writers' events.

Relay: what it publishes a second of a backlog, reading rows and marking them included. Bare: an envelope of the same
size with the same headers, already serialised, through the same client, acknowledgements counted and nothing else done.
The two take turns on one broker; printed are the medians and their ratio.

Lag: eight writers in a process of their own write 500 events a second, two a transaction; relay and consumer run here.
From an event's writing to the commit of its effect, with every event once and in order.
"""

import asyncio
import multiprocessing
import secrets
import shutil
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import numpy as np
import psycopg
import uvloop
from nats.aio.msg import Msg

from quantmesh.api.common.v1.common_pb2 import EventEnvelope, Money
from quantmesh.chassis import outbox
from quantmesh.chassis.database import Database
from quantmesh.chassis.events import Consumer, EventBus
from quantmesh.chassis.events.streams import ensure_stream
from quantmesh.chassis.relay import Relay
from quantmesh.chassis.sql import Session, text
from quantmesh.local.network import free_port
from quantmesh.local.servers import NatsServer, PostgresServer, start_and_wait
from quantmesh.local.testing.databases import ServiceDatabase, cloned_database

# A service with an outbox and an inbox.
SERVICE = "blockchain"
SUBJECT = f"{SERVICE}.bench.written"
BACKLOG, ROUNDS, AGGREGATES = 20_000, 3, 40
WRITERS, RATE, SECONDS, TOGETHER = 8, 500, 8.0, 2
RELAY_GOAL = 0.35
RATE_GOAL = 0.9 * RATE
LAG_GOAL_SECONDS = 1.0
_EFFECTS = f"""
    CREATE TABLE {SERVICE}.bench_effect (
        position bigint GENERATED ALWAYS AS IDENTITY, aggregate text, version bigint, written_at double precision
    );
    GRANT SELECT, INSERT ON {SERVICE}.bench_effect TO quantmesh_{SERVICE}_system;
"""
_EFFECT = text("INSERT INTO bench_effect (aggregate, version, written_at) VALUES (:aggregate, :version, :written_at)")
_WAITING = "SELECT EXISTS (SELECT FROM outbox WHERE published_at IS NULL)"


async def fill(database: Database, after: int) -> None:
    """A backlog, `AGGREGATES` of equal length, from version `after` on."""
    owner, now = uuid4(), datetime.now(UTC)
    message = Money(currency="x" * 200)
    versions = range(after + 1, after + 1 + BACKLOG // AGGREGATES)
    for aggregate in range(AGGREGATES):
        series = [outbox.SeriesEvent(message, version, now) for version in versions]
        async with database.transaction(owner) as session:
            await outbox.append_series(session, SUBJECT, series, aggregate_id=f"backlog-{aggregate}", owner_id=owner)


async def relay_rate(database: Database, bus: EventBus, watch: psycopg.AsyncConnection) -> float:
    began = time.perf_counter()
    relay = asyncio.create_task(Relay(database, bus).run())
    while True:
        await asyncio.sleep(0.02)
        ((waits,),) = await (await watch.execute(_WAITING)).fetchall()
        if not waits:
            break
    rate = BACKLOG / (time.perf_counter() - began)
    relay.cancel()
    await asyncio.gather(relay, return_exceptions=True)
    return rate


async def bare_rate(bus: EventBus) -> float:
    envelope = EventEnvelope(
        event_id=str(uuid4()), aggregate_id="backlog-1", owner_id=str(uuid4()), type=Money.DESCRIPTOR.full_name
    )
    envelope.payload = Money(currency="x" * 200).SerializeToString()
    payload = envelope.SerializeToString()
    client, all_acknowledged, acknowledged = bus.client, asyncio.Event(), 0

    async def count(_: Msg) -> None:
        nonlocal acknowledged
        acknowledged += 1
        if acknowledged == BACKLOG:
            all_acknowledged.set()

    inbox = client.new_inbox()
    subscription = await client.subscribe(f"{inbox}.*", cb=count)
    began = time.perf_counter()
    for number in range(BACKLOG):
        headers = {"Nats-Msg-Id": str(uuid4()), "Content-Type": "application/protobuf"}
        await client.publish(f"qm.{SUBJECT}.{number % 16}", payload, f"{inbox}.{number}", headers)
        if number % 1024 == 1023:
            await asyncio.sleep(0)
    await all_acknowledged.wait()
    rate = BACKLOG / (time.perf_counter() - began)
    await subscription.unsubscribe()
    return rate


async def write(database: Database, writer: int) -> int:
    """Events on time: how many there were."""
    owner, began, transactions = uuid4(), time.perf_counter(), 0
    while True:
        ahead = began + transactions * TOGETHER * WRITERS / RATE - time.perf_counter()
        if ahead > 0:
            await asyncio.sleep(ahead)
        if time.perf_counter() - began > SECONDS:
            return transactions * TOGETHER
        async with database.transaction(owner) as session:
            for _ in range(TOGETHER):
                await outbox.append(
                    session,
                    SUBJECT,
                    Money(currency=repr(time.time())),
                    aggregate_id=f"account-{writer}-{transactions % 5}",
                    occurred_at=datetime.now(UTC),
                    owner_id=owner,
                )
        transactions += 1


def write_all(url: str, nats_url: str, written: "multiprocessing.Queue[int]") -> None:
    """As a replica of the service whose relay does not lead."""

    async def work() -> int:
        database, bus = Database(url, SERVICE), EventBus(nats_url, SERVICE)
        await bus.connect()
        relay = asyncio.create_task(Relay(database, bus).run())
        counts = await asyncio.gather(*(write(database, writer) for writer in range(WRITERS)))
        relay.cancel()
        await asyncio.gather(relay, return_exceptions=True)
        await bus.close()
        await database.close()
        return sum(counts)

    written.put(uvloop.run(work()))


async def lags(database: Database, bus: EventBus, url: str, nats_url: str) -> tuple[float, list[float]]:
    """Events written a second, and the lag of each."""
    found: list[float] = []
    versions: dict[str, list[int]] = defaultdict(list)

    async def handle(session: Session, envelope: EventEnvelope, message: Money) -> None:
        await session.execute(
            _EFFECT,
            {
                "aggregate": envelope.aggregate_id,
                "version": envelope.aggregate_version,
                "written_at": float(message.currency),
            },
        )
        versions[envelope.aggregate_id].append(envelope.aggregate_version)
        found.append(time.time() - float(message.currency))

    consumer = Consumer("bench", subject=f"qm.{SUBJECT}", message=Money, handle=handle)
    parts = [asyncio.create_task(part) for part in (Relay(database, bus).run(), consumer.run(database, bus))]
    context = multiprocessing.get_context("spawn")
    written: multiprocessing.Queue[int] = context.Queue()
    writers = context.Process(target=write_all, args=(url, nats_url, written))
    writers.start()
    count = await asyncio.to_thread(written.get)
    writers.join()
    async with asyncio.timeout(30):
        while len(found) < count:  # noqa: ASYNC110  what is measured should not have to tell of each event
            await asyncio.sleep(0.05)
    for part in parts:
        part.cancel()
    await asyncio.gather(*parts, return_exceptions=True)
    assert len(found) == count, "an event had its effect twice"
    for of_one in versions.values():
        assert of_one == list(range(1, len(of_one) + 1)), "events were skipped or reordered"
    return count / SECONDS, found


async def measure(service: ServiceDatabase, nats_url: str) -> bool:
    database, bus = Database(service.url, SERVICE), EventBus(nats_url, SERVICE)
    await bus.connect()
    await ensure_stream(bus.jetstream, SERVICE)
    search_path = f"-c search_path={SERVICE}"
    async with await psycopg.AsyncConnection.connect(service.admin_url, autocommit=True, options=search_path) as admin:
        await admin.execute(_EFFECTS)
        rate, found = await lags(database, bus, service.url, nats_url)
        p50, p99 = np.percentile(found, [50, 99])
        sys.stdout.write(
            f"events, {WRITERS} writers: {rate:.0f}/s (goal {RATE_GOAL:.0f}), none skipped, doubled or reordered;"
            f" lag p50 {p50 * 1e3:.0f} ms, p99 {p99 * 1e3:.0f} ms (goal {LAG_GOAL_SECONDS * 1e3:.0f} ms)\n"
        )
        rates: dict[str, list[float]] = {"bare": [], "relay": []}
        for turn in range(ROUNDS):
            await fill(database, turn * BACKLOG)
            rates["bare"].append(await bare_rate(bus))
            rates["relay"].append(await relay_rate(database, bus, admin))
    await bus.close()
    await database.close()
    ratio = statistics.median(ours / bare for ours, bare in zip(rates["relay"], rates["bare"], strict=True))
    bare, relay = statistics.median(rates["bare"]), statistics.median(rates["relay"])
    sys.stdout.write(
        f"relay: {relay / 1e3:.1f} k events/s; bare pipelined publish: {bare / 1e3:.1f} k/s;"
        f" ratio {ratio:.2f} (goal {RELAY_GOAL})\n"
    )
    return ratio >= RELAY_GOAL and p99 < LAG_GOAL_SECONDS and rate >= RATE_GOAL


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="quantmesh-"))
    folder.chmod(0o711)  # Postgres runs as another user when this is root
    postgres = PostgresServer(folder / "postgres", free_port(), secrets.token_hex(16))
    nats = NatsServer(folder / "nats", free_port())
    children = [start_and_wait(server, folder / f"{server.name}.log") for server in (postgres, nats)]
    try:
        with cloned_database(postgres, SERVICE) as service:
            reached = uvloop.run(measure(service, nats.url))
    finally:
        for child in children:
            child.stop()
        shutil.rmtree(folder)
    sys.exit(0 if reached else 1)


if __name__ == "__main__":
    main()
