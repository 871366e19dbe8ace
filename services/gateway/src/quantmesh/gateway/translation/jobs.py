"""Long work: messages to JSON."""

from typing import Any

from quantmesh.api.common.v1 import job_pb2 as pb
from quantmesh.gateway.http import catalogue
from quantmesh.gateway.translation.common import instant, inverse, struct

_STATUS_NAMES = inverse(
    {
        "queued": pb.JOB_STATUS_QUEUED,
        "running": pb.JOB_STATUS_RUNNING,
        "succeeded": pb.JOB_STATUS_SUCCEEDED,
        "failed": pb.JOB_STATUS_FAILED,
        "cancelled": pb.JOB_STATUS_CANCELLED,
    }
)
# Beyond it a floating-point number cannot count any more, and JSON numbers are not integers for everybody.
_LARGEST_COUNT = 2.0**53
FINAL = frozenset({"succeeded", "failed", "cancelled"})


def job(message: pb.Job) -> dict[str, Any]:
    return {
        "id": message.id,
        "kind": message.kind,
        "status": _STATUS_NAMES[message.status],
        "progress": message.progress,
        "message": message.message,
        "result": whole(struct(message.result)) if message.HasField("result") else None,
        "problem": _problem(whole(struct(message.problem))) if message.HasField("problem") else None,
        "created_at": instant(message, "created_at"),
        "updated_at": instant(message, "updated_at"),
    }


def _problem(told: dict[str, Any]) -> dict[str, Any]:
    """With the title that its type has everywhere."""
    slug = str(told.get("type", "")).removeprefix("/problems/")
    return told | {"title": catalogue.title(slug)} if slug else told


def whole(value: Any) -> Any:
    """A struct knows floating point alone; what was counted is shown as it was counted."""
    match value:
        case float() if value.is_integer() and abs(value) <= _LARGEST_COUNT:
            return int(value)
        case dict():
            return {name: whole(member) for name, member in value.items()}
        case list():
            return [whole(item) for item in value]
        case _:
            return value
