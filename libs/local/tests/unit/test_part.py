"""A part is started again whatever kept it from starting."""

import asyncio
from errno import ENOSPC
from pathlib import Path

from quantmesh.local.child import ChildProcess
from quantmesh.local.part import Part, PartKind, PartPlan, PartState


async def test_a_part_that_the_disk_kept_from_starting_is_tried_again(tmp_path: Path) -> None:
    log = tmp_path / "part.log"
    attempts = 0

    def prepare() -> None:
        nonlocal attempts
        attempts += 1
        if attempts == 1:
            raise OSError(ENOSPC, "No space left on device")

    plan = PartPlan(
        name="part",
        kind=PartKind.SERVER,
        address="",
        log=log,
        new_child=lambda: ChildProcess("part", ["sleep", "60"], log),
        prepare=prepare,
        is_ready=lambda: True,
    )
    problems: list[str | None] = []
    ready = asyncio.Event()

    def changed() -> None:
        problems.append(part.problem)
        if part.state is PartState.READY:
            ready.set()

    part = Part(plan, changed)
    alive = asyncio.create_task(part.keep_alive())
    try:
        async with asyncio.timeout(30):
            await ready.wait()
    finally:
        alive.cancel()
        await part.stop(1)
    assert "No space left" in str(problems[0])
    assert part.restarts == 1
