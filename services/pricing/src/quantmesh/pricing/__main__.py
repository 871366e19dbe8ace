"""Serve, migrate, or do long simulations: `python -m quantmesh.pricing [migrate | worker]`."""

import asyncio

from pydantic import Field

from quantmesh.api.common.v1.job_pb2_grpc import add_JobServiceServicer_to_server
from quantmesh.api.pricing.v1.calibration_pb2_grpc import add_CalibrationServiceServicer_to_server
from quantmesh.api.pricing.v1.pricing_pb2_grpc import add_PricingServiceServicer_to_server
from quantmesh.api.pricing.v1.simulation_pb2_grpc import add_SimulationServiceServicer_to_server
from quantmesh.api.pricing.v1.surface_pb2_grpc import add_SurfaceServiceServicer_to_server
from quantmesh.chassis.jobs import JobRpc, JobWorker
from quantmesh.chassis.service import Service, serve
from quantmesh.chassis.settings import ServiceSettings
from quantmesh.pricing.adapters import simulation_job
from quantmesh.pricing.adapters.batches import Batches
from quantmesh.pricing.adapters.quote_recorder import QuoteRecorder
from quantmesh.pricing.adapters.rpc import PricingRpc
from quantmesh.pricing.adapters.rpc_calibration import CalibrationRpc
from quantmesh.pricing.adapters.rpc_simulation import SimulationRpc
from quantmesh.pricing.adapters.rpc_surface import SurfaceRpc
from quantmesh.pricing.adapters.store import QuoteStore
from quantmesh.quant import kernels
from quantmesh.quant.version import code_version


class PricingSettings(ServiceSettings):
    # Batches priced at the same time, over all calls.
    pricing_threads: int = Field(default=2, ge=1, le=64)


async def wire(service: Service[PricingSettings]) -> None:
    recorder = QuoteRecorder(QuoteStore(service.database), service.clock, code_version())
    batches = Batches(service.settings.pricing_threads)

    async def close() -> None:
        await recorder.drain()
        await asyncio.to_thread(batches.close)

    service.add_servicer(add_PricingServiceServicer_to_server, PricingRpc(recorder, batches))
    service.add_servicer(add_CalibrationServiceServicer_to_server, CalibrationRpc())
    service.add_servicer(add_SurfaceServiceServicer_to_server, SurfaceRpc())
    service.add_servicer(add_SimulationServiceServicer_to_server, SimulationRpc(service.database))
    service.add_servicer(add_JobServiceServicer_to_server, JobRpc(service.database, simulation_job.JOB_SCOPES))
    if service.settings.serves_jobs:
        service.add_work("jobs", _worker(service).run)
    service.add_task("quote records", recorder.run)
    service.add_task("kernels", load_kernels)
    service.on_stop(close)


async def wire_worker(service: Service[PricingSettings]) -> None:
    service.add_work("jobs", _worker(service).run)


def _worker(service: Service[PricingSettings]) -> JobWorker:
    return JobWorker(service.database, {simulation_job.KIND: simulation_job.run})


async def load_kernels() -> None:
    """Compile, or take from the cache, what answers need, so that none of them waits for it."""
    for family in ("black_scholes", "bachelier", "american", "heston", "local_volatility", "monte_carlo"):
        await asyncio.to_thread(kernels.load, family)


if __name__ == "__main__":
    serve("pricing", PricingSettings, wire, wire_worker=wire_worker)
