"""The operators' port, as Prometheus and a platform's probes use it."""

import asyncio
import socket
from collections.abc import Iterator

import httpx
import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import Histogram

from quantmesh.chassis.readiness import Readiness
from quantmesh.chassis.telemetry import tracing
from quantmesh.chassis.telemetry.build import show_build
from quantmesh.chassis.telemetry.ops import Caller, OpsServer

OPENMETRICS = "application/openmetrics-text;version=1.0.0"
SECONDS = Histogram("test_ops_seconds", "Of this test")


@pytest.fixture
def waiting_for() -> list[str]:
    return []


@pytest.fixture
def ops(waiting_for: list[str]) -> Iterator[httpx.Client]:
    server = OpsServer("127.0.0.1:0", lambda: waiting_for, lambda: waiting_for or ["market"])
    server.start()
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=30.0) as client:
        yield client
    server.stop()


def test_liveness_does_not_depend_on_readiness(ops: httpx.Client, waiting_for: list[str]) -> None:
    assert (ops.get("/healthz").status_code, ops.get("/readyz").status_code) == (200, 200)
    waiting_for.append("postgres")
    assert (ops.get("/healthz").status_code, ops.get("/readyz").status_code) == (200, 503)
    assert ops.get("/readyz").text == ops.get("/startupz").text == "waiting for postgres\n"
    waiting_for.clear()
    assert ops.get("/startupz").status_code == 503
    assert ops.get("/startupz").text == "waiting for market\n"


def test_who_connects_and_asks_nothing_keeps_no_probe_waiting(
    ops: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a port scan does, or a scraper whose machine has gone."""
    monkeypatch.setattr(Caller, "timeout", 60)
    with socket.create_connection((ops.base_url.host, ops.base_url.port)):
        assert ops.get("/healthz").status_code == 200


def test_who_asks_nothing_is_hung_up_on_without_a_word(
    ops: httpx.Client, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Caller, "timeout", 0.2)
    with socket.create_connection((ops.base_url.host, ops.base_url.port)) as silent:
        silent.settimeout(30.0)
        assert silent.recv(1) == b""
    assert capfd.readouterr().err == ""


def test_an_exemplar_leads_from_a_bucket_to_a_trace_that_is_exported(ops: httpx.Client) -> None:
    tracing.configure_tracing(
        "ledger", endpoint="", environment="test", sample_ratio=1.0, exporter=InMemorySpanExporter()
    )
    try:
        with tracing.server_span("call", "") as traceparent:
            SECONDS.observe(0.003, tracing.exemplar(traceparent))
    finally:
        tracing.shutdown_tracing()
    trace_id = traceparent.split("-")[1]
    answer = ops.get("/metrics", headers={"Accept": OPENMETRICS})
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    bucket = next(line for line in answer.text.splitlines() if line.startswith('test_ops_seconds_bucket{le="0.005"}'))
    assert f'# {{trace_id="{trace_id}"}} 0.003' in bucket


def test_there_is_no_exemplar_of_a_trace_that_nobody_keeps() -> None:
    assert tracing.exemplar(tracing.new_traceparent()) is None


def test_there_is_no_exemplar_of_a_trace_that_was_not_sampled() -> None:
    tracing.configure_tracing(
        "ledger", endpoint="", environment="test", sample_ratio=1.0, exporter=InMemorySpanExporter()
    )
    try:
        assert tracing.exemplar(tracing.new_traceparent()) is not None
        assert tracing.exemplar(tracing.new_traceparent().removesuffix("01") + "00") is None
        assert tracing.exemplar("") is None
    finally:
        tracing.shutdown_tracing()


def test_no_series_tells_when_a_counter_began(ops: httpx.Client) -> None:
    SECONDS.observe(0.1)
    assert "test_ops_seconds_count" in ops.get("/metrics").text
    assert "_created" not in ops.get("/metrics").text


def test_checks_that_fail_are_named_and_shown(ops: httpx.Client) -> None:
    async def answers() -> None: ...

    async def is_away() -> None:
        raise ConnectionRefusedError

    readiness = Readiness()
    readiness.checks = {"store": answers, "broker": is_away}
    asyncio.run(readiness.look())
    assert readiness.waiting_for == ["broker"]
    metrics = ops.get("/metrics").text
    assert 'quantmesh_dependency_up{dependency="store"} 1.0' in metrics
    assert 'quantmesh_dependency_up{dependency="broker"} 0.0' in metrics


def test_a_build_says_what_runs(ops: httpx.Client) -> None:
    show_build("ledger-worker", "0123abc")
    assert 'quantmesh_build_info{program="ledger-worker",revision="0123abc"} 1.0' in ops.get("/metrics").text
