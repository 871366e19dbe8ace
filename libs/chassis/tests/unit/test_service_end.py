"""A service that is told to stop ends, whatever hangs."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from quantmesh.chassis.service import Service
from quantmesh.chassis.settings import ServiceSettings

# After so long a cancellation that was swallowed is repeated.
REPEATED_SECONDS = 1.0


async def ends_at_once(run_and_stop: Callable[[], Awaitable[float]]) -> bool:
    """The machine may stand still for so long, too: not each time."""
    return any([await run_and_stop() < REPEATED_SECONDS for _ in range(3)])


async def test_a_check_that_ends_in_the_turn_of_the_stop_delays_nothing() -> None:
    async def run_and_stop() -> float:
        service = Service("ledger", ServiceSettings())

        async def check() -> None:
            # Readiness is cancelled while it waits for this, which has ended by then.
            service.stop()

        service.add_check("broker", check)
        started = time.monotonic()
        assert await asyncio.wait_for(service.run(), 30)
        return time.monotonic() - started

    assert await ends_at_once(run_and_stop)


async def test_a_check_that_swallows_its_cancellation_delays_nothing() -> None:
    async def run_and_stop() -> float:
        service = Service("ledger", ServiceSettings())
        asked = asyncio.Event()

        async def check() -> None:
            asked.set()
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                return

        service.add_check("broker", check)
        running = asyncio.create_task(service.run())
        await asked.wait()
        started = time.monotonic()
        service.stop()
        assert await asyncio.wait_for(running, 30)
        return time.monotonic() - started

    assert await ends_at_once(run_and_stop)


SCRIPT = """
import asyncio, sys, time
from quantmesh.chassis.service import serve
from quantmesh.chassis.settings import ServiceSettings

kind = sys.argv.pop()

async def deaf_task():
    while True:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            continue

def deaf_thread():
    time.sleep(60)

async def in_thread():
    await asyncio.to_thread(deaf_thread)

async def wire(service):
    service.add_task("hanging", {"task": deaf_task, "thread": in_thread}[kind])
    async def stop():
        await asyncio.sleep(0.1)
        service.stop()
        await asyncio.Event().wait()
    service.add_task("stop", stop)

serve("ledger", ServiceSettings, wire)
"""


@pytest.mark.parametrize(("kind", "place"), [("task", "deaf_task > sleep ("), ("thread", "deaf_thread (<string>")])
def test_what_hangs_is_named_in_the_log_and_left_behind(kind: str, place: str) -> None:
    environ = os.environ | {"QUANTMESH_SHUTDOWN_SECONDS": "0.5"}
    command = [sys.executable, "-c", SCRIPT, kind]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    last: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert last["event"] == "not ended in time"
    assert any(place in each for each in last[f"{kind}s"]), last
