"""/jobs: long work, followed until it has ended."""

import time
from collections.abc import Callable
from http import HTTPStatus

import httpx

from quantmesh.client.errors import JobFailed
from quantmesh.client.models.jobs import Job
from quantmesh.client.transport import ModelT, Transport

_POLL_SECONDS = 0.5

OnProgress = Callable[[Job], None]


class Jobs:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def get(self, job_id: str) -> Job:
        return self._transport.call("GET", f"/jobs/{job_id}", Job)

    def cancel(self, job_id: str) -> Job:
        return self._transport.call("DELETE", f"/jobs/{job_id}", Job)

    def wait(self, job: Job, on_progress: OnProgress | None = None) -> Job:
        """Until the job has ended; raises JobFailed unless it succeeded."""
        while not job.ended:
            time.sleep(_POLL_SECONDS)
            job = self.get(job.id)
            if on_progress is not None:
                on_progress(job)
        if job.status != "succeeded":
            raise JobFailed(job.id, job.status, str((job.problem or {}).get("detail") or job.message))
        return job

    def outcome(self, response: httpx.Response, answer: type[ModelT], on_progress: OnProgress | None) -> ModelT:
        """What was answered at once, or what the job came to that the work became; raises JobFailed where it failed."""
        if response.status_code != HTTPStatus.ACCEPTED:
            return self._transport.read(answer, response.content)
        return self._transport.read(answer, self.wait(self._transport.read(Job, response.content), on_progress).result)
