"""Messages of one JetStream consumer, pulled in batches.

The client library's own `fetch(n)` waits for n messages or its timeout; here a batch is what has arrived by now, or a
little later: what is to be gathered waits at the broker, where it costs nothing, and comes with one answer.
"""

import asyncio
import json
from collections import deque
from collections.abc import Mapping

from nats.aio.msg import Msg

from quantmesh.chassis.cancellation import raise_if_cancelled
from quantmesh.chassis.events.bus import EventBus, Subscription

_EXPIRES_SECONDS = 10.0
_HEARTBEAT_SECONDS = 1.0
# Two heartbeats missed: the broker restarted, or our request got lost with a connection.
_SILENCE_SECONDS = 2.5
_UNTIL_ONE_COMES = {"expires": int(_EXPIRES_SECONDS * 1e9), "idle_heartbeat": int(_HEARTBEAT_SECONDS * 1e9)}
_AT_ONCE = {"no_wait": True}
_STATUS = "Status"
_HEARTBEAT = "100"


class ConsumerLostError(Exception):
    """The broker no longer has this consumer; create it again."""


class PullSubscription:
    """Good for one connection of the bus: what was under way on one that broke may never arrive.

    `gather_seconds`: how long after a first message the others are fetched that came meanwhile.
    """

    def __init__(self, bus: EventBus, stream: str, consumer: str, gather_seconds: float = 0.0) -> None:
        self._bus = bus
        self._next = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}"
        self._gather_seconds = gather_seconds
        self._inbox = bus.client.new_inbox()
        self._subscription: Subscription | None = None
        self._arrived: deque[Msg] = deque()
        self._something = asyncio.Event()
        self._requested = 0
        self._epoch = bus.epoch
        self._lost = ""
        # The last batch was full: more waits already.
        self._is_behind = False

    async def open(self) -> None:
        self._subscription = await self._bus.subscribe_raw(self._inbox, self._receive)

    async def close(self) -> None:
        if self._subscription is not None:
            await self._subscription.close()

    def waiting(self) -> list[Msg]:
        """Arrived, and not yet handed out."""
        return list(self._arrived)

    async def batch(self, size: int) -> list[Msg]:
        """At least one message and at most `size`; waits for as long as there is none.

        Raises ConsumerLostError, also on another connection than it began on, and Unavailable where the broker
        went silent.
        """
        if self._gather_seconds:
            await self._gather(size)
        while not self._arrived:
            await self._wait_for_more(size, _UNTIL_ONE_COMES)
        return [self._arrived.popleft() for _ in range(min(size, len(self._arrived)))]

    async def _gather(self, size: int) -> None:
        while not self._arrived:
            await self._wait_for_more(1, _UNTIL_ONE_COMES)
        if not self._is_behind:
            await asyncio.sleep(self._gather_seconds)
        rest = size - len(self._arrived)
        if rest > 0:
            await self._request(rest, _AT_ONCE)
        while self._requested > 0:
            await self._wait_for_more(rest, _AT_ONCE)
        self._is_behind = len(self._arrived) >= size

    async def _wait_for_more(self, size: int, until: Mapping[str, object]) -> None:
        """For anything that comes, of a request that is open or else made now."""
        raise_if_cancelled()
        if self._lost:
            raise ConsumerLostError(self._lost)
        if self._epoch != self._bus.epoch:
            raise ConsumerLostError("the connection broke, and with it what was on the way")
        self._something.clear()
        if self._requested <= 0:
            await self._request(size, until)
        try:
            async with asyncio.timeout(_SILENCE_SECONDS):
                await self._something.wait()
        except TimeoutError:
            await self._bus.ping()
            self._requested = 0

    async def _request(self, size: int, until: Mapping[str, object]) -> None:
        self._requested = size
        await self._bus.client.publish(self._next, json.dumps({"batch": size, **until}).encode(), reply=self._inbox)

    async def _receive(self, message: Msg) -> None:
        status = (message.headers or {}).get(_STATUS, "") if not message.data else ""
        if not status:
            self._requested -= 1
            self._arrived.append(message)
        elif status != _HEARTBEAT:
            # 408 expired and 404 empty end a request; 409 and 503 also where the consumer is gone.
            self._requested = 0
            description = (message.headers or {}).get("Description", "")
            if status == "503" or "Deleted" in description:
                self._lost = f"{status} {description}".strip()
        self._something.set()
