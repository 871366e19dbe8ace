"""Whether a service could do its work now: its checks, and what they say in the metrics."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from prometheus_client import Gauge

from quantmesh.chassis.telemetry.logs import get_logger

log = get_logger(__name__)

Check = Callable[[], Awaitable[None]]
_CHECK_SECONDS = 2.0
_UP = Gauge("quantmesh_dependency_up", "1 while what the service depends on answers", ["dependency"])


async def failing(checks: Mapping[str, Check]) -> list[str]:
    """The names of the checks that raise, or take too long."""
    failed = []
    for name, check in checks.items():
        passed = await _passes(name, check)
        _UP.labels(name).set(passed)
        if not passed:
            failed.append(name)
    return failed


async def _passes(name: str, check: Check) -> bool:
    try:
        async with asyncio.timeout(_CHECK_SECONDS):
            await check()
    except Exception as error:  # noqa: BLE001  whatever it is, the part is not ready
        log.debug("check failed", check=name, error=str(error))
        return False
    return True
