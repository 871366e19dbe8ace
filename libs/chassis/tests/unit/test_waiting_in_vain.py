"""When an event that waits for the one before it may go without: only where the stream can no longer bring that."""

import asyncio
import time
from types import SimpleNamespace
from typing import Any, cast
from uuid import uuid4

import pytest
from nats.aio.msg import Msg

from quantmesh.api.common.v1.common_pb2 import EventEnvelope
from quantmesh.chassis.database import Database
from quantmesh.chassis.errors import Unavailable
from quantmesh.chassis.events import EventBus, inbox
from quantmesh.chassis.events import settling as module
from quantmesh.chassis.events.arrival import Arrival
from quantmesh.chassis.events.settling import Settling

HOUR = 3600.0


class JetStream:
    def __init__(self, first_in_stream: int) -> None:
        self._state = SimpleNamespace(first_seq=first_in_stream)

    async def stream_info(self, _: str) -> SimpleNamespace:
        return SimpleNamespace(state=self._state)


class Handler:
    """Finds a gap before version 7, and version 6 postponed; `asked`: whether version 7 might go without."""

    name, stream, max_deliver, concurrency, prefetch, together = "reader", "qm-portfolio", 5, 4, 256, 64

    def __init__(self) -> None:
        self.asked: list[bool] = []

    async def apply(self, _: Database, __: str, arrival: Arrival, *, accept_unseen: bool) -> inbox.Verdict:
        if arrival.envelope.aggregate_version == 6:
            raise Unavailable("a peer is away")
        self.asked.append(accept_unseen)
        return inbox.Verdict.GAP

    def go_together(self, *_: object) -> bool:
        return False

    async def apply_together(self, *_: object) -> list[inbox.Verdict]:
        raise NotImplementedError


class Delayed(Msg):
    async def nak(self, delay: float | int | None = None) -> None:
        """Comes again."""


def message(version: int, *, number: int, aggregate: str = "a", seconds_in_stream: float = HOUR) -> Msg:
    envelope = EventEnvelope(
        event_id=str(uuid4()), aggregate_id=aggregate, aggregate_version=version, previous_version=version - 1
    )
    stored_at = int((time.time() - seconds_in_stream) * 1e9)
    reply = f"$JS.ACK.qm-portfolio.ledger-reader.1.{number}.{number}.{stored_at}.0"
    data = envelope.SerializeToString()
    return Delayed(cast("Any", None), subject="qm.portfolio.order.filled.0", reply=reply, data=data)


def may_go(*messages: Msg, first_in_stream: int = 5) -> bool:
    """Whether version 7 may, the last time that it comes."""
    bus = SimpleNamespace(epoch=1, jetstream=JetStream(first_in_stream))
    handler = Handler()
    settling = Settling(handler, cast("Database", None), cast("EventBus", bus), "ledger-reader")

    async def settle() -> None:
        for each in messages:
            await settling._settle(each)

    asyncio.run(settle())
    return handler.asked[-1]


@pytest.fixture(autouse=True)
def no_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_IN_VAIN_SECONDS", 0.0)


def test_goes_where_the_stream_has_dropped_what_was_before() -> None:
    assert may_go(message(7, number=20))


def test_waits_until_all_that_is_unsettled_has_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_IN_VAIN_SECONDS", 10.0)
    assert not may_go(message(7, number=20), message(7, number=20))


def test_waits_where_the_stream_has_dropped_nothing() -> None:
    assert not may_go(message(7, number=20), first_in_stream=1)


def test_waits_for_a_predecessor_that_is_postponed() -> None:
    assert not may_go(message(6, number=10), message(7, number=20))


def test_waits_for_no_other_aggregate() -> None:
    assert may_go(message(6, number=10, aggregate="b"), message(7, number=20))


def test_goes_where_the_stream_has_dropped_a_postponed_predecessor_meanwhile() -> None:
    assert may_go(message(6, number=10), message(7, number=20), first_in_stream=11)


def test_waits_for_what_is_yet_to_be_published_again() -> None:
    assert not may_go(message(7, number=20, seconds_in_stream=30.0))
