"""Jobs as their owner sees them: queued, looked at, cancelled."""

import json
from typing import Any
from uuid import UUID

from google.protobuf import json_format
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct

from quantmesh.api.common.v1 import job_pb2 as pb
from quantmesh.chassis.errors import NotFound, TooManyRequests
from quantmesh.chassis.sql import Executor, Row, text
from quantmesh.chassis.times import to_timestamp

# Of one owner, queued or running, where a service sets no other number.
MOST_OPEN = 20
# After its end.
KEPT_DAYS = 30
_COME_BACK_SECONDS = 5.0
_STATUS = {
    "queued": pb.JOB_STATUS_QUEUED,
    "running": pb.JOB_STATUS_RUNNING,
    "succeeded": pb.JOB_STATUS_SUCCEEDED,
    "failed": pb.JOB_STATUS_FAILED,
    "cancelled": pb.JOB_STATUS_CANCELLED,
}
_COLUMNS = "id, kind, status, progress, message, result, problem, created_at, updated_at"
# The search path is the service's schema, whose name the id begins with: that is how the edge finds a job's service.
# An owner's requests are counted one after the other: at the same time each would see room for itself.
_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || ' jobs ' || :owner, 0))")
_ENQUEUE = text(
    f"""
    INSERT INTO job (id, owner_id, kind, parameters)
    SELECT current_schema() || '-' || uuidv7(), :owner_id, :kind, :parameters
    WHERE (SELECT count(*) FROM job WHERE owner_id = :owner_id AND status IN ('queued', 'running')) < :most
    RETURNING {_COLUMNS}
    """  # noqa: S608  a constant
)
_FIND = text(f"SELECT {_COLUMNS} FROM job WHERE id = :id")  # noqa: S608  a constant
_CANCEL = text(
    f"""
    UPDATE job SET
        status = CASE WHEN status = 'queued' THEN 'cancelled' ELSE status END,
        parameters = CASE WHEN status = 'queued' THEN '' ELSE parameters END,
        cancel_requested = true, updated_at = now()
    WHERE id = :id AND status IN ('queued', 'running')
    RETURNING {_COLUMNS}
    """  # noqa: S608  a constant
)


class JobNotFound(NotFound):
    problem = "job-not-found"

    def __init__(self, job_id: str) -> None:
        super().__init__(f"There is no job {job_id[:64]!r}.", metadata={"job_id": job_id[:64]})


class TooManyJobs(TooManyRequests):
    problem = "too-many-jobs"

    def __init__(self, most: int) -> None:
        super().__init__(
            f"You have {most} jobs that have not ended, which is as many as there may be; wait for one, or cancel it.",
            retry_after_seconds=_COME_BACK_SECONDS,
        )


async def enqueue(
    session: Executor, owner_id: UUID, kind: str, parameters: Message, *, most: int = MOST_OPEN
) -> pb.Job:
    """Queue work in the transaction of the request that asked for it.

    Raises TooManyJobs where `most` of the owner's have not ended.
    """
    await session.execute(_LOCK, {"owner": str(owner_id)})
    asked = {"owner_id": owner_id, "kind": kind, "parameters": parameters.SerializeToString(), "most": most}
    added = (await session.execute(_ENQUEUE, asked)).one_or_none()
    if added is None:
        raise TooManyJobs(most)
    return _job(added)


async def find(session: Executor, job_id: str) -> pb.Job:
    """Row-level security limits this to the owner's. Raises JobNotFound."""
    found = (await session.execute(_FIND, {"id": job_id})).one_or_none()
    if found is None:
        raise JobNotFound(job_id)
    return _job(found)


async def cancel(session: Executor, job_id: str) -> pb.Job:
    """A queued job ends here; a running one is told, and ends within seconds; an ended one stays as it is."""
    cancelled = (await session.execute(_CANCEL, {"id": job_id})).one_or_none()
    return _job(cancelled) if cancelled is not None else await find(session, job_id)


def _job(row: Row) -> pb.Job:
    return pb.Job(
        id=row.id,
        kind=row.kind,
        status=_STATUS[row.status],
        progress=row.progress,
        message=row.message,
        result=_struct(row.result),
        problem=_struct(row.problem),
        created_at=to_timestamp(row.created_at),
        updated_at=to_timestamp(row.updated_at),
    )


def _struct(document: dict[str, Any] | None) -> Struct | None:
    return None if document is None else json_format.Parse(json.dumps(document), Struct())
