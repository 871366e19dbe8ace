"""Long work as rows of the service that does it (decisions.md 10): `enqueue` in a request, `JobWorker` in a worker."""

from quantmesh.chassis.jobs.claims import RunningJob, succeed
from quantmesh.chassis.jobs.records import MOST_OPEN, JobNotFound, TooManyJobs, cancel, enqueue, find
from quantmesh.chassis.jobs.rpc import JobRpc
from quantmesh.chassis.jobs.worker import JobWorker

__all__ = [
    "MOST_OPEN",
    "JobNotFound",
    "JobRpc",
    "JobWorker",
    "RunningJob",
    "TooManyJobs",
    "cancel",
    "enqueue",
    "find",
    "succeed",
]
