"""A preview of a release answers calls, and leaves what is done for the whole mesh to the release that runs."""

import asyncio

import pytest

from quantmesh.chassis.service import Service
from quantmesh.chassis.settings import ServiceSettings


@pytest.mark.parametrize("paused", [False, True])
async def test_a_preview_runs_its_own_tasks_and_no_common_work(paused: bool) -> None:
    service = Service("ledger", ServiceSettings(consumers_paused=paused))
    begun: set[str] = set()
    tasks_begun = asyncio.Event()

    async def task() -> None:
        begun.add("task")
        tasks_begun.set()

    async def work() -> None:
        begun.add("work")

    service.add_work("venue", work)
    service.add_task("kernels", task)
    running = asyncio.create_task(service.run())
    await asyncio.wait_for(tasks_begun.wait(), 30)
    service.stop()
    assert await asyncio.wait_for(running, 30)
    assert begun == ({"task"} if paused else {"task", "work"})
