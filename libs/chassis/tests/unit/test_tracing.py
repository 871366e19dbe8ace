"""Spans whose collector is away cost nothing but the spans."""

import time

from quantmesh.chassis.telemetry import tracing
from quantmesh.local.network import free_port


def test_a_collector_that_is_away_slows_nothing_and_delays_no_end() -> None:
    tracing.configure_tracing(
        "ledger", endpoint=f"http://127.0.0.1:{free_port()}", environment="test", sample_ratio=1.0
    )
    try:
        began = time.process_time()
        for _ in range(3000):
            with tracing.server_span("call", ""), tracing.client_span("peer") as traceparent:
                assert tracing.is_traceparent(traceparent)
        # More than its queue holds; the rest is dropped.
        assert (time.process_time() - began) / 6000 < 0.001
    finally:
        ending = time.monotonic()
        tracing.shutdown_tracing()
    assert time.monotonic() - ending < 8.0
