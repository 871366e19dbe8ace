"""How many requests of one part of the API are under way, so that what is accepted stays fast however much is asked."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

BURST, STANDING = 128, 8
# The crowd has gone once so many were begun in a row, or nobody was refused for so long. Not sooner by the clock: what
# came while the process had to wait for a processor comes at once.
# A part may do more with many at once than with a few: where no more were refused than begun for so long, it is tried.
CALM_IN_A_ROW, CALM_SECONDS = 32, 1.0


@dataclass(frozen=True, slots=True)
class Crowd:
    """`burst` requests may be under way at once; while that is too little, no more than `standing`.

    A burst is worked off, and so may queue. A queue that stands makes nothing faster and everyone late: then as few are
    under way as keep the part busy, and each takes hardly longer than on a calm day.
    """

    burst: int = BURST
    standing: int = STANDING


class Shedding:
    """Of one part, whose `name` the refused are told."""

    def __init__(self, name: str, crowd: Crowd, now: Callable[[], float]) -> None:
        self.name = name
        self.in_flight = 0
        self._crowd = crowd
        self._now = now
        self._is_crowded = False
        self._refused_at = 0.0
        self._begun_in_a_row = 0
        self._count_from(0.0)

    def enter(self) -> bool:
        """Whether one more may; who did has to leave."""
        if self.in_flight >= self._crowd.standing:
            now = self._now()
            if self._is_crowded:
                self._is_crowded = not self._has_gone(now)
            if self._is_crowded or self.in_flight >= self._crowd.burst:
                self._refuse(now)
                return False
        self._begun_in_a_row += 1
        self._begun += 1
        self.in_flight += 1
        return True

    def _refuse(self, now: float) -> None:
        if not self._is_crowded:
            self._is_crowded = True
            self._count_from(now)
        self._begun_in_a_row = 0
        self._refused_at = now
        self._refused += 1

    def _has_gone(self, now: float) -> bool:
        if self._begun_in_a_row >= CALM_IN_A_ROW or now - self._refused_at >= CALM_SECONDS:
            return True
        if now - self._counted_from < CALM_SECONDS:
            return False
        is_small = self._refused <= self._begun
        self._count_from(now)
        return is_small

    def _count_from(self, now: float) -> None:
        self._counted_from = now
        self._begun = self._refused = 0

    def leave(self) -> None:
        self.in_flight -= 1

    @contextmanager
    def left(self) -> Iterator[None]:
        """For as long as somebody outside is waited for; who was begun comes back however many there are by then."""
        self.leave()
        try:
            yield
        finally:
            self.in_flight += 1
