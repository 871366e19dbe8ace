"""Events that came ahead of their predecessor. They wait in memory: were this process to die, the broker has them."""

import time

from nats.aio.msg import Msg

_CAPACITY = 512

Aggregate = tuple[str, str]


class Parking:
    """By aggregate (subject and id), and by the version that each waits for."""

    def __init__(self) -> None:
        self._places: dict[tuple[Aggregate, int], tuple[Msg, float]] = {}

    def put(self, aggregate: Aggregate, waits_for: int, message: Msg) -> bool:
        """False where there is no room left."""
        place = (aggregate, waits_for)
        if place not in self._places and len(self._places) >= _CAPACITY:
            return False
        since = self._places.get(place, (message, time.monotonic()))[1]
        self._places[place] = (message, since)
        return True

    def take(self, aggregate: Aggregate, version: int) -> Msg | None:
        """The event that waited for this version, if there is one."""
        message, _ = self._places.pop((aggregate, version), (None, 0.0))
        return message

    def take_overdue(self, seconds: float) -> list[Msg]:
        """Those that have waited longer, whose predecessor must then be looked for elsewhere."""
        latest = time.monotonic() - seconds
        overdue = [place for place, (_, since) in self._places.items() if since < latest]
        return [self._places.pop(place)[0] for place in overdue]

    def messages(self) -> list[Msg]:
        return [message for message, _ in self._places.values()]
