"""What operators are told, compared with what is so."""

import asyncio
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from nats.js.api import DiscardPolicy
from prometheus_client import REGISTRY

from quantmesh.api.common.v1.common_pb2 import Money
from quantmesh.chassis import jobs
from quantmesh.chassis.cache import Cache
from quantmesh.chassis.database import Database
from quantmesh.chassis.errors import RuleBroken, Unavailable
from quantmesh.chassis.events import EventBus
from quantmesh.chassis.events.streams import ensure_stream
from quantmesh.chassis.jobs import JobWorker, RunningJob
from quantmesh.chassis.leadership import leading
from quantmesh.chassis.relay import Relay
from quantmesh.local.testing import RunningServer, ServiceDatabase

from .events import OWNER, Effects, Start, patient, post, unpublished, until


def value(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(name, labels)


async def test_the_pool_tells_how_many_connections_are_used_and_who_was_refused(
    ledger: ServiceDatabase, open_database: Callable[..., Database]
) -> None:
    def pool(state: str) -> float:
        return value("quantmesh_database_pool_connections", state=state) or 0.0

    refused = value("quantmesh_database_pool_timeouts_total") or 0.0
    database = open_database(ledger.url, pool_size=2, pool_timeout_seconds=0.5)
    assert value("quantmesh_database_pool_size") == 2
    used = pool("in_use")
    async with database.transaction(OWNER), database.system_transaction():
        assert pool("in_use") == used + 2
        third = asyncio.create_task(database.ping())
        while pool("waiting") != 1 and not third.done():  # noqa: ASYNC110  a few turns of the loop, and no time
            await asyncio.sleep(0)
        assert not third.done()
        with pytest.raises(Unavailable):
            await third
    assert pool("waiting") == 0
    assert pool("in_use") == used
    assert value("quantmesh_database_pool_timeouts_total") == refused + 1


async def test_reads_of_the_cache_are_hits_misses_or_faults(redis_server: RunningServer) -> None:
    cache = Cache(redis_server.url, "counted", timeout_seconds=30.0)
    await cache.set("k", b"v", ttl_seconds=30)
    await cache.get_many(["k", "k", "none"])
    await cache.get("k")
    redis_server.kill()
    await cache.get_many(["k", "none"])
    await cache.close()
    outcomes = {
        outcome: value("quantmesh_cache_reads_total", cache="counted", outcome=outcome)
        for outcome in ("hit", "miss", "fault")
    }
    assert outcomes == {"hit": 3, "miss": 1, "fault": 2}


async def test_what_a_leader_measures_ends_with_its_lead(
    database: Database, bus: EventBus, start: Start, nats_server: RunningServer
) -> None:
    effects = Effects(database)
    relay = start(Relay(database, bus).run())
    consumer = start(effects.consumer().run(database, bus))
    await post(database, "a", "ONE")
    await until(lambda: effects.is_count(1))
    shown = [
        ("quantmesh_outbox_unpublished", {"schema": "ledger"}),
        ("quantmesh_outbox_lag_seconds", {"schema": "ledger"}),
        ("quantmesh_consumer_pending", {"consumer": "ledger-post-entries"}),
        ("quantmesh_dead_letters", {"consumer": "ledger-post-entries"}),
    ]
    await until(lambda: all(value(name, **labels) is not None for name, labels in shown))
    relay.cancel()
    consumer.cancel()
    await asyncio.gather(relay, consumer, return_exceptions=True)
    assert [value(name, **labels) for name, labels in shown] == [None] * 4


async def test_what_a_relay_measures_stays_while_the_broker_refuses_its_events_until_another_leads(
    database: Database, bus: EventBus, start: Start
) -> None:
    def lag() -> float | None:
        return value("quantmesh_outbox_lag_seconds", schema="ledger")

    full = (await ensure_stream(patient(bus), "ledger")).config.evolve(max_bytes=1, discard=DiscardPolicy.NEW)
    await patient(bus).update_stream(full)
    await post(database, "a", "ONE")
    start(Relay(database, bus).run())
    await until(lambda: lag() is not None)
    seen = [lag()]

    def has_grown_for_a_while() -> bool:
        seen.append(lag())
        return len(seen) > 100 and (lag() or 0.0) > (seen[0] or 0.0)

    await until(has_grown_for_a_while)
    assert None not in seen
    async with leading(database, "relay"):
        await until(lambda: lag() is None)


async def test_a_relay_that_waits_for_a_lock_shows_what_waits_with_it(
    ledger: ServiceDatabase, database: Database, bus: EventBus, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quantmesh.chassis.relay._LOCK_SECONDS", 0.5)
    effects = Effects(database)
    start(effects.consumer().run(database, bus))
    await post(database, "a", "ONE")
    async with await psycopg.AsyncConnection.connect(ledger.admin_url) as admin:
        await admin.execute("SELECT FROM ledger.outbox FOR UPDATE")
        start(Relay(database, bus).run())
        await until(lambda: effects.is_count(1))
        await post(database, "b", "TWO")
        await until(lambda: effects.is_count(2))
        await until(lambda: (value("quantmesh_outbox_lag_seconds", schema="ledger") or 0.0) > 1.0)
    await until(lambda: unpublished(database, 0))


async def test_what_a_consumer_has_not_settled_is_pending_though_nothing_arrives(
    database: Database, bus: EventBus, start: Start
) -> None:
    free = asyncio.Event()
    effects = Effects(database)

    class Slow(Effects):
        async def handle(self, *arguments: Any) -> None:
            await free.wait()
            await effects.handle(*arguments)

    start(Relay(database, bus).run())
    await post(database, "a", "ONE", "TWO", "THREE")
    first = start(Slow(database).consumer().run(database, bus))
    await until(lambda: value("quantmesh_consumer_pending", consumer="ledger-post-entries") == 3)
    free.set()
    await until(lambda: effects.is_count(3))
    first.cancel()


async def test_jobs_that_we_failed_are_told_from_those_that_could_not_be_done(database: Database, start: Start) -> None:
    async def refuse(_: RunningJob) -> dict[str, Any]:
        msg = "This cannot be converted."
        raise RuleBroken(msg)

    async def break_down(_: RunningJob) -> dict[str, Any]:
        msg = "a bug"
        raise ZeroDivisionError(msg)

    async with database.transaction(OWNER) as session:
        for kind in ("refuse", "break-down", "nobody-does-this"):
            await jobs.enqueue(session, OWNER, kind, Money())
    start(JobWorker(database, {"refuse": refuse, "break-down": break_down}).run())

    def ended(kind: str, status: str) -> float | None:
        return value("quantmesh_jobs_total", kind=kind, status=status)

    await until(lambda: (ended("refuse", "refused"), ended("break-down", "failed")) == (1, 1))
    assert (ended("refuse", "failed"), ended("break-down", "refused"), ended("refuse", "succeeded")) == (0, 0, 0)
    assert value("quantmesh_job_seconds_count", kind="refuse") == 1


async def test_a_job_that_waits_shows_with_its_age(database: Database, start: Start) -> None:
    busy = asyncio.Event()

    async def hold(_: RunningJob) -> dict[str, Any]:
        await busy.wait()
        return {}

    async with database.transaction(OWNER) as session:
        for _ in range(3):
            await jobs.enqueue(session, OWNER, "hold", Money())
    await asyncio.sleep(0.1)
    start(JobWorker(database, {"hold": hold}).run())
    await until(lambda: (value("quantmesh_jobs_queued", kind="hold") or 0.0) >= 2)
    assert (value("quantmesh_jobs_waiting_seconds", kind="hold") or 0.0) >= 0.1
    busy.set()
