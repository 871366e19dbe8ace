"""Events for an edge: each replica gets all of them from its start on, also over a broker's restart."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from quantmesh.api.common.v1.common_pb2 import EventEnvelope
from quantmesh.chassis.events import Broadcast, EventBus
from quantmesh.chassis.events.streams import ensure_stream
from quantmesh.local.testing import RunningServer

from .events import Start, empty_stream, patient, until


class Edge:
    def __init__(self, subject: str = "qm.ledger.>", backlog: timedelta = timedelta(0)) -> None:
        self.got: list[int] = []
        self.broadcast = Broadcast(subject=subject, handle=self.handle, backlog=backlog)

    async def handle(self, envelope: EventEnvelope) -> None:
        self.got.append(envelope.aggregate_version)

    async def has(self, *versions: int) -> None:
        await until(lambda: len(self.got) >= len(versions))
        assert self.got == list(versions)


async def send(
    bus: EventBus, *versions: int, subject: str = "qm.ledger.entry.posted.0", recorded_at: datetime | None = None
) -> None:
    await ensure_stream(patient(bus), "ledger")
    for version in versions:
        envelope = EventEnvelope(event_id=str(uuid4()), aggregate_id="a", aggregate_version=version)
        envelope.recorded_at.FromDatetime(recorded_at or datetime.now(UTC))
        await patient(bus).publish(subject, envelope.SerializeToString())


async def followed(bus: EventBus, consumers: int) -> None:
    async def are_there() -> bool:
        return len(await patient(bus).consumers_info("qm-ledger")) >= consumers

    await until(are_there)


async def test_every_edge_gets_every_event_from_its_start_on(bus: EventBus, start: Start) -> None:
    await send(bus, 1, 2)
    first, second = Edge(), Edge()
    start(first.broadcast.run(bus))
    start(second.broadcast.run(bus))
    await followed(bus, 2)
    await send(bus, 3, 4, 5)
    await first.has(3, 4, 5)
    await second.has(3, 4, 5)


async def test_an_edge_gets_the_subject_that_it_asked_for(bus: EventBus, start: Start) -> None:
    await send(bus)
    edge = Edge("qm.ledger.entry.posted")
    start(edge.broadcast.run(bus))
    await followed(bus, 1)
    await send(bus, 1, subject="qm.ledger.entry.voided.0")
    await send(bus, 2)
    await edge.has(2)


async def test_a_killed_broker_costs_an_edge_no_event(bus: EventBus, start: Start, nats_server: RunningServer) -> None:
    await send(bus)
    edge = Edge()
    start(edge.broadcast.run(bus))
    await followed(bus, 1)
    await send(bus, 1, 2)
    await edge.has(1, 2)
    connections = bus.epoch
    nats_server.kill()
    nats_server.start_again()
    await until(lambda: bus.epoch != connections and bus.is_connected)
    await send(bus, 3, 4)
    await edge.has(1, 2, 3, 4)


async def test_a_broker_that_lost_all_costs_an_edge_no_event_and_gives_it_no_week_of_old_ones(
    bus: EventBus, start: Start
) -> None:
    """Its relay publishes again what it still has, under other numbers, before the edge looks."""
    await send(bus, *range(1, 6))
    edge = Edge()
    following = start(edge.broadcast.run(bus))
    await followed(bus, 1)
    await send(bus, 6, 7)
    await edge.has(6, 7)
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    await empty_stream(bus)
    long_ago = datetime.now(UTC) - timedelta(hours=1)
    await send(bus, 5, 6, recorded_at=long_ago)
    await send(bus, 7, 8)
    start(edge.broadcast.run(bus))
    await edge.has(6, 7, 7, 8)


async def test_what_is_no_envelope_does_not_stop_the_others(bus: EventBus, start: Start) -> None:
    await send(bus)
    edge = Edge()
    start(edge.broadcast.run(bus))
    await followed(bus, 1)
    await patient(bus).publish("qm.ledger.entry.posted.0", b"\xff")
    await send(bus, 7)
    await edge.has(7)


async def test_a_backlog_is_given_first_and_once(bus: EventBus, start: Start) -> None:
    await send(bus, 1, 2)
    edge = Edge(backlog=timedelta(minutes=5))
    start(edge.broadcast.run(bus))
    await edge.has(1, 2)
    await send(bus, 3)
    await edge.has(1, 2, 3)
