"""The halts in force, live from portfolio's events, and read again now and then in case one was missed."""

import asyncio
from datetime import UTC
from typing import Any

import orjson
from google.protobuf.message import DecodeError

from quantmesh.api.common.v1.common_pb2 import EventEnvelope
from quantmesh.api.portfolio.v1 import halts_pb2 as pb
from quantmesh.api.portfolio.v1.halts_pb2_grpc import HaltServiceStub
from quantmesh.chassis.clock import Clock
from quantmesh.chassis.errors import QuantmeshError
from quantmesh.chassis.rpc import Peer
from quantmesh.chassis.telemetry.logs import get_logger
from quantmesh.gateway.core.stream.topic import Topic
from quantmesh.gateway.translation.halts import halt

log = get_logger(__name__)

SUBJECT = "qm.portfolio.halt.>"
_CHECK_SECONDS = 15.0
_PAGE = 500
_CARRIERS: dict[str, type[pb.HaltImposed | pb.HaltLifted]] = {
    carrier.DESCRIPTOR.full_name: carrier for carrier in (pb.HaltImposed, pb.HaltLifted)
}


class HaltFeed:
    """Each event of the channel tells all that is in force, so that the latest alone is enough for a slow reader."""

    def __init__(self, portfolio: Peer, clock: Clock, numbered_from: int = 0) -> None:
        self.topic = Topic("halts", numbered_from)
        self._portfolio = portfolio
        self._stub = HaltServiceStub(portfolio.channel)
        self._clock = clock
        self._in_force: dict[str, dict[str, Any]] = {}
        self._read = False
        self._events = 0

    async def handle(self, envelope: EventEnvelope) -> None:
        """One JetStream event."""
        carrier = _CARRIERS.get(envelope.type)
        if carrier is None:
            # Of a newer release; what it did shows when the halts are read again.
            return
        try:
            message = carrier.FromString(envelope.payload).halt
        except DecodeError:
            message = pb.Halt()
        if not message.id:
            log.error("an event is no halt", event_id=envelope.event_id, type=envelope.type)
            return
        shown = halt(message)
        self._events += 1
        if carrier is pb.HaltImposed:
            self._in_force[message.id] = shown
            self._tell("halt.imposed", shown)
        else:
            self._in_force.pop(message.id, None)
            self._tell("halt.lifted", shown)

    async def demand(self) -> None:
        """Once what is in force is known. Raises Unavailable."""
        if not self._read:
            await self.read()

    async def read(self) -> None:
        """Told where it is news; left alone where an event came meanwhile, which is newer. Raises Unavailable."""
        events = self._events
        found = await self._listed()
        if events != self._events:
            return
        if not self._read or found != self._in_force:
            self._in_force = found
            self._tell("halts", None)
        self._read = True

    async def _listed(self) -> dict[str, dict[str, Any]]:
        request = pb.ListHaltsRequest(in_force=True)
        request.page.limit = _PAGE
        found = {}
        while True:
            answer = await self._portfolio.call(self._stub.ListHalts, request)
            found.update({message.id: halt(message) for message in answer.halts})
            request.page.cursor = answer.page.next_cursor
            if not request.page.cursor:
                return found

    async def keep_level(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(_CHECK_SECONDS)
            try:
                await self.read()
            except QuantmeshError as error:
                log.info("halts cannot be read yet", error=error.detail)

    def _tell(self, kind: str, changed: dict[str, Any] | None) -> None:
        content = {"halt": changed, "in_force": list(self._in_force.values())}
        now = self._clock.now().astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        self.topic.publish(now, kind, orjson.dumps(content).decode())
