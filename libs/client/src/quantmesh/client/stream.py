"""The WebSocket: live quotes, an account's log, jobs, forecasts."""

import json
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Any

import httpx
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI
from websockets.sync.client import ClientConnection, connect

from quantmesh.client.errors import Overloaded, StreamClosed, Unreachable, Unsendable, problem_from, problem_of
from quantmesh.client.transport import Transport

RECONNECT_SECONDS = 15.0
# The transport renews a token that has less than 15 s left.
_RENEW_BEFORE_SECONDS = 10.0
_LEAST_RENEWAL_SECONDS = 1.0
# How long after its last words a server that ends a stream may take to close it.
_PARTING_SECONDS = 1.0


@dataclass(frozen=True)
class Event:
    """`seq` counts up by one in its channel."""

    channel: str
    seq: int
    time: datetime
    type: str
    data: dict[str, Any]


class Stream:
    """Subscribe, then iterate. A connection that breaks is opened again, and each channel goes on after the last event
    that was handed out: nothing of an account's log is missed or seen twice. The login is renewed before it expires."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._url = transport.address.replace("http", "ws", 1) + "/api/v2/stream"
        self._connection: ClientConnection | None = None
        self._held = ExitStack()
        self._last: dict[str, int] = {}
        self._early: list[Event] = []
        self._renew_at = float("inf")

    def __enter__(self) -> "Stream":
        self._open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._held.close()

    def subscribe(self, channels: Iterable[str]) -> None:
        """Raises Problem where one is refused. Returns once all are open, so that nothing after this is missed."""
        wanted = [*channels]
        self._ask({"op": "subscribe", "channels": wanted}, set(wanted))

    def resume(self, channel: str, after_seq: int) -> None:
        """As `subscribe`, from behind `after_seq` on: with a snapshot's `seq`, nothing is missed or counted twice."""
        self._last[channel] = after_seq
        self._ask({"op": "resume", "channel": channel, "after_seq": after_seq}, {channel})

    def events(self, *, timeout_seconds: float) -> Iterator[Event]:
        """Until that long has passed, counted from now."""
        deadline = time.monotonic() + timeout_seconds
        while self._early:
            yield self._handed_out(self._early.pop(0))
        while (now := time.monotonic()) < deadline:
            try:
                if now >= self._renew_at:
                    self._renew()
                message = self._receive(timeout_seconds=min(deadline, self._renew_at) - time.monotonic())
            except ConnectionClosed:
                self._resume()
                continue
            if message is not None and "seq" in message:
                yield self._handed_out(_event(message))

    def _ask(self, request: dict[str, Any], pending: set[str]) -> None:
        try:
            self._send(request)
            self._await(pending)
        except ConnectionClosed as error:
            raise StreamClosed(f"The server closed the stream before it confirmed {_listed(pending)}.") from error

    def _await(self, pending: set[str]) -> None:
        while pending:
            message = self._receive(timeout_seconds=10.0)
            if message is None:
                raise StreamClosed(f"The server did not confirm {_listed(pending)}.")
            if message.get("op") in {"subscribed", "resumed"}:
                opened = _opened(message)
                for channel, from_seq in opened.items():
                    self._last.setdefault(channel, from_seq - 1)
                pending -= opened.keys()
            elif "seq" in message:
                self._early.append(_event(message))

    def _handed_out(self, event: Event) -> Event:
        self._last[event.channel] = event.seq
        return event

    def _open(self) -> None:
        self._held.close()
        try:
            self._connection = self._held.enter_context(connect(self._url, max_size=2**24))
        except (ValueError, InvalidURI) as error:
            raise Unsendable(str(error)) from error
        except InvalidStatus as error:
            answer = error.response
            headers = [*answer.headers.raw_items()]
            raise problem_of(httpx.Response(answer.status_code, headers=headers, content=bytes(answer.body))) from error
        except (OSError, InvalidHandshake) as error:
            raise Unreachable(self._url, str(error)) from error
        self._authenticate()

    def _authenticate(self) -> None:
        self._renew_at = float("inf")
        self._send({"op": "auth", "token": self._transport.credential()})

    def _renew(self) -> None:
        """With a fresh token. While none is to be had the one before may still be good."""
        try:
            self._authenticate()
        except (Overloaded, Unreachable):
            self._renew_at = time.monotonic() + _LEAST_RENEWAL_SECONDS

    def _resume(self) -> None:
        deadline = time.monotonic() + RECONNECT_SECONDS
        while True:
            try:
                self._open()
                for channel, last in self._last.items():
                    self._send({"op": "resume", "channel": channel, "after_seq": last})
                return
            except (Overloaded, Unreachable, ConnectionClosed) as error:
                if time.monotonic() > deadline:
                    raise StreamClosed(f"{self._url} did not come back within {RECONNECT_SECONDS:.0f} s.") from error
                time.sleep(0.5)

    def _send(self, message: dict[str, Any]) -> None:
        if self._connection is None:
            raise StreamClosed("The stream is not open: use it in a with statement.")
        self._connection.send(json.dumps(message))

    def _receive(self, *, timeout_seconds: float) -> dict[str, Any] | None:
        """One message; None after the timeout. Raises Problem where the server refuses something, ConnectionClosed
        where it ends the stream."""
        if self._connection is None:
            raise StreamClosed("The stream is not open: use it in a with statement.")
        try:
            message: dict[str, Any] = json.loads(self._connection.recv(timeout=max(0.0, timeout_seconds)))
        except TimeoutError:
            return None
        if message.get("op") == "authenticated" and not self._transport.has_api_key:
            remaining = max(message["expires_in"] - _RENEW_BEFORE_SECONDS, _LEAST_RENEWAL_SECONDS)
            self._renew_at = time.monotonic() + remaining
        if message.get("op") == "error":
            if "channel" not in message:
                with suppress(TimeoutError):
                    following = json.loads(self._connection.recv(timeout=_PARTING_SECONDS))
                    self._early += [_event(following)] if "seq" in following else []
            problem = message.get("problem", {})
            raise problem_from(int(problem.get("status", 400)), problem)
        return message


def _event(message: dict[str, Any]) -> Event:
    return Event(
        channel=message["channel"],
        seq=message["seq"],
        time=datetime.fromisoformat(message["time"]),
        type=message["type"],
        data=message["data"],
    )


def _opened(message: dict[str, Any]) -> dict[str, int]:
    """The channels that a confirmation speaks of, each with the first `seq` that will come."""
    return {each["channel"]: each["from_seq"] for each in message.get("channels", [message])}


def _listed(channels: set[str]) -> str:
    return ", ".join(sorted(channels))
