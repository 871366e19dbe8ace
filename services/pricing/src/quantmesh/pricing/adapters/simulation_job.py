"""Simulations in threads: while a call waits, or as a job."""

import asyncio
import threading
from collections.abc import Callable, Mapping
from typing import Any

from quantmesh.api.pricing.v1 import simulation_pb2 as pb
from quantmesh.chassis.jobs import RunningJob
from quantmesh.pricing.adapters.simulations import simulation_of
from quantmesh.pricing.core.simulate import Simulation, simulate

KIND = "simulate"
# As the call that starts it.
JOB_SCOPES = {KIND: "pricing:use"}


class _Stopped(Exception):
    pass


async def in_thread(simulation: Simulation, report: Callable[[float], None]) -> dict[str, Any]:
    """The thread ends with the next block of paths where the caller is cancelled."""
    stopped = threading.Event()

    def progress(share: float) -> None:
        if stopped.is_set():
            raise _Stopped
        report(share)

    try:
        return await asyncio.to_thread(simulate, simulation, progress)
    except asyncio.CancelledError:
        stopped.set()
        raise


async def run(job: RunningJob) -> Mapping[str, Any]:
    simulation = await asyncio.to_thread(simulation_of, pb.SimulateRequest.FromString(job.parameters))
    return await in_thread(simulation, lambda share: job.report(share, f"{simulation.paths:,} paths"))
