"""Named points between the steps that must survive a crash, where a test may end the work as a crash would.

In production nobody watches, and reaching a point costs one look-up.
"""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import StrEnum

Watch = Callable[["Failpoint"], Awaitable[None]]
_watch: ContextVar[Watch | None] = ContextVar("quantmesh_failpoints", default=None)


class Failpoint(StrEnum):
    BEFORE_COMMIT = "before commit"
    AFTER_COMMIT = "after commit"
    AFTER_PUBLISH = "after publish"
    BEFORE_ACK = "before ack"
    AFTER_BURIAL = "after burial"


async def reached(point: Failpoint) -> None:
    watch = _watch.get()
    if watch is not None:
        await watch(point)


@contextmanager
def watched(watch: Watch) -> Iterator[None]:
    """`watch` is told of every point that this task, and those it starts, reach; what it raises, the point raises."""
    token = _watch.set(watch)
    try:
        yield
    finally:
        _watch.reset(token)
