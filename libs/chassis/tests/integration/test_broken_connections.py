"""A connection to the broker that breaks, comes late, or comes back: what was subscribed to goes on, and only that."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from nats.errors import BadSubjectError

from quantmesh.api.common.v1.common_pb2 import EventEnvelope
from quantmesh.chassis.errors import Unavailable
from quantmesh.chassis.events import Broadcast, EventBus
from quantmesh.chassis.events.streams import ensure_stream
from quantmesh.local.testing import RunningServer

from .events import PATIENCE_SECONDS, SUBJECT, Start, envelope_of, patient, send, until
from .proxy import Proxy, proxy_to


@pytest.fixture
async def proxy(nats_server: RunningServer) -> AsyncIterator[Proxy]:
    async with proxy_to(nats_server.port) as proxy:
        yield proxy


@pytest.fixture
async def far_bus(nats_server: RunningServer, proxy: Proxy) -> AsyncIterator[EventBus]:
    """Reaches the broker through the proxy; not connected yet."""
    bus = EventBus(nats_server.url.replace(str(nats_server.port), str(proxy.port)), "edge")
    yield bus
    await bus.close()


class Heard:
    def __init__(self) -> None:
        self.payloads: list[bytes] = []
        self.versions: list[int] = []

    async def core(self, _: str, payload: bytes) -> None:
        self.payloads.append(payload)

    async def event(self, envelope: EventEnvelope) -> None:
        self.versions.append(envelope.aggregate_version)


async def break_for_a_while(proxy: Proxy, bus: EventBus) -> None:
    proxy.refuses = True
    proxy.cut()
    await until(lambda: not bus.is_connected)


async def let_come_back(proxy: Proxy, bus: EventBus) -> None:
    proxy.refuses = False
    assert await bus.wait_connected(PATIENCE_SECONDS)


async def test_an_edge_gets_what_was_on_the_way_when_its_connection_broke(
    bus: EventBus, far_bus: EventBus, proxy: Proxy, start: Start
) -> None:
    await ensure_stream(patient(bus), "ledger")
    await far_bus.connect(patience_seconds=PATIENCE_SECONDS)
    heard = Heard()
    broadcast = Broadcast(subject=f"qm.{SUBJECT}", handle=heard.event)
    start(broadcast.run(far_bus))
    await broadcast.began.wait()
    await send(bus, envelope_of(1, "A"))
    await until(lambda: heard.versions == [1])
    proxy.swallows = True
    await send(bus, envelope_of(2, "B"), envelope_of(3, "C"))
    await asyncio.sleep(0.1)
    proxy.cut()
    proxy.swallows = False
    await until(lambda: heard.versions == [1, 2, 3])


@pytest.mark.parametrize("patience_seconds", [0.1, 5.0], ids=["its asker left", "it was given up"])
async def test_an_answer_that_comes_too_late_makes_nobody_deaf(
    bus: EventBus, far_bus: EventBus, proxy: Proxy, patience_seconds: float
) -> None:
    await far_bus.connect(patience_seconds=PATIENCE_SECONDS)
    heard = Heard()
    await far_bus.subscribe("quotes.*", heard.core)
    connections = far_bus.epoch
    proxy.delay_seconds = 1.2
    with pytest.raises((TimeoutError, Unavailable)):
        await asyncio.wait_for(far_bus.ping(), patience_seconds)
    proxy.delay_seconds = 0.0
    await asyncio.sleep(1.4)
    await bus.publish("quotes.AAPL", b"1.5")
    await until(lambda: heard.payloads == [b"1.5"])
    assert far_bus.epoch == connections


@pytest.mark.parametrize("backlog", [timedelta(0), timedelta(milliseconds=1)])
async def test_an_edge_that_has_heard_nothing_yet_gets_what_came_while_it_was_away(
    bus: EventBus, far_bus: EventBus, proxy: Proxy, start: Start, backlog: timedelta
) -> None:
    await ensure_stream(patient(bus), "ledger")
    await far_bus.connect(patience_seconds=PATIENCE_SECONDS)
    heard = Heard()
    broadcast = Broadcast(subject=f"qm.{SUBJECT}", handle=heard.event, backlog=backlog)
    start(broadcast.run(far_bus))
    await broadcast.began.wait()
    await break_for_a_while(proxy, far_bus)
    await send(bus, envelope_of(1, "A"), envelope_of(2, "B"))
    # Its consumer is kept in the memory of a broker, which may have started anew as well.
    for consumer in await patient(bus).consumers_info("qm-ledger"):
        await patient(bus).delete_consumer("qm-ledger", consumer.name)
    await asyncio.sleep(0.05)
    await let_come_back(proxy, far_bus)
    await until(lambda: heard.versions == [1, 2])


async def test_a_subscription_that_is_made_in_the_last_step_of_connecting_hears(
    bus: EventBus, far_bus: EventBus, proxy: Proxy
) -> None:
    heard = Heard()
    first = await far_bus.subscribe("quotes.AAPL", heard.core)
    proxy.delay_seconds = 0.2
    connecting = asyncio.create_task(far_bus.connect(patience_seconds=PATIENCE_SECONDS))
    await until(lambda: first.current is not None)
    assert not connecting.done()
    await far_bus.subscribe("quotes.MSFT", heard.core)
    await connecting
    await bus.publish("quotes.MSFT", b"1.5")
    await until(lambda: heard.payloads == [b"1.5"])


async def test_a_subscription_closed_while_the_broker_is_away_hears_nothing_afterwards(
    bus: EventBus, far_bus: EventBus, proxy: Proxy
) -> None:
    await far_bus.connect(patience_seconds=PATIENCE_SECONDS)
    closed, kept = Heard(), Heard()
    subscription = await far_bus.subscribe("quotes.*", closed.core)
    await far_bus.subscribe("quotes.*", kept.core)
    await break_for_a_while(proxy, far_bus)
    await subscription.close()
    await let_come_back(proxy, far_bus)
    await bus.publish("quotes.AAPL", b"1.5")
    await until(lambda: kept.payloads == [b"1.5"])
    await far_bus.ping()
    assert not closed.payloads


async def test_a_subscription_that_was_refused_does_not_keep_the_bus_from_coming_back(
    far_bus: EventBus, proxy: Proxy
) -> None:
    await far_bus.connect(patience_seconds=PATIENCE_SECONDS)
    heard = Heard()
    with pytest.raises(BadSubjectError):
        await far_bus.subscribe("no subject", heard.core)
    await break_for_a_while(proxy, far_bus)
    await let_come_back(proxy, far_bus)
