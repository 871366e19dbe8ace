"""Cancellations that a library swallowed: nats-py drops one that comes while it flushes, and a loop would go on."""

import asyncio
from typing import Any


def is_cancelled() -> bool:
    """Whether the running task was asked to end, also where that was swallowed since."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def raise_if_cancelled() -> None:
    """For the turns of a loop that waits on such a library."""
    if is_cancelled():
        raise asyncio.CancelledError


async def end(*tasks: "asyncio.Future[Any]") -> None:
    """Cancel until all are done; their results and errors stay with them."""
    while running := [task for task in tasks if not task.done()]:
        for task in running:
            task.cancel()
        await asyncio.wait(running, timeout=1.0)
