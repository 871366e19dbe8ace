"""What one stretch of consuming was given and has not settled: parked, waiting for another try, or with its handler."""

import time
from dataclasses import dataclass

from quantmesh.chassis.events.arrival import Arrival
from quantmesh.chassis.events.parking import Aggregate


@dataclass(frozen=True, slots=True)
class _Place:
    aggregate: Aggregate
    version: int
    since: float


class Unsettled:
    """By its number in the stream."""

    def __init__(self) -> None:
        self._places: dict[int, _Place] = {}

    def note(self, arrival: Arrival) -> None:
        """That it is being dealt with; however often it comes, it counts from its first time."""
        place = _Place(arrival.aggregate, arrival.envelope.aggregate_version, time.monotonic())
        self._places.setdefault(_number(arrival), place)

    def settle(self, arrival: Arrival) -> None:
        self._places.pop(_number(arrival), None)

    def seconds(self, arrival: Arrival) -> float:
        """How long it has been known here."""
        return time.monotonic() - self._places[_number(arrival)].since

    def has_predecessor(self, arrival: Arrival, first_in_stream: int) -> bool:
        """Whether an earlier event of its aggregate is unsettled too, of those that the stream still has."""
        return any(
            number >= first_in_stream
            and place.aggregate == arrival.aggregate
            and place.version < arrival.envelope.aggregate_version
            for number, place in self._places.items()
        )


def _number(arrival: Arrival) -> int:
    return arrival.message.metadata.sequence.stream
