"""One thread pool for all kernels: they release the interpreter's lock, so that chunks of rows run side by side."""

import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
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

    def run(chunk: int) -> None:
        task(chunk * chunk_rows, min((chunk + 1) * chunk_rows, rows))

    deque(results_in_order(run, -(-rows // chunk_rows)), maxlen=0)


def results_in_order(task: Callable[[int], _T], count: int) -> Iterator[_T]:
    """`task(0)`, `task(1)`, ... up to `count`, each as soon as those before it are done; the first error is raised.

    The caller works too: one that only waited would be woken, on a core that is busy, for each result.
    """
    # Each goes to whoever is free: taking the next number of a range is atomic.
    numbers = iter(range(count))
    finished: dict[int, _T] = {}
    failed: dict[int, BaseException] = {}

    def work() -> Iterator[None]:
        for number in numbers:
            try:
                finished[number] = task(number)
            except BaseException as error:
                failed[number] = error
                _skip(numbers)
                raise
            yield

    helpers = [_pool().submit(_skip, work()) for _ in range(min(thread_count(), count) - 1)]
    given = 0
    try:
        with suppress(Exception):
            for _ in work():
                while given in finished:
                    yield finished.pop(given)
                    given += 1
    finally:
        _skip(numbers)
        for helper in helpers:
            if not helper.cancel():
                helper.exception()
    while given in finished:
        yield finished.pop(given)
        given += 1
    if failed:
        raise failed[min(failed)]


def _skip(rest: Iterator[object]) -> None:
    deque(rest, maxlen=0)
