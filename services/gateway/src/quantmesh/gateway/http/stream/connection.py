"""One client of the stream (GW-5): what it says is checked and answered, what it follows is sent in order."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import orjson
from starlette.types import Receive, Send

from quantmesh.chassis.context import CallContext, set_call
from quantmesh.chassis.errors import PermissionDenied, QuantmeshError, Unauthenticated, Unavailable
from quantmesh.chassis.telemetry.logs import get_logger
from quantmesh.gateway.adapters.credentials import is_api_key
from quantmesh.gateway.core.addresses import counted_as
from quantmesh.gateway.core.errors import InvalidRequest, TokenMissing, TooManyChannels
from quantmesh.gateway.core.stream import messages
from quantmesh.gateway.core.stream.frames import Frame
from quantmesh.gateway.core.stream.mailbox import Mailbox
from quantmesh.gateway.http.edge import Edge
from quantmesh.gateway.http.problems import problem_document
from quantmesh.gateway.http.stream.desk import StreamDesk, demand_scope
from quantmesh.gateway.http.stream.protocol import WriteNow
from quantmesh.gateway.http.stream.subscriptions import Subscription

log = get_logger(__name__)

MAXIMUM_CHANNELS = 500
AUTHENTICATION_SECONDS = 10.0
_CALL_SECONDS = 5.0
# Longer than auth is away when it starts anew.
_RENEWAL_SECONDS = 10.0

CLOSE_UNAUTHENTICATED = 4001
CLOSE_SLOW = 4008


class Connection:
    """Between accept and close; `run` ends when either side closes."""

    def __init__(self, desk: StreamDesk, edge: Edge, receive: Receive, send: Send, write_now: WriteNow) -> None:
        self._desk = desk
        self._edge = edge
        self._receive = receive
        self._send = send
        self._write_now = write_now
        # What the caller can be renewed from: an API key outlives the tokens it is exchanged for.
        self._credential = edge.header(b"x-api-key") if not edge.header(b"authorization") else ""
        self._opened_at = time.monotonic()
        self._subscriptions: dict[str, Subscription] = {}
        self._mailbox = Mailbox(self._wake)
        # Events that come while a subscription is being answered: the answer goes first.
        self._held: Mailbox | None = None
        self._waiting: asyncio.Future[None] | None = None
        self._room = asyncio.Event()
        self._closing: tuple[int, QuantmeshError] | None = None
        # Since when one frame has been waiting for the client to read; 0 while none is.
        self.sending_since = 0.0

    @property
    def session_id(self) -> str:
        return self._edge.caller.session_id if self._edge.caller is not None else ""

    @property
    def holder(self) -> str:
        """Whose streams it is one of."""
        return self._edge.caller.subject if self._edge.caller is not None else counted_as(self._edge.address)

    @property
    def is_ending(self) -> bool:
        return self._closing is not None

    @property
    def has_room(self) -> bool:
        return self._mailbox.has_room if self._held is None else self._held.has_room

    def put(self, frame: Frame) -> None:
        if self._held is not None:
            self._held.put(frame)
        else:
            self._deliver(frame)

    def put_latest(self, channel: str, frame: Frame) -> None:
        if self._held is not None:
            self._held.put_latest(channel, frame)
            return
        # While the writer waits the mailbox is empty, so that nothing is overtaken.
        if self._waiting is None or not self._write_now(frame.wire):
            self._mailbox.put_latest(channel, frame)

    def act(self) -> None:
        set_call(
            CallContext(
                request_id=self._edge.request_id,
                caller=self._edge.caller,
                deadline=time.monotonic() + _CALL_SECONDS,
                traceparent=self._edge.traceparent,
            )
        )

    async def wait_for_room(self) -> None:
        while not self.has_room:
            self._room.clear()
            await self._room.wait()

    def refuse(self, error: QuantmeshError, channel: str = "") -> None:
        """Tell the client what was not done, and why."""
        problem = problem_document(error, instance="/api/v2/stream", request_id=self._edge.request_id)
        self._say({"op": "error", **({"channel": channel} if channel else {}), "problem": problem})

    def give_up(self, channel: str, error: QuantmeshError) -> None:
        self._subscriptions.pop(channel, None)
        self.refuse(error, channel)

    def end(self, code: int, error: QuantmeshError) -> None:
        """Tell the client why, then close."""
        if self._closing is None:
            self._closing = (code, error)
            self._wake()

    async def inspect(self, now: float) -> None:
        """Called every second: who has not said who they are, and whose token has expired, is sent away.

        A key is exchanged for the next token ahead of time. Where auth cannot answer until the last one expires, the
        answer is no: the key may have been revoked meanwhile.
        """
        if self._edge.caller is None:
            if now - self._opened_at > AUTHENTICATION_SECONDS:
                self.end(CLOSE_UNAUTHENTICATED, TokenMissing())
            return
        left = self._edge.caller.expires_at - time.time()
        if left < _RENEWAL_SECONDS and self._credential:
            try:
                self._edge.caller = await self._desk.verify(self._credential)
            except Unavailable as away:
                log.info("a stream's key cannot be renewed yet", request_id=self._edge.request_id)
                if self._edge.caller.expires_at <= time.time():
                    self.end(CLOSE_UNAUTHENTICATED, away)
            except QuantmeshError as error:
                self.end(CLOSE_UNAUTHENTICATED, error)
        elif left < 0:
            self.end(
                CLOSE_UNAUTHENTICATED, Unauthenticated("The token has expired; send auth with a fresh one in time.")
            )

    async def run(self) -> None:
        reader = asyncio.create_task(self._read())
        writer = asyncio.create_task(self._write())
        try:
            await asyncio.wait((reader, writer), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (reader, writer):
                task.cancel()
            for ended in await asyncio.gather(reader, writer, return_exceptions=True):
                # A client that went away is an OSError.
                if isinstance(ended, Exception) and not isinstance(ended, OSError):
                    log.error("bug", request_id=self._edge.request_id, route="stream", exc_info=ended)
            for subscription in self._subscriptions.values():
                await subscription.close()

    async def _read(self) -> None:
        while True:
            # Who asks and does not read the answers is not heard meanwhile.
            await self.wait_for_room()
            message = await self._receive()
            if message["type"] == "websocket.disconnect":
                return
            text = message.get("text")
            try:
                if text is None:
                    raise InvalidRequest.single("#", "must be a text frame")
                await self._obey(messages.parse(text))
            except QuantmeshError as error:
                self.refuse(error)

    async def _obey(self, message: messages.Message) -> None:
        match message:
            case messages.Authenticate(token):
                await self._authenticate(token)
            case messages.Ping():
                self._say({"op": "pong"})
            case messages.Subscribe(channels):
                with self._answering():
                    opened = [seen for name in channels if (seen := await self._open(name, None)) is not None]
                    if opened:
                        self._say({"op": "subscribed", "channels": opened})
            case messages.Unsubscribe(channels):
                for name in channels:
                    await self._close(name)
                self._say({"op": "unsubscribed", "channels": list(channels)})
            case messages.Resume(channel, after_seq):
                await self._close(channel)
                with self._answering():
                    seen = await self._open(channel, after_seq)
                    if seen is not None:
                        self._say({"op": "resumed", **seen})

    async def _authenticate(self, token: str) -> None:
        # A key is exchanged by the gateway itself, not by who was here before.
        set_call(CallContext(request_id=self._edge.request_id, traceparent=self._edge.traceparent))
        caller = await self._desk.admit(self._edge, token)
        if self._edge.caller is None:
            self._desk.places.move(self.holder, caller.subject)
        elif caller.subject != self._edge.caller.subject:
            msg = "This connection belongs to another user; open a new one."
            raise PermissionDenied(msg)
        self._edge.caller = caller
        self._credential = token if is_api_key(token) else ""
        self._say({"op": "authenticated", "expires_in": max(0, int(caller.expires_at - time.time()))})

    async def _open(self, name: str, after_seq: int | None) -> dict[str, Any] | None:
        try:
            if self._edge.caller is None:
                raise TokenMissing
            channel = messages.channel(name)
            demand_scope(self._edge.caller, channel)
            name = str(channel)
            known = self._subscriptions.get(name)
            if known is not None:
                return {"channel": name, "from_seq": known.next_seq}
            if len(self._subscriptions) >= MAXIMUM_CHANNELS:
                raise TooManyChannels(MAXIMUM_CHANNELS)
            self.act()
            await self._desk.charge(self._edge)
            subscription = await self._desk.subscription(self, channel)
            first = await subscription.open(after_seq)
        except QuantmeshError as error:
            self.refuse(error, name)
            return None
        self._subscriptions[name] = subscription
        return {"channel": name, "from_seq": first}

    async def _close(self, name: str) -> None:
        subscription = self._subscriptions.pop(name, None)
        if subscription is not None:
            await subscription.close()
            self._mailbox.drop_channel(name)

    async def _write(self) -> None:
        take = self._mailbox.take
        send = self._send
        while self._closing is None:
            frame = take()
            if frame is None:
                self.sending_since = 0.0
                self._waiting = waiting = asyncio.get_running_loop().create_future()
                try:
                    await waiting
                finally:
                    # Also where the client has left: what still comes for it must not wake what has ended.
                    self._waiting = None
                continue
            self.sending_since = time.monotonic()
            await send({"type": "websocket.send", "text": frame.text})
            if self._mailbox.has_room:
                self._room.set()
        code, error = self._closing
        self.sending_since = time.monotonic()
        self.refuse(error)
        while (frame := self._last_words()) is not None:
            await send({"type": "websocket.send", "text": frame.text})
        await send({"type": "websocket.close", "code": code, "reason": error.detail[:120]})

    def _last_words(self) -> Frame | None:
        """Of what still waits only what is said about the closing: a slow reader would wait for the rest again."""
        last = None
        while (frame := self._mailbox.take()) is not None:
            if frame.text.startswith('{"op":"error"'):
                last = frame
        return last

    def _say(self, content: dict[str, Any]) -> None:
        self._deliver(Frame(orjson.dumps(content).decode()))

    def _deliver(self, frame: Frame) -> None:
        if self._waiting is None or not self._write_now(frame.wire):
            self._mailbox.put(frame)

    @contextmanager
    def _answering(self) -> Iterator[None]:
        """Events that come before the answer follow it."""
        held = self._held = Mailbox(_nothing)
        try:
            yield
        finally:
            self._held = None
            while (frame := held.take()) is not None:
                self._deliver(frame)
            self._room.set()

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None and not waiting.done():
            waiting.set_result(None)


def _nothing() -> None:
    """Nobody waits for what is held back."""
