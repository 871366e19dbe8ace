"""Whether a service is ready, by checks that take their time."""

import asyncio

from quantmesh.chassis.cancellation import end
from quantmesh.chassis.readiness import Readiness


class SilentServer:
    """A check of it goes on for a while after it was told to give up, as a driver's does that waits for an answer."""

    def __init__(self) -> None:
        self.answers = asyncio.Event()
        self.asked = 0

    async def check(self) -> None:
        self.asked += 1
        try:
            await self.answers.wait()
        except asyncio.CancelledError:
            await self.answers.wait()
            raise


async def test_a_check_has_failed_once_its_time_is_over_though_it_goes_on() -> None:
    server, readiness = SilentServer(), Readiness(check_seconds=0.05)
    readiness.checks["postgres"] = server.check
    readiness.waiting_for = []
    async with asyncio.timeout(30):
        await readiness.look()
        assert readiness.waiting_for == ["postgres"]
        await readiness.look()
    assert readiness.waiting_for == ["postgres"]
    assert server.asked == 1, "one that goes on is not asked beside itself"
    server.answers.set()
    async with asyncio.timeout(30):
        while readiness.waiting_for:
            await asyncio.sleep(0)
            await readiness.look()


async def test_a_watch_that_ends_leaves_no_check_behind() -> None:
    server, readiness = SilentServer(), Readiness(check_seconds=0.05)
    readiness.checks["postgres"] = server.check
    watching = asyncio.create_task(readiness.watch())
    await asyncio.sleep(0.1)
    ending = asyncio.create_task(end(watching))
    await asyncio.sleep(0.01)
    server.answers.set()
    await ending
    assert asyncio.all_tasks() == {asyncio.current_task()}
