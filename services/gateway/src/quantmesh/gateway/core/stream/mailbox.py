"""What waits to be sent to one client: control and log frames in order, of each other channel the latest alone."""

from collections import deque
from collections.abc import Callable

from quantmesh.gateway.core.stream.frames import Frame


class Mailbox:
    """`wake` is called when something comes into an empty mailbox. Never grows beyond its bound."""

    __slots__ = ("_latest", "_maximum_ordered", "_ordered", "_wake")

    def __init__(self, wake: Callable[[], None], maximum_ordered: int = 1000) -> None:
        self._wake = wake
        self._maximum_ordered = maximum_ordered
        self._ordered: deque[Frame] = deque()
        self._latest: dict[str, Frame] = {}

    @property
    def has_room(self) -> bool:
        """Whether log frames may be added; answers always may: no more is heard of a client before there is room."""
        return len(self._ordered) < self._maximum_ordered

    def put(self, frame: Frame) -> None:
        was_empty = not self._ordered and not self._latest
        self._ordered.append(frame)
        if was_empty:
            self._wake()

    def put_latest(self, channel: str, frame: Frame) -> None:
        """Takes the place of an unsent frame of the same channel."""
        was_empty = not self._ordered and not self._latest
        self._latest[channel] = frame
        if was_empty:
            self._wake()

    def drop_channel(self, channel: str) -> None:
        self._latest.pop(channel, None)

    def take(self) -> Frame | None:
        """The next frame to send; ordered ones first."""
        if self._ordered:
            return self._ordered.popleft()
        if self._latest:
            channel = next(iter(self._latest))
            return self._latest.pop(channel)
        return None
