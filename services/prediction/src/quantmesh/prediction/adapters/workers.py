"""The training worker's life: spawned here when a job waits, gone again when none does."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final

from quantmesh.chassis.database import Database
from quantmesh.chassis.errors import Conflict, Unavailable
from quantmesh.chassis.sql import text
from quantmesh.chassis.telemetry.logs import get_logger

log = get_logger(__name__)

_OPEN = text("SELECT EXISTS (SELECT 1 FROM job WHERE status IN ('queued', 'running'))")
_LOOK_SECONDS: Final = 5.0
_IDLE_LOOK_SECONDS: Final = 1.0
_SETTLE_SECONDS: Final = 1.0
_FAREWELL_SECONDS: Final = 8.0


async def jobs_open(database: Database) -> bool:
    """Also those of a worker that died: they wait for another one to take them over."""
    async with database.system_transaction() as session:
        return bool(await session.scalar(_OPEN))


class WorkerSpawner:
    """Keeps one worker process alive for as long as jobs are open."""

    def __init__(self, database: Database, job_queued: asyncio.Event, environment: Mapping[str, str]) -> None:
        self._database = database
        self._job_queued = job_queued
        self._environment = dict(environment)

    async def run(self) -> None:
        """Until cancelled; the worker is then asked to go, and puts its job back into the queue."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_SECONDS):
                    await self._job_queued.wait()
            self._job_queued.clear()
            try:
                needed = await jobs_open(self._database)
            except (Unavailable, Conflict):
                continue
            if needed:
                await self._work()
                # One that cannot even start must not be started a hundred times a second.
                await asyncio.sleep(_SETTLE_SECONDS)

    async def _work(self) -> None:
        worker = await asyncio.to_thread(self._start)
        log.info("training worker started", pid=worker.pid)
        try:
            code = await asyncio.to_thread(worker.wait)
        except asyncio.CancelledError:
            worker.terminate()
            await asyncio.to_thread(_wait_or_kill, worker)
            raise
        log.info("training worker ended", pid=worker.pid, code=code)

    def _start(self) -> subprocess.Popen[bytes]:
        # subprocess uses vfork here; asyncio under uvloop would fork, which a process with gRPC's threads must not.
        return subprocess.Popen([sys.executable, "-m", "quantmesh.prediction", "worker"], env=self._environment)


def _wait_or_kill(worker: subprocess.Popen[bytes]) -> None:
    try:
        worker.wait(_FAREWELL_SECONDS)
    except subprocess.TimeoutExpired:
        worker.kill()
        worker.wait()


async def stop_when_idle(database: Database, idle_seconds: float, stop: Callable[[], None]) -> None:
    """Ends a worker that has had nothing to do for a while; TensorFlow's memory goes with it."""
    idle_since = time.monotonic()
    while True:
        await asyncio.sleep(_IDLE_LOOK_SECONDS)
        try:
            busy = await jobs_open(database)
        except (Unavailable, Conflict):
            busy = True
        if busy:
            idle_since = time.monotonic()
        elif time.monotonic() - idle_since >= idle_seconds:
            log.info("idle, leaving", idle_seconds=idle_seconds)
            stop()
            return
