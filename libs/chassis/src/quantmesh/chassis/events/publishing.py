"""Batches onto JetStream, without waiting between messages.

The client library's own `publish_async` costs several times as much a message: a task switch and a system call each.
"""

import asyncio
import json
import secrets
from collections.abc import Iterable
from contextlib import suppress
from itertools import count

from nats.aio.msg import Msg

from quantmesh.chassis.events.bus import EventBus, Subscription


class Acknowledgement:
    """`sequence` is the message's place in the stream; a duplicate has the place of the first."""

    __slots__ = ("is_duplicate", "sequence")

    def __init__(self, sequence: int, *, is_duplicate: bool) -> None:
        self.sequence = sequence
        self.is_duplicate = is_duplicate


class SentBatch:
    """What has been written to the connection, and what of it the broker has acknowledged."""

    def __init__(self) -> None:
        self._acknowledgements: list[Acknowledgement | None] = []
        self._waiting = 0
        self._is_sent = False
        self._settled = asyncio.Event()

    async def settled(self, seconds: float) -> list[Acknowledgement | None]:
        """In the order of the messages; None for what was refused, or not acknowledged in time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._settled.wait()
        return self._acknowledgements

    def expect(self) -> int:
        self._acknowledgements.append(None)
        self._waiting += 1
        return len(self._acknowledgements) - 1

    def close(self) -> None:
        """All is written; settled once the last answer is there."""
        self._is_sent = True
        self._settle()

    def answer(self, index: int, acknowledgement: Acknowledgement | None) -> None:
        self._acknowledgements[index] = acknowledgement
        self._waiting -= 1
        self._settle()

    def _settle(self) -> None:
        if self._is_sent and not self._waiting:
            self._settled.set()


class Publisher:
    """One inbox for all acknowledgements, kept over reconnections of the bus."""

    def __init__(self, bus: EventBus) -> None:
        self._bus = bus
        # Our own name, and not the connection's: there may be none yet.
        self._inbox = f"_INBOX.{secrets.token_hex(12)}"
        self._subscription: Subscription | None = None
        self._batches: dict[str, SentBatch] = {}
        self._numbers = count()

    async def open(self) -> None:
        self._subscription = await self._bus.subscribe_raw(f"{self._inbox}.*.*", self._receive)

    async def close(self) -> None:
        if self._subscription is not None:
            await self._subscription.close()

    async def send(self, messages: Iterable[tuple[str, bytes, dict[str, str]]]) -> SentBatch:
        """Each a subject, a payload and headers. Raises the client's errors where the connection fails meanwhile."""
        # One batch is on its way at a time; of one given up before, late answers are nobody's.
        self._batches.clear()
        number = str(next(self._numbers))
        batch = self._batches[number] = SentBatch()
        publish = self._bus.client.publish
        reply = f"{self._inbox}.{number}."
        for subject, payload, headers in messages:
            await publish(subject, payload, f"{reply}{batch.expect()}", headers)
        batch.close()
        return batch

    async def _receive(self, message: Msg) -> None:
        _, number, index = message.subject.rsplit(".", 2)
        batch = self._batches.get(number)
        if batch is None:
            return
        # Without a body nobody keeps this subject: the stream is gone.
        answer = json.loads(message.data) if message.data else {}
        sequence = answer.get("seq", 0)
        known = Acknowledgement(sequence, is_duplicate="duplicate" in answer) if sequence else None
        batch.answer(int(index), known)
