"""A bulkhead: one slow part of the mesh may hold only so many of the edge's calls (GW-4)."""

from types import TracebackType

from quantmesh.gateway.core.errors import BulkheadFull


class Bulkhead:
    """Admits `limit` calls at once and refuses the next ones at once, so that none queues behind a slow part."""

    def __init__(self, name: str, limit: int) -> None:
        self.name = name
        self.limit = limit
        self.in_flight = 0

    def __enter__(self) -> None:
        if self.in_flight >= self.limit:
            raise BulkheadFull(self.name, self.limit)
        self.in_flight += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.in_flight -= 1
