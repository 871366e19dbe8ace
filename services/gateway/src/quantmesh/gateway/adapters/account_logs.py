"""The accounts' logs: read page by page from portfolio, and live from its events."""

import asyncio
from contextlib import suppress
from typing import Any, Protocol

import orjson
from google.protobuf.message import DecodeError

from quantmesh.api.common.v1.common_pb2 import EventEnvelope
from quantmesh.api.portfolio.v1 import events_pb2
from quantmesh.api.portfolio.v1.portfolio_pb2 import AccountEvent, ListEventsRequest, ListEventsResponse
from quantmesh.api.portfolio.v1.portfolio_pb2_grpc import PortfolioServiceStub
from quantmesh.chassis.cancellation import end
from quantmesh.chassis.events import Broadcast, EventBus
from quantmesh.chassis.rpc import Peer
from quantmesh.chassis.telemetry.logs import get_logger
from quantmesh.gateway.core.stream.frames import Frame
from quantmesh.gateway.translation.portfolios import event

log = get_logger(__name__)

SUBJECT = "qm.portfolio.>"
# Copies of what was just committed, on core NATS, as a page of the log; the events follow.
EARLY = "early.portfolio.events"
PAGE = 500
# How often it is asked whether still somebody follows: who leaves may soon come again.
_IDLE_SECONDS = 30.0
# A follower waits for so long at most for a broker that is away.
_PATIENCE_SECONDS = 2.0
# What the log's events travel in: whatever portfolio tells with the event itself in `event`.
_CARRIERS: dict[str, Any] = {
    message.full_name: getattr(events_pb2, name)
    for name, message in events_pb2.DESCRIPTOR.message_types_by_name.items()
    if "event" in message.fields_by_name
}


class Follower(Protocol):
    def __call__(self, seq: int, worded: Frame, *, is_early: bool) -> None: ...


def frame(message: AccountEvent) -> Frame:
    return Frame(orjson.dumps(event(message)).decode())


class AccountLogs:
    """Live events are those of all accounts, and many: an edge hears them while somebody follows one of them there."""

    def __init__(self, portfolio: Peer) -> None:
        self._portfolio = portfolio
        self._stub = PortfolioServiceStub(portfolio.channel)
        self._followers: dict[str, set[Follower]] = {}
        self._followed = asyncio.Event()
        self._heard = asyncio.Event()
        # Whoever does not `listen` hands events over from the start.
        self._heard.set()

    async def read(self, portfolio_id: str, after: int, limit: int = PAGE) -> ListEventsResponse:
        """As the current caller; NotFound where the portfolio is not theirs."""
        request = ListEventsRequest(portfolio_id=portfolio_id, after=after, limit=limit)
        return await self._portfolio.call(self._stub.ListEvents, request)

    async def follow(self, portfolio_id: str, follower: Follower) -> None:
        """No event that is recorded from when this returns on is missed, unless the broker is away."""
        self._followers.setdefault(portfolio_id, set()).add(follower)
        self._followed.set()
        await self._heard.wait()

    def unfollow(self, portfolio_id: str, follower: Follower) -> None:
        followers = self._followers.get(portfolio_id, set())
        followers.discard(follower)
        if not followers:
            self._followers.pop(portfolio_id, None)
        if not self._followers:
            self._followed.clear()

    async def listen(self, bus: EventBus) -> None:
        """Until cancelled."""
        self._heard.clear()
        while True:
            await self._followed.wait()
            broadcast = Broadcast(subject=SUBJECT, handle=self.handle)
            hearing = asyncio.create_task(broadcast.run(bus))
            try:
                with suppress(TimeoutError):
                    async with asyncio.timeout(_PATIENCE_SECONDS):
                        await broadcast.began.wait()
                self._heard.set()
                while self._followers and not hearing.done():
                    await asyncio.wait({hearing}, timeout=_IDLE_SECONDS)
            finally:
                self._heard.clear()
                await end(hearing)
            if not hearing.cancelled():
                hearing.result()

    async def handle(self, envelope: EventEnvelope) -> None:
        """One JetStream event."""
        carrier = _CARRIERS.get(envelope.type)
        if carrier is None:
            return
        try:
            message = carrier.FromString(envelope.payload).event
        except DecodeError:
            log.error("an event does not match its type", event_id=envelope.event_id, type=envelope.type)
            return
        self._tell(message, is_early=False)

    async def handle_early(self, _subject: str, payload: bytes) -> None:
        """One core NATS message."""
        try:
            page = ListEventsResponse.FromString(payload)
        except DecodeError:
            log.error("early copies are no page of a log")
            return
        for message in page.events:
            self._tell(message, is_early=True)

    def _tell(self, message: AccountEvent, *, is_early: bool) -> None:
        followers = self._followers.get(message.portfolio_id)
        if followers and message.seq:
            worded = frame(message)
            for follower in tuple(followers):
                follower(message.seq, worded, is_early=is_early)
