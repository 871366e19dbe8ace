"""One part of the mesh, kept alive."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from quantmesh.local.child import ChildProcess
from quantmesh.local.errors import LocalError

RESTART_DELAYS = (0.0, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
STEADY_SECONDS = 30.0
_PROBE_SECONDS = 0.05


class PartKind(StrEnum):
    SERVER = "server"
    SERVICE = "service"
    # Watches the others; nobody needs it.
    OBSERVER = "observer"


class PartState(StrEnum):
    WAITING = "waiting"
    STARTING = "starting"
    READY = "ready"
    RESTARTING = "restarting"
    STOPPED = "stopped"


@dataclass(frozen=True)
class PartPlan:
    """How to start a part and how to know that it answers. `prepare` and `is_ready` may block for a second."""

    name: str
    kind: PartKind
    address: str
    log: Path
    new_child: Callable[[], ChildProcess]
    prepare: Callable[[], None]
    is_ready: Callable[[], bool]


class Part:
    """Starts its process again whenever it ends, at once the first time and then with growing delays."""

    def __init__(self, plan: PartPlan, changed: Callable[[], None]) -> None:
        self.plan = plan
        self.state = PartState.WAITING
        self.restarts = 0
        self.pid: int | None = None
        self.problem: str | None = None
        self._changed = changed
        self._child: ChildProcess | None = None

    async def keep_alive(self) -> None:
        failures = 0
        while True:
            await asyncio.sleep(RESTART_DELAYS[min(failures, len(RESTART_DELAYS) - 1)])
            started = time.monotonic()
            await self._run_once()
            failures = 0 if time.monotonic() - started > STEADY_SECONDS else failures + 1
            self.restarts += 1
            self._become(PartState.RESTARTING)

    async def stop(self, patience_seconds: float) -> None:
        """After `keep_alive` was cancelled."""
        child = self._child
        if child is not None:
            child.ask_to_stop()
            with suppress(TimeoutError):
                async with asyncio.timeout(patience_seconds):
                    await child.ended()
            child.kill()
        self._become(PartState.STOPPED)

    async def _run_once(self) -> None:
        """Start, say when it is ready, and return once it has ended."""
        try:
            await asyncio.to_thread(self.plan.prepare)
            child = self.plan.new_child()
            # Started by the main thread: the kernel ties the child's life to the thread that made it.
            child.start()
        except (LocalError, OSError) as error:  # such as a disk that is full just now
            self.problem = str(error)
            return
        self._child, self.pid = child, child.pid
        self._become(PartState.STARTING)
        while child.running:
            if await asyncio.to_thread(self.plan.is_ready):
                self.problem = None
                self._become(PartState.READY)
                await child.ended()
                break
            await asyncio.sleep(_PROBE_SECONDS)
        self.problem = f"it ended with code {child.exit_code}"
        child.kill()  # whatever of its process group has outlived it

    def _become(self, state: PartState) -> None:
        self.state = state
        self._changed()
