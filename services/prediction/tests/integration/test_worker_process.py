"""The worker as a process: spawned for a job, gone when there is none."""

import asyncio
import os
import subprocess
from contextlib import suppress

from quantmesh.api.common.v1 import job_pb2
from quantmesh.prediction.adapters.workers import WorkerSpawner

from .conftest import Around, Prediction


class Spawns(WorkerSpawner):
    """Remembers its workers, also those that are gone."""

    workers: tuple[subprocess.Popen[bytes], ...] = ()

    def _start(self) -> subprocess.Popen[bytes]:
        worker = super()._start()
        self.workers = (*self.workers, worker)
        return worker


async def test_a_worker_runs_only_while_there_is_a_job(prediction: Prediction, around: Around) -> None:
    """The training itself fails, for want of history: no need of TensorFlow to see a job come to its end."""
    prediction.market.short = dict.fromkeys(("AAA", "BBB", "CCC"), 100)
    environment = {
        **os.environ,
        "QUANTMESH_DATABASE_URL": prediction.postgres.url,
        "QUANTMESH_MARKET_TARGET": around.target,
        "QUANTMESH_AUTH_TARGET": around.target,
        "QUANTMESH_PREDICTION_WORKER_IDLE_SECONDS": "0.5",
    }
    spawner = Spawns(prediction.database, prediction.job_queued, environment)
    spawning = asyncio.create_task(spawner.run())
    try:
        await asyncio.sleep(0.2)
        assert not spawner.workers
        queued = await prediction.train()
        job = await prediction.ended(queued.id)
        assert job.status == job_pb2.JOB_STATUS_FAILED
        assert job.problem.fields["type"].string_value == "/problems/history-too-short"
        (worker,) = spawner.workers
        assert await asyncio.to_thread(worker.wait, 60.0) == 0
        assert spawner.workers == (worker,)
    finally:
        spawning.cancel()
        with suppress(asyncio.CancelledError):
            await spawning
