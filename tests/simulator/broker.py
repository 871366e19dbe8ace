"""A JetStream in memory behind the chassis' bus: it doubles, delays, reorders, and loses.

It speaks what the relay and the consumers say to the real one; what it gets wrong, it gets wrong by the seed.
"""

import json
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import count
from types import SimpleNamespace
from typing import Any, cast

from nats.aio.msg import Msg
from nats.js.api import StreamConfig, StreamInfo, StreamState
from nats.js.client import JetStreamContext
from nats.js.errors import NotFoundError

from quantmesh.chassis.events import EventBus
from quantmesh.chassis.events.streams import ensure_stream

_IS_DUPLICATED = 0.15
_IS_REORDERED = 0.3
_ACKNOWLEDGEMENT_IS_LOST = 0.15


@dataclass(frozen=True, slots=True)
class Stored:
    sequence: int
    subject: str
    data: bytes
    headers: dict[str, str]


@dataclass
class Stream:
    config: StreamConfig
    messages: list[Stored] = field(default_factory=list)
    # Of those published within the duplicate window.
    ids: dict[str, int] = field(default_factory=dict)
    last_sequence: int = 0

    def store(self, subject: str, data: bytes, headers: dict[str, str]) -> tuple[int, bool]:
        """Its place in the stream, and whether it was known already."""
        known = self.ids.get(headers.get("Nats-Msg-Id", ""))
        if known is not None:
            return known, True
        self.last_sequence += 1
        self.messages.append(Stored(self.last_sequence, subject, data, headers))
        if "Nats-Msg-Id" in headers:
            self.ids[headers["Nats-Msg-Id"]] = self.last_sequence
        return self.last_sequence, False

    def lose_tail(self, size: int) -> None:
        """Restored to what it was before the last messages."""
        self.last_sequence -= min(size, len(self.messages))
        del self.messages[max(len(self.messages) - size, 0) :]
        self.ids = {name: sequence for name, sequence in self.ids.items() if sequence <= self.last_sequence}


@dataclass
class Broker:
    """`is_faulty` is switched off for the end of a run, when all that is left has to arrive."""

    draws: Callable[[str], random.Random]
    is_faulty: bool = True
    streams: dict[str, Stream] = field(default_factory=dict)
    durables: dict[str, "Durable"] = field(default_factory=dict)
    restarts: int = 1

    def stream_of(self, subject: str) -> Stream | None:
        prefix = ".".join(subject.split(".")[:2])
        return next(
            (stream for stream in self.streams.values() if f"{prefix}.>" in (stream.config.subjects or ())), None
        )

    def durable(self, name: str, stream: str, subject: str) -> "Durable":
        return self.durables.setdefault(name, Durable(self, stream, subject, self.draws(name)))

    def go_back(self, size: int) -> None:
        """Killed, and restored to an older state, its consumers' places with it."""
        self.restarts += 1
        for stream in self.streams.values():
            stream.lose_tail(size)
        for durable in self.durables.values():
            durable.go_back()

    def forget_ids(self) -> None:
        """Ten minutes have passed: the next repetition is not recognised any more."""
        for stream in self.streams.values():
            stream.ids.clear()

    def errs(self, draw: random.Random, probability: float) -> bool:
        return self.is_faulty and draw.random() < probability


@dataclass
class Durable:
    """A consumer's place in a stream: what was delivered and not acknowledged comes again."""

    broker: Broker
    stream: str
    subject: str
    random: random.Random
    taken: int = 0
    unacknowledged: dict[int, int] = field(default_factory=dict)

    def next_batch(self, size: int) -> list["Delivery"]:
        """What was not acknowledged, and what is new, in any order while the broker is faulty."""
        messages = {message.sequence: message for message in self._messages()}
        again = [sequence for sequence in self.unacknowledged if sequence in messages]
        if self.broker.is_faulty:
            again = [sequence for sequence in again if self.random.random() < 0.5]
        fresh = [sequence for sequence in messages if sequence > self.taken][:size]
        if fresh:
            self.taken = fresh[-1]
        batch = sorted(again) + fresh
        batch += [sequence for sequence in fresh if self.broker.errs(self.random, _IS_DUPLICATED)]
        if self.broker.errs(self.random, _IS_REORDERED):
            self.random.shuffle(batch)
        for sequence in batch:
            self.unacknowledged[sequence] = self.unacknowledged.get(sequence, 0) + 1
        return [Delivery(self, messages[sequence], self.unacknowledged[sequence]) for sequence in batch]

    def has_more(self) -> bool:
        messages = self._messages()
        return bool(messages) and (messages[-1].sequence > self.taken or bool(self.unacknowledged))

    def go_back(self) -> None:
        last = self.broker.streams[self.stream].last_sequence if self.stream in self.broker.streams else 0
        self.taken = min(self.taken, last)
        self.unacknowledged = {sequence: times for sequence, times in self.unacknowledged.items() if sequence <= last}

    def _messages(self) -> list[Stored]:
        stream = self.broker.streams.get(self.stream)
        prefix = self.subject.removesuffix("*")
        return [message for message in stream.messages if message.subject.startswith(prefix)] if stream else []


class Delivery:
    """What of a nats.py message a consumer uses."""

    def __init__(self, durable: Durable, message: Stored, delivered: int) -> None:
        self._durable = durable
        self.subject = message.subject
        self.data = message.data
        self.headers = message.headers
        self.metadata = SimpleNamespace(
            num_delivered=delivered, num_pending=0, sequence=SimpleNamespace(stream=message.sequence)
        )

    async def ack(self) -> None:
        if not self._durable.broker.errs(self._durable.random, _ACKNOWLEDGEMENT_IS_LOST):
            self._durable.unacknowledged.pop(self.metadata.sequence.stream, None)

    async def nak(self, delay: float | None = None) -> None:
        """Stays unacknowledged, so it comes again."""

    async def in_progress(self) -> None:
        """Nobody here is in a hurry."""

    async def term(self) -> None:
        self._durable.unacknowledged.pop(self.metadata.sequence.stream, None)


class _JetStream:
    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    async def stream_info(self, name: str) -> StreamInfo:
        stream = self._broker.streams.get(name)
        if stream is None:
            raise NotFoundError
        first = stream.messages[0].sequence if stream.messages else stream.last_sequence + 1
        state = StreamState(
            messages=len(stream.messages), bytes=0, first_seq=first, last_seq=stream.last_sequence, consumer_count=0
        )
        return StreamInfo(config=stream.config, state=state)

    async def add_stream(self, config: StreamConfig) -> StreamInfo:
        self._broker.streams[config.name or ""] = Stream(config)
        return await self.stream_info(config.name or "")

    async def publish(self, subject: str, payload: bytes, *, headers: dict[str, str], timeout: float) -> None:  # noqa: ASYNC109  as nats.py has it
        stream = self._broker.stream_of(subject)
        if stream is None:
            raise NotFoundError
        stream.store(subject, payload, headers)


class _Client:
    """Publishing with an answer on an inbox."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._random = broker.draws("client")
        self._inboxes = count()
        self.subscriptions: dict[str, Callable[[Msg], Awaitable[None]]] = {}

    def new_inbox(self) -> str:
        return f"_INBOX.{next(self._inboxes)}"

    async def publish(self, subject: str, payload: bytes, reply: str, headers: dict[str, str]) -> None:
        stream = self._broker.stream_of(subject)
        answer: dict[str, Any] = {}
        if stream is not None:
            sequence, is_duplicate = stream.store(subject, payload, headers)
            if not self._broker.errs(self._random, _ACKNOWLEDGEMENT_IS_LOST):
                answer = {"stream": stream.config.name, "seq": sequence} | ({"duplicate": True} if is_duplicate else {})
        message = Msg(_client=cast("Any", self), subject=reply, data=json.dumps(answer).encode())
        for pattern, callback in self.subscriptions.items():
            if reply.startswith(pattern.partition("*")[0]):
                await callback(message)


class _Bus:
    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self.jetstream = _JetStream(broker)
        self.client = _Client(broker)
        self.is_connected = True

    @property
    def epoch(self) -> int:
        return self._broker.restarts

    async def ensure_stream(self, publisher: str) -> StreamInfo:
        return await ensure_stream(cast("JetStreamContext", self.jetstream), publisher)

    async def subscribe_raw(self, subject: str, callback: Callable[[Msg], Awaitable[None]]) -> SimpleNamespace:
        self.client.subscriptions[subject] = callback

        async def close() -> None:
            self.client.subscriptions.pop(subject, None)

        return SimpleNamespace(close=close)


def bus_of(broker: Broker) -> EventBus:
    """What of a bus the relay and the consumers use."""
    return cast("EventBus", _Bus(broker))
