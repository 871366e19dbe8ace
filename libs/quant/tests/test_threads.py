"""Work shared among threads: all of it done, in order, and the first error told, whoever met it."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from quantmesh.quant import _threads
from quantmesh.quant._threads import results_in_order, run_in_chunks


@pytest.fixture(params=[1, 2, 5], autouse=True)
def threads(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    with ThreadPoolExecutor(request.param) as pool:
        monkeypatch.setattr(_threads, "_pool", lambda: pool)
        monkeypatch.setattr(_threads, "thread_count", lambda: request.param)
        yield request.param


@pytest.mark.parametrize("rows", [0, 1, 9, 10, 11, 103])
def test_every_row_is_worked_on_once(rows: int) -> None:
    seen: list[int] = []
    run_in_chunks(lambda start, stop: seen.extend(range(start, stop)), rows, 10)
    assert sorted(seen) == list(range(rows))


def test_results_come_in_order_whichever_is_ready_first(threads: int) -> None:
    first_may_end = threading.Event()

    def task(number: int) -> int:
        if number == 0 and threads > 1:
            first_may_end.wait(10)
        elif number == 20:
            first_may_end.set()
        return number

    assert list(results_in_order(task, 50)) == list(range(50))


def test_the_first_error_in_row_order_is_raised_though_a_later_one_came_first(threads: int) -> None:
    later_failed = threading.Event()

    def task(start: int, _stop: int) -> None:
        if start == 10 and threads > 1:
            later_failed.wait(10)
        if start == 20:
            later_failed.set()
        if start:
            raise ValueError(start)

    with pytest.raises(ValueError, match=r"^10$"):
        run_in_chunks(task, 1_000, 10)


def test_after_an_error_no_further_chunk_begins(threads: int) -> None:
    begun: list[int] = []

    def task(start: int, _stop: int) -> None:
        begun.append(start)
        raise ValueError

    with pytest.raises(ValueError, match=r"^$"):
        run_in_chunks(task, 100_000, 1)
    assert len(begun) <= threads


def test_results_that_nobody_waits_for_any_more_are_not_worked_out() -> None:
    begun: list[int] = []

    def task(number: int) -> int:
        begun.append(number)
        time.sleep(0.001)
        return number

    results = results_in_order(task, 1_000_000)
    assert next(results) == 0
    results.close()  # type: ignore[attr-defined]  # it is a generator
    worked = len(begun)
    assert worked < 1_000_000
    time.sleep(0.02)
    assert len(begun) == worked


def test_work_inside_of_work_ends() -> None:
    sums: list[int] = []

    def outer(start: int, _stop: int) -> None:
        run_in_chunks(lambda inner, _stop: sums.append(start * 100 + inner), 20, 1)

    run_in_chunks(outer, 20, 1)
    assert len(set(sums)) == 400
