"""Events whose predecessors the stream has dropped, by age, go on; those whose predecessors are only late wait."""

import asyncio

import pytest
from prometheus_client import REGISTRY

from quantmesh.api.common.v1.common_pb2 import EventEnvelope, Money
from quantmesh.chassis.database import Database
from quantmesh.chassis.errors import Unavailable
from quantmesh.chassis.events import Consumer, EventBus
from quantmesh.chassis.sql import Session

from .events import SUBJECT, Effects, Start, envelope_of, patient, send, until


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_PARKED_SECONDS", "_IN_VAIN_SECONDS", "_REPUBLISHED_SECONDS"):
        monkeypatch.setattr(f"quantmesh.chassis.events.settling.{name}", 0.2)


async def drop_all(bus: EventBus) -> None:
    """As the stream does with what is older than a week."""
    await patient(bus).purge_stream("qm-ledger")


async def test_an_event_goes_on_behind_what_was_handled_where_the_stream_dropped_the_one_before(
    database: Database, bus: EventBus, start: Start
) -> None:
    labels = {"consumer": "ledger-post-entries", "outcome": "orphaned"}
    before = REGISTRY.get_sample_value("quantmesh_consumer_events_total", labels) or 0.0
    effects = Effects(database)
    first = start(effects.consumer().run(database, bus))
    await send(bus, envelope_of(1, "ONE"))
    await until(lambda: effects.is_count(1))
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    await send(bus, envelope_of(2, "DROPPED"))
    await drop_all(bus)
    await send(bus, envelope_of(3, "THREE"), envelope_of(4, "FOUR"))
    start(effects.consumer().run(database, bus))
    await until(lambda: effects.is_count(3))
    assert effects.seen == ["ONE", "THREE", "FOUR"]
    assert REGISTRY.get_sample_value("quantmesh_consumer_events_total", labels) == before + 1


@pytest.mark.parametrize("known", [[], ["ONE"]], ids=["an aggregate's first", "a later one"])
async def test_an_event_waits_for_the_one_before_while_that_is_postponed(
    database: Database, bus: EventBus, start: Start, known: list[str]
) -> None:
    effects = Effects(database)
    is_away = True

    async def handle(session: Session, envelope: EventEnvelope, message: Money) -> None:
        if is_away and message.currency == "POSTPONED":
            raise Unavailable("the peer that it needs is away")
        await effects.handle(session, envelope, message)

    await send(bus, envelope_of(1, "OLD", aggregate="b"))
    await drop_all(bus)
    start(Consumer("patient", subject=f"qm.{SUBJECT}", message=Money, handle=handle).run(database, bus))
    await send(bus, *(envelope_of(1, each) for each in known))
    await until(lambda: effects.is_count(len(known)))
    version = len(known) + 1
    await send(bus, envelope_of(version, "POSTPONED"), envelope_of(version + 1, "NEXT"))
    await asyncio.sleep(2.5)
    is_away = False
    await until(lambda: effects.is_count(len(known) + 2))
    assert effects.seen == [*known, "POSTPONED", "NEXT"]
