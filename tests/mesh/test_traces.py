"""One request, one trace through every service that it touches."""

import secrets
import time

import httpx
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from .accounts import API
from .traces import Seen, TraceCollector

OPTION = {"option_type": "call", "spot": 100, "strike": 90, "time_to_expiry": 0.5, "rate": 0.01, "volatility": 0.3}
# Spans leave a service every five seconds.
PATIENCE_SECONDS = 30.0


def one(seen: list[Seen], service: str, kind: "Span.SpanKind.ValueType", name: str) -> Span:
    found = [
        each.span for each in seen if each.service == service and each.span.kind == kind and name in each.span.name
    ]
    assert len(found) == 1, [(each.service, each.span.kind, each.span.name) for each in seen]
    return found[0]


def test_a_price_is_one_trace_from_the_client_through_gateway_and_pricing(
    user: httpx.Client, traces: TraceCollector
) -> None:
    trace_id, client_span = secrets.token_bytes(16), secrets.token_bytes(8)
    traceparent = f"00-{trace_id.hex()}-{client_span.hex()}-01"
    user.post(f"{API}/options/price", json=OPTION, headers={"traceparent": traceparent}).raise_for_status()
    deadline = time.monotonic() + PATIENCE_SECONDS
    wanted = {"quantmesh-gateway", "quantmesh-pricing"}
    while not wanted <= {each.service for each in traces.of_trace(trace_id)}:
        assert time.monotonic() < deadline, traces.of_trace(trace_id)
        time.sleep(0.1)
    seen = traces.of_trace(trace_id)
    edge = one(seen, "quantmesh-gateway", Span.SPAN_KIND_SERVER, "/options/price")
    call = one(seen, "quantmesh-gateway", Span.SPAN_KIND_CLIENT, "Price")
    served = one(seen, "quantmesh-pricing", Span.SPAN_KIND_SERVER, "PricingService/Price")
    assert edge.parent_span_id == client_span
    assert call.parent_span_id == edge.span_id
    assert served.parent_span_id == call.span_id
    assert edge.start_time_unix_nano <= served.start_time_unix_nano <= served.end_time_unix_nano
    assert served.end_time_unix_nano <= edge.end_time_unix_nano
