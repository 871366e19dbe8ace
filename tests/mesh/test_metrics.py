"""The mesh exports what docs/metrics.md promises, to whoever scrapes it."""

import secrets
import shutil
import time

import httpx
import pytest

from quantmesh.local.network import LOOPBACK
from quantmesh.local.testing.mesh import Mesh
from tests.metrics_page import documented, series_labels

from .accounts import API, funded_portfolio
from .exported import exported

OPTION = {"option_type": "call", "spot": 100, "strike": 90, "time_to_expiry": 0.5, "rate": 0.01, "volatility": 0.3}
SCRAPED_SECONDS = 60.0
# Only processes that speak mutual TLS have a certificate.
ELSEWHERE = {"quantmesh_certificate_expiry_timestamp_seconds"}


def test_the_mesh_exports_exactly_what_is_documented(mesh: Mesh, user: httpx.Client) -> None:
    funded_portfolio(user)
    found = {name: labels for name, labels in exported(mesh).items() if name.startswith("quantmesh_")}
    promised = {name: labels for name, labels in series_labels().items() if ":" not in name}
    assert set(found) | ELSEWHERE == set(promised)
    assert {name: labels for name, labels in found.items() if labels} == {
        name: promised[name] for name, labels in found.items() if labels
    }


def test_no_label_is_one_that_a_target_gets_in_a_cluster() -> None:
    taken = {"service", "pod", "namespace", "container", "endpoint", "node", "job", "instance"}
    assert not taken & {label for metric in documented().values() for label in metric.labels}


def test_paths_and_methods_that_clients_invent_become_no_labels(mesh: Mesh) -> None:
    invented = secrets.token_hex(8)
    with mesh.client() as anybody:
        anybody.get(f"{API}/{invented}")
        anybody.request(invented.upper(), f"{API}/portfolios/{invented}")
    assert invented not in httpx.get(f"{mesh.ops_urls['gateway']}/metrics").text.lower()


def test_a_slow_bucket_leads_to_the_trace_of_its_request_at_the_edge_and_behind_it(
    mesh: Mesh, user: httpx.Client
) -> None:
    trace_id = secrets.token_hex(16)
    header = {"traceparent": f"00-{trace_id}-{secrets.token_hex(8)}-01"}
    user.post(f"{API}/options/price", json=OPTION, headers=header).raise_for_status()
    for service, series in (("gateway", "quantmesh_http_seconds_bucket"), ("pricing", "quantmesh_rpc_seconds_bucket")):
        led = leading_to(f"{mesh.ops_urls[service]}/metrics", trace_id)
        assert len(led) == 1, service
        assert led[0].startswith(series)


def leading_to(url: str, trace_id: str) -> list[str]:
    """The lines of a page of metrics that name the trace, once there are some: observed when its answer has left."""
    deadline = time.monotonic() + 30
    while True:
        answer = httpx.get(url, headers={"Accept": "application/openmetrics-text;version=1.0.0"})
        led = [line for line in answer.text.splitlines() if f'# {{trace_id="{trace_id}"}}' in line]
        if led or time.monotonic() > deadline:
            return led
        time.sleep(0.05)


@pytest.mark.skipif(shutil.which("prometheus") is None, reason="prometheus is not installed: it scrapes nothing")
def test_prometheus_beside_the_mesh_scrapes_every_service_and_nothing_is_wrong(mesh: Mesh) -> None:
    url = f"http://{LOOPBACK}:{mesh.server_port('prometheus')}/api/v1"
    deadline = time.monotonic() + SCRAPED_SECONDS
    while True:
        up = httpx.get(f"{url}/query", params={"query": "up"}).json()["data"]["result"]
        if {series["metric"]["job"] for series in up if series["value"][1] == "1"} == set(mesh.ops_urls):
            break
        assert time.monotonic() < deadline, up
        time.sleep(0.5)
    problems = [
        rule["lastError"]
        for group in httpx.get(f"{url}/rules").json()["data"]["groups"]
        for rule in group["rules"]
        if rule["health"] == "err"
    ]
    assert not problems
