"""/jobs: long work, kept by the service that does it; an id begins with that service's name."""

import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import StringConstraints

from quantmesh.api.common.v1.job_pb2 import CancelJobRequest, GetJobRequest, Job
from quantmesh.api.common.v1.job_pb2_grpc import JobServiceStub
from quantmesh.chassis.errors import NotFound
from quantmesh.chassis.rpc import Peer
from quantmesh.gateway.http.answer import Answer, accepted, ok
from quantmesh.gateway.http.edge import Header
from quantmesh.gateway.http.models.jobs import JobShown
from quantmesh.gateway.http.operations import Operations
from quantmesh.gateway.translation.jobs import job

_JOB_ID = r"^[a-z]{1,32}-[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"
JobId = Annotated[str, StringConstraints(pattern=_JOB_ID)]


def accepted_job(message: Job, headers: tuple[Header, ...] = ()) -> Answer:
    """202 with the job, and where it is followed."""
    return accepted(job(message), location=f"/api/v2/jobs/{message.id}", headers=headers)


class JobDirectory:
    """Finds the service that keeps a job."""

    def __init__(self, peers: Mapping[str, Peer]) -> None:
        self._keepers = {name: (peer, JobServiceStub(peer.channel)) for name, peer in peers.items()}

    async def get(self, job_id: str) -> Job:
        peer, stub = self._keeper(job_id)
        return (await peer.call(stub.GetJob, GetJobRequest(id=job_id))).job

    async def cancel(self, job_id: str) -> Job:
        peer, stub = self._keeper(job_id)
        return (await peer.call(stub.CancelJob, CancelJobRequest(id=job_id))).job

    def _keeper(self, job_id: str) -> tuple[Peer, "JobServiceStub"]:
        keeper = self._keepers.get(job_id.partition("-")[0]) if re.fullmatch(_JOB_ID, job_id) else None
        if keeper is None:
            msg = f"There is no job {job_id[:64]!r}."
            raise NotFound(msg)
        return keeper


class Jobs:
    def __init__(self, directory: JobDirectory) -> None:
        self._directory = directory

    def operations(self) -> Operations:
        operations = Operations("/api/v2/jobs", "jobs")
        operations.add(
            "GET",
            "/{job_id}",
            self.get,
            summary="How a job stands, for 30 days after its end",
            scope="",
            answer=JobShown,
        )
        operations.add(
            "DELETE",
            "/{job_id}",
            self.cancel,
            summary="Cancel a job",
            scope="",
            answer=JobShown,
            statuses=(409,),
        )
        return operations

    async def get(self, job_id: JobId) -> Answer:
        """Needs the scope that the call needs which started the job."""
        return ok(job(await self._directory.get(job_id)))

    async def cancel(self, job_id: JobId) -> Answer:
        """Needs the scope that the call needs which started the job."""
        return ok(job(await self._directory.cancel(job_id)))
