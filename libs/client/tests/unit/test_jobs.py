"""Work that is answered at once, or becomes a job that is waited for."""

from typing import Any

import httpx
import pytest

from quantmesh.client import JobFailed, Unreadable
from quantmesh.client.cli.console import plain_console
from quantmesh.client.cli.progress import progress_bar
from quantmesh.client.models.jobs import Job

from .test_transport import Server

SIMULATED = {
    "price": 5.76,
    "standard_error": 0.01,
    "engine": "monte_carlo",
    "paths": 1024,
    "steps": 52,
    "sampler": "sobol",
    "seed": 7,
    "replications": 16,
    "control_variates": [],
    "upper_bound": None,
    "greeks": None,
}


def job(status: str, **more: Any) -> httpx.Response:
    told = {"id": "pricing-1", "kind": "simulate", "status": status, "progress": 0.5, "message": "path 512"}
    return httpx.Response(202, json={**told, "result": None, "problem": None, **more})


def test_a_simulation_that_became_a_job_is_waited_for() -> None:
    server = Server(job("queued"), job("running"), job("succeeded", result=SIMULATED))
    seen: list[Job] = []
    with server.client(api_key="k") as client:
        assert client.options.monte_carlo({"paths": 1024}, on_progress=seen.append).paths == 1024
    assert [each.status for each in seen] == ["running", "succeeded"]
    assert server.asked[0].headers["Idempotency-Key"]


def test_one_that_is_answered_at_once_is_that_answer() -> None:
    with Server(httpx.Response(200, json=SIMULATED)).client(api_key="k") as client:
        assert client.options.monte_carlo({"paths": 1024}).price == 5.76


def test_a_job_that_fails_says_why() -> None:
    server = Server(job("failed", problem={"detail": "The worker died."}))
    with server.client(api_key="k") as client, pytest.raises(JobFailed, match="The worker died"):
        client.options.monte_carlo({"paths": 1024})


def test_a_result_that_is_none_of_its_kind_is_an_error_of_the_client() -> None:
    server = Server(job("succeeded", result={"price": "much"}))
    with server.client(api_key="k") as client, pytest.raises(Unreadable, match="no Simulation"):
        client.options.monte_carlo({"paths": 1024})


def test_where_nothing_is_waited_for_nothing_is_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar(plain_console()):
        pass
    assert capsys.readouterr().out == ""


def test_who_does_not_wait_is_told_which_job_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(running: Job) -> None:
        show(running)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), progress_bar(plain_console()) as show:
        interrupted(Job.model_validate_json(job("running").content))
    assert "It goes on as job pricing-1" in capsys.readouterr().out
