"""The time of a run, and what happens now and then."""

import random
from datetime import UTC, datetime, timedelta

_START = datetime(2022, 12, 20, 14, 30, tzinfo=UTC)


class VirtualClock:
    """Moves only between steps."""

    def __init__(self) -> None:
        self._now = _START

    def now(self) -> datetime:
        return self._now

    def reach(self, instant: datetime) -> None:
        self._now = max(self._now, instant)

    def after(self, draw: random.Random, seconds: float) -> datetime:
        """When something happens next that does every so many seconds on average, whatever happened before."""
        return self._now + timedelta(seconds=draw.expovariate(1 / seconds))


class Recurring:
    """What happens to the world every so many seconds, on average."""

    def __init__(self, clock: VirtualClock, draw: random.Random, seconds: float) -> None:
        self._clock, self._draw, self._seconds = clock, draw, seconds
        self._due = clock.after(draw, seconds)

    def comes(self) -> bool:
        """Whether it does now; it may have been a while, in which nobody asked."""
        if self._clock.now() < self._due:
            return False
        self._due = self._clock.after(self._draw, self._seconds)
        return True
