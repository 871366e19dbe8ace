"""Whether a service could do its work now: its checks, and what they say in the metrics."""

import asyncio
from collections.abc import Awaitable, Callable

from prometheus_client import Gauge

from quantmesh.chassis.cancellation import end
from quantmesh.chassis.telemetry.logs import get_logger

log = get_logger(__name__)

Check = Callable[[], Awaitable[None]]
_CHECK_SECONDS = 2.0
_PAUSE_SECONDS = 1.0
# While something is missing it is looked for more often, so that a start or a recovery is seen at once.
_RECOVERY_SECONDS = 0.2
# Not later on, when effects go on without it: Kubernetes would take every replica of the mesh's edge away at once.
_NEEDED_TO_START = frozenset({"nats"})
_UP = Gauge("quantmesh_dependency_up", "1 while what the service depends on answers", ["dependency"])


class Readiness:
    """Ready while none of its checks raises or takes longer than `check_seconds`."""

    def __init__(self, check_seconds: float = _CHECK_SECONDS) -> None:
        self.checks: dict[str, Check] = {}
        self.waiting_for = ["start"]
        self._started = False
        self._check_seconds = check_seconds
        self._asking: dict[str, asyncio.Task[bool]] = {}

    async def watch(self, on_started: Callable[[], Awaitable[None]] | None = None) -> None:
        """Look again and again, until cancelled; `on_started` is called when nothing is missing for the first time."""
        try:
            while True:
                before = self.waiting_for
                await self.look()
                if self.waiting_for != before:
                    log.info("not ready" if self.waiting_for else "ready", waiting_for=self.waiting_for)
                if not self.waiting_for and not self._started:
                    self._started = True
                    if on_started is not None:
                        await on_started()
                await asyncio.sleep(_RECOVERY_SECONDS if self.waiting_for else _PAUSE_SECONDS)
        finally:
            await end(*self._asking.values())

    async def look(self) -> None:
        failing = []
        for name, check in self.checks.items():
            passed = await self._passes(name, check)
            _UP.labels(name).set(passed)
            if not passed:
                failing.append(name)
        self.waiting_for = [name for name in failing if not (self._started and name in _NEEDED_TO_START)]

    async def _passes(self, name: str, check: Check) -> bool:
        """False as soon as its time is over, though it may end far later: psycopg waits where Postgres is silent."""
        if name in self._asking:
            return False
        asking = self._asking[name] = asyncio.create_task(_ask(name, check))
        asking.add_done_callback(lambda _: self._asking.pop(name))
        try:
            await asyncio.wait({asking}, timeout=self._check_seconds)
        finally:
            asking.cancel()
        return asking.done() and not asking.cancelled() and asking.result()


async def _ask(name: str, check: Check) -> bool:
    try:
        await check()
    except Exception as error:  # noqa: BLE001  whatever it is, the part is not ready
        log.debug("check failed", check=name, error=str(error))
        return False
    return True
