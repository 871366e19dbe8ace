"""Orders by rank, the least first."""

from heapq import heapify, heappop, heappush
from typing import Any
from uuid import UUID

# Compared element by element: a price or an instant, when the order was queued, its id, which no two share.
Rank = tuple[Any, ...]
# Dead entries are cleared away once they are more than the live ones and this many.
_TOLERATED_DEAD = 64


class OrderQueue:
    """A heap; an order that was removed or moved leaves a dead entry behind until that comes to the top."""

    __slots__ = ("_heap", "_ranks")

    def __init__(self) -> None:
        self._heap: list[Rank] = []
        self._ranks: dict[UUID, Rank] = {}

    def put(self, rank: Rank) -> None:
        """The last element of `rank` is the order's id; one that is queued already moves."""
        order_id: UUID = rank[-1]
        if self._ranks.get(order_id) == rank:
            return
        self._ranks[order_id] = rank
        heappush(self._heap, rank)
        if len(self._heap) > 2 * len(self._ranks) + _TOLERATED_DEAD:
            self._heap = list(self._ranks.values())
            heapify(self._heap)

    def remove(self, order_id: UUID) -> None:
        self._ranks.pop(order_id, None)

    def first(self) -> Rank | None:
        heap, ranks = self._heap, self._ranks
        while heap:
            rank = heap[0]
            if ranks.get(rank[-1]) is rank:
                return rank
            heappop(heap)
        return None
