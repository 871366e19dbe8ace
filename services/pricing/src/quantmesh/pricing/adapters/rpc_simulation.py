"""SimulationService over gRPC."""

import asyncio
from typing import Any

from google.protobuf.json_format import ParseDict
from google.protobuf.struct_pb2 import Struct
from grpc.aio import ServicerContext

from quantmesh.api.pricing.v1 import simulation_pb2 as pb
from quantmesh.api.pricing.v1.simulation_pb2_grpc import SimulationServiceServicer
from quantmesh.chassis import idempotency, jobs
from quantmesh.chassis.database import Database
from quantmesh.chassis.identity import current_caller, requires
from quantmesh.pricing.adapters.simulation_job import KIND, in_thread
from quantmesh.pricing.adapters.simulations import simulation_of


class SimulationRpc(SimulationServiceServicer):
    def __init__(self, database: Database) -> None:
        self._database = database

    @requires("pricing:use")
    async def Simulate(self, request: pb.SimulateRequest, context: ServicerContext[Any, Any]) -> pb.SimulateResponse:
        # A grid has up to hundreds of thousands of values to check.
        simulation = await asyncio.to_thread(simulation_of, request)
        if simulation.is_long:
            owner_id = current_caller().user_id
            async with self._database.transaction(owner_id) as session:

                async def queue() -> pb.SimulateResponse:
                    return pb.SimulateResponse(job=await jobs.enqueue(session, owner_id, KIND, request))

                return await idempotency.once(
                    session, owner_id, scope="Simulate", request=request, answer=pb.SimulateResponse, run=queue
                )
        answer = await in_thread(simulation, lambda _share: None)
        return pb.SimulateResponse(simulation=ParseDict(answer, Struct()))
