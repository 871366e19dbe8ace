"""Nothing that is set is forgotten, however it is set."""

import asyncio

from quantmesh.chassis.wakening import Wakening


async def test_what_comes_after_a_quiet_moment_wakes_at_once() -> None:
    wakening = Wakening()
    wakening.set_soon()
    assert wakening.is_set()


async def test_what_follows_it_closely_waits() -> None:
    wakening = Wakening(apart_seconds=3600.0)
    wakening.set_soon()
    wakening.clear()
    wakening.set_soon()
    assert not wakening.is_set()


async def test_what_waited_wakes_once_for_all() -> None:
    wakening = Wakening()
    for _ in range(3):
        wakening.set_soon()
    wakening.clear()
    async with asyncio.timeout(30):
        await wakening.wait()
    wakening.clear()
    await asyncio.sleep(0.1)
    assert not wakening.is_set()


async def test_what_somebody_waits_for_wakes_at_once_also_in_between() -> None:
    wakening = Wakening(apart_seconds=3600.0)
    wakening.set_soon()
    wakening.clear()
    wakening.set_soon()
    wakening.set()
    assert wakening.is_set()


async def test_each_is_heard_however_many_there_are() -> None:
    wakening = Wakening()
    for _ in range(5):
        wakening.set_soon()
        async with asyncio.timeout(30):
            await wakening.wait()
        wakening.clear()
