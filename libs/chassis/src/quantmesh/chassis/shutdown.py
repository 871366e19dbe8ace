"""The end of a process: clients leave it first, and what hangs is named in the log and left behind."""

import asyncio
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from types import FrameType
from typing import Any

from quantmesh.chassis.telemetry.logs import get_logger

log = get_logger(__name__)

_SHOWN = 5
# What no call has come to for so long, its clients have left.
_QUIET_SECONDS = 0.2
_DRAIN_SHARE = 0.2


async def drain(calls_begun: Callable[[], int], shutdown_seconds: float) -> float:
    """Wait until no call begins any more, for a fifth of `shutdown_seconds` at most; the seconds that are left.

    Clients have been told that this process ends. One that sends as its connection is closed would lose its call.
    """
    began = time.monotonic()
    before = -1
    while before != calls_begun() and (left := began + _DRAIN_SHARE * shutdown_seconds - time.monotonic()) > 0:
        before = calls_begun()
        await asyncio.sleep(min(_QUIET_SECONDS, left))
    return max(0.0, began + shutdown_seconds - time.monotonic())


def end_process_within(seconds: float) -> None:
    """From here on this process has `seconds` to end by itself; called on its event loop.

    Also threads count, which the interpreter would wait for after the loop.
    """
    timer = threading.Timer(seconds, _abandon, (asyncio.get_running_loop(), seconds))
    timer.name = "shutdown"
    timer.daemon = True
    timer.start()


def _abandon(loop: asyncio.AbstractEventLoop, seconds: float) -> None:
    try:
        log.error("not ended in time", seconds=seconds, tasks=sorted(_tasks(loop)), threads=sorted(_threads()))
        sys.stdout.flush()
    finally:
        # Also where the others changed while they were looked at.
        os._exit(1)


def _tasks(loop: asyncio.AbstractEventLoop) -> Iterator[str]:
    for task in asyncio.all_tasks(loop):
        frames: list[FrameType] = []
        awaited: Any = task.get_coro()
        while (frame := getattr(awaited, "cr_frame", None)) is not None:
            frames.append(frame)
            awaited = awaited.cr_await
        yield f"{task.get_name()}: {_path(frames)}"


def _threads() -> Iterator[str]:
    innermost = sys._current_frames()  # noqa: SLF001  the documented way to see where threads are
    for thread in threading.enumerate():
        if not thread.daemon and thread.ident in innermost:
            frames = [frame for frame, _ in traceback.walk_stack(innermost[thread.ident])]
            yield f"{thread.name}: {_path(frames[:_SHOWN][::-1])}"


def _path(frames: Sequence[FrameType]) -> str:
    """`outer > inner (file:line)`."""
    if not frames:
        return "nowhere"
    names = " > ".join(frame.f_code.co_name for frame in frames)
    return f"{names} ({frames[-1].f_code.co_filename}:{frames[-1].f_lineno})"
