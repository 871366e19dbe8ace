"""The worker as a process: spawned for a job, gone when there is none."""

import asyncio
import os
from contextlib import suppress

import psutil

from quantmesh.api.common.v1 import job_pb2
from quantmesh.prediction.adapters.workers import WorkerSpawner

from .conftest import Around, Prediction


def children() -> list[psutil.Process]:
    return psutil.Process().children()


async def test_a_worker_runs_only_while_there_is_a_job(prediction: Prediction, around: Around) -> None:
    """The training itself fails, for want of history: no need of TensorFlow to see a job come to its end."""
    prediction.market.short = dict.fromkeys(("AAA", "BBB", "CCC"), 100)
    before = {child.pid for child in children()}
    environment = {
        **os.environ,
        "QUANTMESH_DATABASE_URL": prediction.postgres.url,
        "QUANTMESH_MARKET_TARGET": around.target,
        "QUANTMESH_AUTH_TARGET": around.target,
        "QUANTMESH_PREDICTION_WORKER_IDLE_SECONDS": "0.5",
    }
    spawning = asyncio.create_task(WorkerSpawner(prediction.database, prediction.job_queued, environment).run())
    try:
        await asyncio.sleep(0.2)
        assert {child.pid for child in children()} == before
        queued = await prediction.train()
        job = await prediction.ended(queued.id, seconds=30.0)
        assert job.status == job_pb2.JOB_STATUS_FAILED
        assert job.problem.fields["type"].string_value == "/problems/history-too-short"
        workers = [child for child in children() if child.pid not in before]
        gone, alive = await asyncio.to_thread(psutil.wait_procs, workers, 15.0)
        assert (len(gone), alive) == (1, [])
    finally:
        spawning.cancel()
        with suppress(asyncio.CancelledError):
            await spawning
