"""A broadcast that misses an event the broker has given goes back to it, whatever lost it on the way."""

import asyncio
import json
from types import SimpleNamespace
from typing import Any, cast

from nats.aio.msg import Msg
from nats.js.api import ConsumerConfig

from quantmesh.api.common.v1.common_pb2 import EventEnvelope
from quantmesh.chassis.events import Broadcast, EventBus
from quantmesh.chassis.events.bus import MessageHandle


class LossyBus:
    """A broker with events 1 to 4 from the first consumer on, and a way to the edge that loses `lost` once."""

    epoch = 1

    def __init__(self, lost: int) -> None:
        self.client = self.jetstream = self
        self._lost = {lost}
        self._last = 0
        self._left: list[int] = []
        self._given = 0

    def new_inbox(self) -> str:
        return "_INBOX.1"

    async def ensure_stream(self, _: str) -> SimpleNamespace:
        return SimpleNamespace(state=SimpleNamespace(last_seq=self._last), created=None)

    async def add_consumer(self, _: str, config: ConsumerConfig) -> SimpleNamespace:
        self._last = 4
        self._left = list(range(config.opt_start_seq or 1, 5))
        self._given = 0
        return SimpleNamespace(name="edge")

    async def subscribe_raw(self, _: str, callback: MessageHandle) -> "LossyBus":
        self._callback = callback
        return self

    async def close(self) -> None:
        """As of a subscription."""

    async def publish(self, _: str, payload: bytes, *, reply: str) -> None:
        for _turn in range(min(json.loads(payload)["batch"], len(self._left))):
            sequence = self._left.pop(0)
            self._given += 1
            if sequence in self._lost:
                self._lost.remove(sequence)
                continue
            data = EventEnvelope(aggregate_version=sequence).SerializeToString()
            place = f"$JS.ACK.qm-ledger.edge.1.{sequence}.{self._given}.1.0"
            await self._callback(Msg(cast("Any", None), subject="qm.ledger.entry.posted.0", reply=place, data=data))


async def test_a_hole_in_what_comes_is_filled_before_what_is_behind_it() -> None:
    seen: list[int] = []
    done = asyncio.Event()

    async def handle(envelope: EventEnvelope) -> None:
        seen.append(envelope.aggregate_version)
        if envelope.aggregate_version == 4:
            done.set()

    broadcast = Broadcast(subject="qm.ledger.entry.posted", handle=handle)
    following = asyncio.create_task(broadcast.run(cast("EventBus", LossyBus(lost=2))))
    async with asyncio.timeout(30):
        await done.wait()
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    assert seen == [1, 2, 3, 4]
