"""The accounts' logs: read page by page from portfolio, and live from its events."""

from typing import Any, Protocol

import orjson
from google.protobuf.message import DecodeError

from quantmesh.api.common.v1.common_pb2 import EventEnvelope
from quantmesh.api.portfolio.v1 import events_pb2
from quantmesh.api.portfolio.v1.portfolio_pb2 import AccountEvent, ListEventsRequest, ListEventsResponse
from quantmesh.api.portfolio.v1.portfolio_pb2_grpc import PortfolioServiceStub
from quantmesh.chassis.rpc import Peer
from quantmesh.chassis.telemetry.logs import get_logger
from quantmesh.gateway.core.stream.frames import Frame
from quantmesh.gateway.translation.portfolios import event

log = get_logger(__name__)

SUBJECT = "qm.portfolio.>"
# Copies of what was just committed, on core NATS, as a page of the log; the events follow.
EARLY = "early.portfolio.events"
PAGE = 500
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
    def __init__(self, portfolio: Peer) -> None:
        self._portfolio = portfolio
        self._stub = PortfolioServiceStub(portfolio.channel)
        self._followers: dict[str, set[Follower]] = {}

    async def read(self, portfolio_id: str, after: int, limit: int = PAGE) -> ListEventsResponse:
        """As the current caller; NotFound where the portfolio is not theirs."""
        request = ListEventsRequest(portfolio_id=portfolio_id, after=after, limit=limit)
        return await self._portfolio.call(self._stub.ListEvents, request)

    def follow(self, portfolio_id: str, follower: Follower) -> None:
        self._followers.setdefault(portfolio_id, set()).add(follower)

    def unfollow(self, portfolio_id: str, follower: Follower) -> None:
        followers = self._followers.get(portfolio_id, set())
        followers.discard(follower)
        if not followers:
            self._followers.pop(portfolio_id, None)

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
