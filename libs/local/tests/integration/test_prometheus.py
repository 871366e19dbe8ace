"""Prometheus with the configuration that `make up` gives it."""

import shutil
from pathlib import Path

import httpx
import pytest

from quantmesh.local.network import free_port
from quantmesh.local.servers import PrometheusServer, start_and_wait

PROGRAM = shutil.which("prometheus")


@pytest.mark.skipif(PROGRAM is None, reason="prometheus is not installed (apt-get install prometheus): it is not tried")
def test_prometheus_takes_its_configuration_and_the_rules_of_the_cluster(tmp_path: Path, workspace: Path) -> None:
    server = PrometheusServer(
        folder=tmp_path / "prometheus",
        port=free_port(),
        program=Path(PROGRAM or ""),
        rules=workspace / "deploy" / "observability" / "rules",
        targets={"auth": free_port()},
    )
    child = start_and_wait(server, tmp_path / "log")
    try:
        with httpx.Client(base_url=f"{server.url}/api/v1") as client:
            groups = client.get("/rules").json()["data"]["groups"]
            configuration = client.get("/status/config").json()["data"]["yaml"]
            flags = client.get("/status/flags").json()["data"]
    finally:
        child.stop()
    assert {Path(group["file"]).name for group in groups} == {path.name for path in server.rules.glob("*.yaml")}
    assert "job_name: auth" in configuration
    assert flags["enable-feature"] == "exemplar-storage"
