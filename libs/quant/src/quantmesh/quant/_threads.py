"""One thread pool for all kernels: they release the interpreter's lock, so that chunks of rows run side by side."""

import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from typing import TypeVar

_T = TypeVar("_T")

CHUNK_ROWS = 65_536


def thread_count() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(thread_count(), thread_name_prefix="quantmesh-quant")


# A forked child has none of its parent's threads.
os.register_at_fork(after_in_child=_pool.cache_clear)


def run_in_chunks(task: Callable[[int, int], None], rows: int, chunk_rows: int = CHUNK_ROWS) -> None:
    """Call `task(start, stop)` until all rows are done; the first error in row order is raised."""
    if rows <= chunk_rows:
        task(0, rows)
        return
    starts = range(0, rows, chunk_rows)
    futures = [_pool().submit(task, start, min(start + chunk_rows, rows)) for start in starts]
    try:
        for future in futures:
            future.result()
    finally:
        for future in futures:
            future.cancel()


def results_in_order(task: Callable[[int], _T], count: int) -> Iterator[_T]:
    """`task(0)`, `task(1)`, ... up to `count`, a few of them ahead of the one that is waited for."""
    if count == 1:
        yield task(0)
        return
    ahead = 4 * thread_count()
    futures: deque[Future[_T]] = deque(_pool().submit(task, index) for index in range(min(ahead, count)))
    try:
        for index in range(count):
            yield futures.popleft().result()
            if index + ahead < count:
                futures.append(_pool().submit(task, index + ahead))
    finally:
        for future in futures:
            future.cancel()
