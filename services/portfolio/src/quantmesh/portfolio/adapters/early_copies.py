"""What was just committed, told to the edges at once: a copy ahead of the events, which come through the outbox."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from quantmesh.api.portfolio.v1.portfolio_pb2 import ListEventsResponse
from quantmesh.portfolio.adapters import translate
from quantmesh.portfolio.core.account_log import AccountEvent

SUBJECT = "early.portfolio.events"


class EarlyCopies:
    """On core NATS, at most once. An edge shows one where it is the next of its account, and drops any other."""

    def __init__(self, publish: Callable[[str, bytes], Awaitable[object]]) -> None:
        self._publish = publish

    async def send(self, told: Iterable[AccountEvent]) -> None:
        """Those of one transaction, once it is committed, as a page of the account's log."""
        events = [translate.account_event(event) for event in sorted(told, key=lambda event: event.seq)]
        if events:
            await self._publish(SUBJECT, ListEventsResponse(events=events).SerializeToString())
            await asyncio.sleep(0)  # the client writes in a task of its own, which comes before the caller's answer
