"""One NATS connection of a service, which comes back by itself for as long as the service lives."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription as NatsSubscription
from nats.js.api import StreamInfo
from nats.js.client import JetStreamContext
from nats.protocol.parser import PERMISSIONS_ERR
from prometheus_client import Counter

from quantmesh.chassis.cancellation import end, raise_if_cancelled
from quantmesh.chassis.errors import Unavailable
from quantmesh.chassis.events.streams import ensure_stream
from quantmesh.chassis.telemetry.logs import get_logger

log = get_logger(__name__)

# Every wait on the broker ends, so that a lost answer costs seconds and never a hang.
REQUEST_SECONDS = 2.0
BROKER_FAULTS = (nats.errors.Error, OSError, TimeoutError, Unavailable)
Handle = Callable[[str, bytes], Awaitable[None]]
MessageHandle = Callable[[Msg], Awaitable[None]]

_DROPPED = Counter("quantmesh_bus_dropped_total", "Core messages dropped while the broker was away")


class _Connection(Client):
    """nats-py ceases to read once an answer comes whose asker has left or given up, and notices after seconds."""

    async def _process_pong(self) -> None:
        if self._pongs and self._pongs[0].done():
            self._pongs[0] = asyncio.get_running_loop().create_future()
        await super()._process_pong()


@dataclass(eq=False)
class Subscription:
    """Kept on every connection to come, until closed."""

    subject: str
    callback: MessageHandle
    bus: "EventBus"
    current: NatsSubscription | None = None

    async def close(self) -> None:
        await self.bus.forget(self)


class EventBus:
    """Connects in the background; `wait_connected` and `ping` tell. Subscriptions may be made before that."""

    def __init__(self, url: str, service: str, stream_replicas: int = 1) -> None:
        self.service = service
        self._stream_replicas = stream_replicas
        self._url = url
        self._client: Client | None = None
        self._jetstream: JetStreamContext | None = None
        self._connected = asyncio.Event()
        self._subscriptions: list[Subscription] = []
        self._keeper: asyncio.Task[None] | None = None
        self._connections = 0

    async def connect(self, *, patience_seconds: float = 2.0) -> None:
        """Begin; returns once connected, or after `patience_seconds` with the attempts going on behind."""
        if self._keeper is None:
            self._keeper = asyncio.create_task(self._keep_connected(), name="event bus")
        await self.wait_connected(patience_seconds)

    async def wait_connected(self, seconds: float) -> bool:
        """Whether it is connected now or became so within `seconds`."""
        if not self.is_connected:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._connected.wait()
        return self.is_connected

    @property
    def is_connected(self) -> bool:
        return self._client is not None and self._connected.is_set() and self._client.is_connected

    @property
    def epoch(self) -> int:
        """Grows with every new connection: what a broker forgot by its restart has to be said again."""
        return self._connections

    @property
    def client(self) -> Client:
        if self._client is None or not self.is_connected:
            msg = "The event broker cannot be reached."
            raise Unavailable(msg, retry_after_seconds=1.0)
        return self._client

    @property
    def jetstream(self) -> JetStreamContext:
        if not self.is_connected or self._jetstream is None:
            msg = "The event broker cannot be reached."
            raise Unavailable(msg, retry_after_seconds=1.0)
        return self._jetstream

    async def ensure_stream(self, publisher: str) -> StreamInfo:
        """Whoever comes first creates it. Raises Unavailable, or the client's own errors."""
        return await ensure_stream(self.jetstream, publisher, self._stream_replicas)

    async def ping(self) -> None:
        """Raises Unavailable where the broker does not answer within a second."""
        try:
            await self.client.rtt(timeout=1)
        except (nats.errors.Error, OSError, TimeoutError) as error:
            msg = "The event broker does not answer."
            raise Unavailable(msg, retry_after_seconds=1.0) from error

    async def publish(self, subject: str, payload: bytes, headers: dict[str, str] | None = None) -> bool:
        """Core NATS, at most once: without a connection the message is dropped and counted, since a newer one follows.

        Events that must arrive go through the outbox.
        """
        if not self.is_connected:
            _DROPPED.inc()
            return False
        try:
            await self.client.publish(subject, payload, headers=headers)
        except (nats.errors.Error, OSError):
            _DROPPED.inc()
            return False
        raise_if_cancelled()
        return True

    async def subscribe(self, subject: str, handle: Handle) -> Subscription:
        """Core NATS: `handle(subject, payload)` for each message while connected, one after the other."""

        async def callback(message: Msg) -> None:
            await handle(message.subject, message.data)

        return await self.subscribe_raw(subject, callback)

    async def subscribe_raw(self, subject: str, callback: MessageHandle) -> Subscription:
        """As `subscribe`, with the whole message: headers, and the subject to answer on."""
        subscription = Subscription(subject, callback, self)
        self._subscriptions.append(subscription)
        if self.is_connected:
            try:
                subscription.current = await self.client.subscribe(subject, cb=callback)
            except BaseException:
                # Nobody holds it, so that nobody could close it.
                await self.forget(subscription)
                raise
        return subscription

    async def forget(self, subscription: Subscription) -> None:
        if subscription in self._subscriptions:
            self._subscriptions.remove(subscription)
        if subscription.current is not None:
            # Also while the broker is away: the client would renew it on the next connection.
            with suppress(nats.errors.Error, OSError):
                await subscription.current.unsubscribe()
        subscription.current = None

    async def close(self) -> None:
        if self._keeper is None:
            return
        if self._client is not None and self.is_connected:
            with suppress(nats.errors.Error, OSError, TimeoutError):
                await self._client.flush(timeout=1)
        await end(self._keeper)
        self._keeper = None

    async def _keep_connected(self) -> None:
        # The client reconnects by itself; where the server told it to go away for good, a new one takes over.
        while True:
            raise_if_cancelled()
            closed = asyncio.Event()
            self._client = _Connection()
            try:
                await self._open(self._client, closed)
                await closed.wait()
            except (nats.errors.Error, OSError, TimeoutError) as error:
                log.warning("event broker refused the connection", error=str(error))
            finally:
                self._connected.clear()
                with suppress(nats.errors.Error, OSError, TimeoutError):
                    async with asyncio.timeout(2.0):
                        await self._client.close()
            await asyncio.sleep(0.25)

    async def _open(self, client: Client, closed: asyncio.Event) -> None:
        async def on_disconnected() -> None:
            self._connected.clear()
            log.warning("event broker lost")

        async def on_reconnected() -> None:
            await self._take_over(client)
            log.info("event broker is back")

        async def on_closed() -> None:
            closed.set()

        async def on_error(error: Exception) -> None:
            # Whoever published hears nothing: it waits for an answer that does not come.
            tell = log.warning if PERMISSIONS_ERR in str(error) else log.debug
            tell("event broker", error=repr(error))

        await client.connect(
            self._url,
            name=f"quantmesh-{self.service}",
            connect_timeout=2,
            max_reconnect_attempts=-1,
            reconnect_time_wait=0.2,  # type: ignore[arg-type]  # seconds, of which fractions work
            ping_interval=2,
            max_outstanding_pings=2,
            flush_timeout=2,
            disconnected_cb=on_disconnected,
            reconnected_cb=on_reconnected,
            closed_cb=on_closed,
            error_cb=on_error,
        )
        self._jetstream = client.jetstream(timeout=REQUEST_SECONDS)
        for subscription in self._subscriptions:
            subscription.current = None
        await self._take_over(client)

    async def _take_over(self, client: Client) -> None:
        """Subscribe to what was asked for while there was no connection; the client itself renews what it had.

        Connected only when nothing is left, since what is asked for during the last step was merely listed.
        """
        while missing := [each for each in self._subscriptions if each.current is None]:
            for subscription in missing:
                subscription.current = await client.subscribe(subscription.subject, cb=subscription.callback)
            await client.flush(timeout=2)
        self._connections += 1
        self._connected.set()
