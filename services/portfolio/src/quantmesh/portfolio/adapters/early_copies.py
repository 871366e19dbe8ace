"""What was just committed, told to the edges at once: a copy ahead of the event, which comes through the outbox."""

from collections.abc import Awaitable, Callable, Iterable

from google.protobuf.message import Message

from quantmesh.api.common.v1.common_pb2 import EventEnvelope

SUBJECT = "early.portfolio"


class EarlyCopies:
    """On core NATS, at most once. An edge shows one where it is the next of its account, and drops any other."""

    def __init__(self, publish: Callable[[str, bytes], Awaitable[object]]) -> None:
        self._publish = publish

    async def send(self, told: Iterable[Message]) -> None:
        """Once their transaction is committed."""
        for message in told:
            copy = EventEnvelope(type=message.DESCRIPTOR.full_name, payload=message.SerializeToString())
            await self._publish(SUBJECT, copy.SerializeToString())
