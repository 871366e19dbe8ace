"""A client's place in an account's gapless log (NEW-7): live events while they follow on, the log itself elsewhere."""

from enum import Enum


class Arrival(Enum):
    NEXT = "next"
    KNOWN = "known"
    # Something is missing before it: read the log from `seq`.
    AHEAD = "ahead"


class LogPlace:
    """`seq` is the number of the last event delivered."""

    __slots__ = ("_seen", "catching_up", "seq")

    def __init__(self, seq: int) -> None:
        self.seq = seq
        self.catching_up = False
        self._seen = seq

    def arrived(self, seq: int, *, room: bool) -> Arrival:
        """What to do with a live event; without room for it the log keeps it until there is."""
        self._seen = max(self._seen, seq)
        if seq <= self.seq:
            return Arrival.KNOWN
        return Arrival.NEXT if self.arrived_early(seq, room=room) else Arrival.AHEAD

    def arrived_early(self, seq: int, *, room: bool) -> bool:
        """Whether a copy ahead of its event is to be delivered; one that does not follow on is left to the event."""
        follows = seq == self.seq + 1 and room and not self.catching_up
        if follows:
            self.seq = seq
        return follows

    def read(self, seq: int) -> bool:
        """Whether an event of the log is to be delivered. Raises where the log itself has a hole."""
        if seq <= self.seq:
            return False
        if seq != self.seq + 1:
            msg = f"the log jumps from {self.seq} to {seq}"
            raise ValueError(msg)
        self.seq = seq
        return True

    def is_level(self, last_seq: int) -> bool:
        """Whether nothing is known to be missing, once the log was read up to `last_seq`."""
        return self.seq >= max(last_seq, self._seen)
