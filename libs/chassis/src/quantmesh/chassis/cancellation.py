"""Cancellations that a library swallowed: nats-py drops one that comes while it flushes, and a loop would go on."""

import asyncio
from typing import Any


def raise_if_cancelled() -> None:
    """For the turns of a loop that waits on such a library."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


async def end(*tasks: "asyncio.Future[Any]") -> None:
    """Cancel until all are done; their results and errors stay with them."""
    while running := [task for task in tasks if not task.done()]:
        for task in running:
            task.cancel()
        await asyncio.wait(running, timeout=1.0)
