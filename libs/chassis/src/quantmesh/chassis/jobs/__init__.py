"""Long work as rows of the service that does it (decisions.md 10): `enqueue` in a request, `JobWorker` in a worker."""

from quantmesh.chassis.jobs.records import JobNotFound, cancel, enqueue, find
from quantmesh.chassis.jobs.rpc import JobRpc
from quantmesh.chassis.jobs.worker import JobWorker, RunningJob, succeed

__all__ = ["JobNotFound", "JobRpc", "JobWorker", "RunningJob", "cancel", "enqueue", "find", "succeed"]
