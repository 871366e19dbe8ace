"""How many streams each holder has (an account or, before it is known who speaks, an address), and what they cost."""

from collections import Counter
from collections.abc import Callable

from quantmesh.chassis.errors import QuantmeshError

# A tenth of the streams for which the charts start another replica.
STREAMS = 200
# Portfolios and jobs, of which each stream asks for itself, again and again.
FOLLOWED = 1_000


class Places:
    """`most` of one holder, in this process: none keeps the others out. `refusal` is made of that number."""

    def __init__(self, most: int, refusal: Callable[[int], QuantmeshError]) -> None:
        self._most = most
        self._refusal = refusal
        self._taken: Counter[str] = Counter()

    def take(self, holder: str) -> None:
        """Raises the refusal; who took one has to leave it."""
        if self._taken[holder] >= self._most:
            raise self._refusal(self._most)
        self._taken[holder] += 1

    def leave(self, holder: str) -> None:
        self._taken[holder] -= 1
        if not self._taken[holder]:
            del self._taken[holder]

    def move(self, before: str, now: str) -> None:
        """One that is open is somebody else's from now on. Raises the refusal, and leaves it where it is."""
        self.take(now)
        self.leave(before)
