"""What jobs show of themselves: how they ended, how long they ran, and what waits."""

import asyncio
from collections.abc import Sequence

from prometheus_client import Counter, Gauge, Histogram

from quantmesh.chassis.database import Database
from quantmesh.chassis.errors import HTTP_STATUS, Conflict, QuantmeshError, Unavailable, kind_of
from quantmesh.chassis.sql import text

_MEASURE_SECONDS = 10.0
_QUEUE = text(
    """
    SELECT kind, count(*) AS jobs, extract(epoch FROM now() - min(created_at))::float8 AS age
    FROM job WHERE status = 'queued' AND kind = ANY(:kinds) GROUP BY kind
    """
)

JOBS = Counter("quantmesh_jobs_total", "Jobs by how they ended", ["kind", "status"])
SECONDS = Histogram(
    "quantmesh_job_seconds",
    "Time that a job ran, whatever became of it",
    ["kind"],
    buckets=(0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 1800.0),
)
_QUEUED = Gauge("quantmesh_jobs_queued", "Jobs that nobody has begun", ["kind"])
_AGE = Gauge("quantmesh_jobs_waiting_seconds", "Age of the oldest job that nobody has begun", ["kind"])


def status_after(error: QuantmeshError) -> str:
    """`refused` where the job asked for what cannot be done, `failed` where we are to blame."""
    return "refused" if HTTP_STATUS[kind_of(error)] < 500 else "failed"


async def watch_queue(database: Database, kinds: Sequence[str]) -> None:
    """Until cancelled. Each worker sees the same queue."""
    for kind in kinds:
        for status in ("succeeded", "failed", "refused", "cancelled"):
            # There from the start: what appears with a first one shows no increase.
            JOBS.labels(kind, status)
    while True:
        try:
            async with database.system_transaction() as session:
                rows = (await session.execute(_QUEUE, {"kinds": list(kinds)})).all()
        except (Unavailable, Conflict):
            await asyncio.sleep(_MEASURE_SECONDS)
            continue
        queues = {row.kind: row for row in rows}
        for kind in kinds:
            queue = queues.get(kind)
            _QUEUED.labels(kind).set(queue.jobs if queue else 0)
            _AGE.labels(kind).set(queue.age if queue else 0.0)
        await asyncio.sleep(_MEASURE_SECONDS)
