"""A broker restored from an old state gives its messages' numbers anew: what it gave before is not settled any more."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast
from uuid import uuid4

import pytest
from nats.aio.msg import Msg

from quantmesh.api.common.v1.common_pb2 import EventEnvelope
from quantmesh.chassis.database import Database
from quantmesh.chassis.events import EventBus, inbox
from quantmesh.chassis.events.arrival import Arrival
from quantmesh.chassis.events.pull import ConsumerLostError
from quantmesh.chassis.events.settling import Settling


class RecordedMessage(Msg):
    answers: list[str]

    async def ack(self) -> None:
        self.answers.append("ack")


class Handler:
    name, stream, max_deliver, concurrency, prefetch, together = "reader", "qm-portfolio", 5, 4, 256, 64

    def __init__(self, bus: Any, *, broker_comes_back: bool) -> None:
        self.bus = bus
        self.broker_comes_back = broker_comes_back

    async def apply(self, *_: object, accept_unseen: bool) -> inbox.Verdict:
        self.bus.epoch += self.broker_comes_back
        return inbox.Verdict.HANDLE

    def go_together(self, *_: object) -> bool:
        return True

    async def apply_together(self, _database: Database, _durable: str, arrivals: list[Arrival]) -> list[inbox.Verdict]:
        self.bus.epoch += self.broker_comes_back
        return [inbox.Verdict.HANDLE] * len(arrivals)


def settle(count: int, *, broker_comes_back: bool) -> list[str]:
    bus = SimpleNamespace(epoch=1)
    handler = Handler(bus, broker_comes_back=broker_comes_back)
    settling = Settling(handler, cast("Database", None), cast("EventBus", bus), "ledger-reader")
    answers: list[str] = []
    messages: list[Msg] = []
    for version in range(1, count + 1):
        envelope = EventEnvelope(event_id=str(uuid4()), aggregate_id="a", aggregate_version=version)
        reply = f"$JS.ACK.qm-portfolio.ledger-reader.1.{version}.{version}.1.0"
        message = RecordedMessage(
            cast("Any", None), subject="qm.portfolio.order.filled.0", reply=reply, data=envelope.SerializeToString()
        )
        message.answers = answers
        settling._unfinished[id(message)] = message
        messages.append(message)
    asyncio.run(settling._settle_in_order(messages))
    return answers


@pytest.mark.parametrize("count", [1, 3])
def test_what_is_handled_over_one_connection_is_acknowledged(count: int) -> None:
    assert settle(count, broker_comes_back=False) == ["ack"] * count


@pytest.mark.parametrize("count", [1, 3])
def test_what_was_fetched_before_the_broker_came_back_is_not_acknowledged(count: int) -> None:
    with pytest.raises(ConsumerLostError, match="came back"):
        settle(count, broker_comes_back=True)
