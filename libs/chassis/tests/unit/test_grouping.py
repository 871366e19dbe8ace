"""Callers that come at the same time are served together, each with its own outcome."""

import asyncio
import random
from collections.abc import Sequence

import pytest

from quantmesh.chassis.grouping import Grouped


class Squares:
    """Waits for its turn before it answers; knows what came together."""

    def __init__(self, *, lanes: int = 1, most: int = 64, least: int = 1) -> None:
        self.groups: list[list[int]] = []
        self._may_go_on = asyncio.Semaphore(0)
        self.grouped: Grouped[int, int] = Grouped(self._work, lanes=lanes, most=most, least=least)

    async def _work(self, numbers: Sequence[int]) -> Sequence[int]:
        self.groups.append(list(numbers))
        await self._may_go_on.acquire()
        if 0 in numbers:
            msg = "of nothing"
            raise ValueError(msg)
        return [number * number for number in numbers]

    def let_go(self, groups: int = 100) -> None:
        for _ in range(groups):
            self._may_go_on.release()

    def ask(self, number: int, place: object = None) -> "asyncio.Task[int]":
        return asyncio.create_task(self.grouped.do(number, place or number))


async def turns() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_those_that_wait_are_the_next_group_and_each_gets_its_own_outcome() -> None:
    squares = Squares()
    asked = [squares.ask(number) for number in range(1, 6)]
    await turns()
    squares.let_go()
    assert await asyncio.gather(*asked) == [1, 4, 9, 16, 25]
    assert squares.groups == [[1], [2, 3, 4, 5]]
    assert squares.grouped.is_idle


async def test_a_few_wait_for_the_group_that_runs_and_many_do_not() -> None:
    squares = Squares(lanes=2, least=3)
    asked = [squares.ask(number) for number in range(1, 4)]
    await turns()
    assert squares.groups == [[1]]
    asked.append(squares.ask(4))
    await turns()
    assert squares.groups == [[1], [2, 3, 4]]
    squares.let_go()
    assert await asyncio.gather(*asked) == [1, 4, 9, 16]
    assert squares.grouped.is_idle


async def test_no_group_is_larger_than_allowed_and_no_more_run_than_there_are_lanes() -> None:
    squares = Squares(lanes=2, most=3)
    asked = [squares.ask(number) for number in range(1, 11)]
    await turns()
    assert len(squares.groups) == 2
    squares.let_go()
    await asyncio.gather(*asked)
    assert max(map(len, squares.groups)) == 3
    assert sorted(number for group in squares.groups for number in group) == list(range(1, 11))


async def test_lanes_share_the_work() -> None:
    squares = Squares(lanes=2)
    asked = [squares.ask(number) for number in range(1, 33)]
    await turns()
    squares.let_go()
    await asyncio.gather(*asked)
    assert [len(group) for group in squares.groups] == [1, 1, 15, 15]


async def test_two_of_one_place_are_never_served_at_the_same_time() -> None:
    squares = Squares(lanes=3)
    asked = [squares.ask(number, "same") for number in (1, 2, 3)]
    await turns()
    assert squares.groups == [[1]]
    squares.let_go()
    assert await asyncio.gather(*asked) == [1, 4, 9]
    assert squares.groups == [[1], [2], [3]]


async def test_what_the_work_raises_all_in_the_group_are_told_and_nobody_else() -> None:
    squares = Squares()
    asked = [squares.ask(number) for number in (1, 0, 2)]
    await turns()
    squares.let_go()
    first, *others = await asyncio.gather(*asked, return_exceptions=True)
    assert first == 1
    assert [type(other) for other in others] == [ValueError, ValueError]
    assert await squares.ask(3) == 9


async def test_a_leader_that_is_cancelled_leaves_its_group_to_be_served() -> None:
    squares = Squares()
    asked = [squares.ask(number) for number in (1, 2, 3)]
    await turns()
    squares.let_go(1)
    await asked[0]
    await turns()
    assert squares.groups[1] == [2, 3]
    asked[1].cancel()
    await turns()
    squares.let_go()
    assert await asked[2] == 9
    with pytest.raises(asyncio.CancelledError):
        await asked[1]
    assert await squares.ask(4) == 16


async def test_who_works_for_nobody_else_stops_when_it_is_cancelled() -> None:
    squares = Squares()
    asked = squares.ask(1)
    await turns()
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    assert squares.grouped.is_idle
    squares.let_go()
    assert await squares.ask(2) == 4


async def test_who_leaves_while_it_waits_is_not_served_and_holds_up_nobody() -> None:
    squares = Squares()
    asked = [squares.ask(number) for number in (1, 2, 3)]
    await turns()
    asked[1].cancel()
    await turns()
    squares.let_go()
    assert await asked[2] == 9
    assert squares.groups == [[1], [3]]


async def test_those_that_leave_in_one_turn_of_the_loop_hold_up_nobody() -> None:
    squares = Squares()
    asked = [squares.ask(number) for number in (1, 2, 3, 4)]
    await turns()
    for leaving in asked[:3]:
        leaving.cancel()
    squares.let_go()
    await asyncio.wait(asked, timeout=30.0)
    assert squares.groups == [[1], [4]]
    assert asked[3].result() == 16
    assert squares.grouped.is_idle


async def test_who_leaves_as_its_group_fails_is_cancelled_and_not_told_why() -> None:
    async def work(numbers: Sequence[int]) -> Sequence[int]:
        await asyncio.sleep(0)
        if len(numbers) > 1:
            # Then the one that follows was told of the failure, and has not heard it yet.
            asyncio.get_running_loop().call_soon(asked[2].cancel)
            raise ValueError(numbers)
        return numbers

    grouped: Grouped[int, int] = Grouped(work, lanes=1, most=64)
    asked = [asyncio.create_task(grouped.do(number, number)) for number in (1, 2, 3)]
    await asyncio.wait(asked, timeout=30.0)
    outcomes = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [int, ValueError, asyncio.CancelledError]


@pytest.mark.parametrize("seed", range(20))
async def test_whoever_leaves_whenever_the_others_are_served(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311  not for secrets
    under_way: set[int] = set()

    async def work(asked: Sequence[tuple[int, int]]) -> Sequence[int]:
        places = {place for _, place in asked}
        assert len(places) == len(asked)
        assert not places & under_way
        under_way.update(places)
        try:
            for _ in range(chance.randint(1, 3)):
                await asyncio.sleep(0)
            if chance.random() < 0.1:
                raise ValueError(asked)
        finally:
            under_way.difference_update(places)
        return [number for number, _ in asked]

    grouped: Grouped[tuple[int, int], int] = Grouped(work, lanes=2, most=64, least=8)

    async def ask(number: int) -> int:
        place = chance.randint(0, 3)
        return await grouped.do((number, place), place)

    callers: dict[asyncio.Task[int], int] = {}
    left: set[asyncio.Task[int]] = set()
    for _ in range(60):
        for _ in range(chance.randint(0, 4)):
            callers[asyncio.create_task(ask(len(callers)))] = len(callers)
        if chance.random() < 0.4:
            leaving = chance.sample(list(callers), chance.randint(0, len(callers)))
            left.update(caller for caller in leaving if caller.cancel())
        await asyncio.sleep(0)
    _, held_up = await asyncio.wait(callers, timeout=30.0)
    assert not held_up
    for caller, number in callers.items():
        if caller.cancelled():
            assert caller in left
        elif caller.exception() is None:
            assert caller.result() == number
        else:
            assert isinstance(caller.exception(), ValueError)
    assert grouped.is_idle
