"""JobService, the same in every service that has jobs."""

from typing import Any

from quantmesh.api.common.v1 import job_pb2 as pb
from quantmesh.api.common.v1.job_pb2_grpc import JobServiceServicer
from quantmesh.chassis.database import Database
from quantmesh.chassis.identity import current_caller, requires
from quantmesh.chassis.jobs import records


class JobRpc(JobServiceServicer):
    """A caller sees their own jobs alone."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @requires("")
    async def GetJob(self, request: pb.GetJobRequest, _context: Any) -> pb.GetJobResponse:
        async with self._database.transaction(current_caller().user_id) as session:
            return pb.GetJobResponse(job=await records.find(session, request.id))

    @requires("")
    async def CancelJob(self, request: pb.CancelJobRequest, _context: Any) -> pb.CancelJobResponse:
        async with self._database.transaction(current_caller().user_id) as session:
            return pb.CancelJobResponse(job=await records.cancel(session, request.id))
