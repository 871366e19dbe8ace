"""JobService, the same in every service that has jobs."""

from collections.abc import Mapping
from typing import Any

from quantmesh.api.common.v1 import job_pb2 as pb
from quantmesh.api.common.v1.job_pb2_grpc import JobServiceServicer
from quantmesh.chassis.database import Database
from quantmesh.chassis.errors import PermissionDenied
from quantmesh.chassis.identity import Access, current_caller, requires
from quantmesh.chassis.jobs import records


class JobRpc(JobServiceServicer):
    """A caller sees their own jobs alone, and of them those that they could start.

    `scopes` says by kind what starting such a job demands; one that is not in it is shown to nobody.
    """

    def __init__(self, database: Database, scopes: Mapping[str, str]) -> None:
        self._database = database
        self._access = {kind: Access(scope=scope) for kind, scope in scopes.items()}

    @requires("")
    async def GetJob(self, request: pb.GetJobRequest, _context: Any) -> pb.GetJobResponse:
        async with self._database.transaction(current_caller().user_id) as session:
            job = await records.find(session, request.id)
        self._check(job)
        return pb.GetJobResponse(job=job)

    @requires("")
    async def CancelJob(self, request: pb.CancelJobRequest, _context: Any) -> pb.CancelJobResponse:
        async with self._database.transaction(current_caller().user_id) as session:
            self._check(await records.find(session, request.id))
            return pb.CancelJobResponse(job=await records.cancel(session, request.id))

    def _check(self, job: pb.Job) -> None:
        access = self._access.get(job.kind)
        if access is None:
            msg = f"Nobody may see a job of the kind {job.kind!r}."
            raise PermissionDenied(msg)
        access.check(current_caller())
