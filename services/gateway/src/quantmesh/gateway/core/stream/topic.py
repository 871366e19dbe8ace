"""Channels of which the latest matters (quotes, predictions): numbered here, worded once for all subscribers."""

from typing import Protocol

from quantmesh.gateway.core.stream.frames import Frame, event_frame


class Reader(Protocol):
    """Someone who reads topics."""

    def put_latest(self, channel: str, frame: Frame) -> None: ...


class Topic:
    """One such channel. A reader who is slow misses intermediate numbers, never the last one.

    `numbered_from` is another one in every replica: who resumes with a number of another one's must not be told by
    chance that nothing is new.
    """

    __slots__ = ("channel", "latest", "readers", "seq")

    def __init__(self, channel: str, numbered_from: int = 0) -> None:
        self.channel = channel
        self.seq = numbered_from
        self.latest: Frame | None = None
        self.readers: set[Reader] = set()

    def publish(self, time: str, kind: str, data: str) -> None:
        """`data` is JSON text."""
        self.seq += 1
        channel = self.channel
        frame = event_frame(channel, self.seq, time, kind, data)
        self.latest = frame
        for reader in self.readers:
            reader.put_latest(channel, frame)

    def join(self, reader: Reader, after_seq: int | None = None) -> int:
        """From now on `reader` gets the events, and at once the latest it does not have; answers its number."""
        self.readers.add(reader)
        if self.latest is not None and after_seq != self.seq:
            reader.put_latest(self.channel, self.latest)
            return self.seq
        return self.seq + 1

    def leave(self, reader: Reader) -> None:
        self.readers.discard(reader)
