"""Traces: OpenTelemetry spans where an OTLP address is set, else the caller's traceparent passed on untouched.

The SDK is loaded only where it is used: it takes memory and time in each of eight processes.
"""

import secrets
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import SpanKind

_FLUSH_SECONDS = 1.0
# Of a traceparent's flags (W3C Trace Context, 3.2.2.5.1).
_SAMPLED = 1

_provider: "TracerProvider | None" = None
_exporter: "SpanExporter | None" = None


def configure_tracing(
    service: str, *, endpoint: str, environment: str, sample_ratio: float, exporter: "SpanExporter | None" = None
) -> None:
    """Start exporting spans to `endpoint` (OTLP over gRPC), or to `exporter`; without either nothing is recorded."""
    global _provider, _exporter  # noqa: PLW0603  one process, one tracer
    if not endpoint and exporter is None:
        return
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

    resource = Resource.create(
        {"service.name": service, "service.namespace": "quantmesh", "deployment.environment.name": environment}
    )
    _provider = TracerProvider(resource=resource, sampler=ParentBased(TraceIdRatioBased(sample_ratio)))
    _exporter = exporter or OTLPSpanExporter(endpoint=endpoint, insecure=True)
    _provider.add_span_processor(BatchSpanProcessor(_exporter))


def shutdown_tracing() -> None:
    """Export what is left, within a moment: for a collector that is away the SDK would try half a minute."""
    global _provider, _exporter  # noqa: PLW0603  see configure_tracing
    if _provider is None or _exporter is None:
        return
    # An exporter that is shut down gives up what it is trying.
    patience = threading.Timer(_FLUSH_SECONDS, _exporter.shutdown)
    patience.daemon = True
    patience.start()
    _provider.shutdown()
    patience.cancel()
    _provider = _exporter = None


def new_traceparent() -> str:
    """A fresh W3C trace context, for a request that came without one."""
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"


def is_traceparent(text: str) -> bool:
    """Whether `text` is a version 00 traceparent that may be passed on (W3C Trace Context, 3.2)."""
    parts = text.split("-")
    if [len(part) for part in parts] != [2, 32, 16, 2] or parts[0] != "00":
        return False
    return all(set(part) <= set("0123456789abcdef") for part in parts) and bool(int(parts[1], 16) and int(parts[2], 16))


def exemplar(traceparent: str) -> dict[str, str] | None:
    """What leads from a histogram's bucket to the trace of one observation; None where that trace is kept nowhere."""
    if _provider is None or not is_traceparent(traceparent):
        return None
    _, trace_id, _, flags = traceparent.split("-")
    return {"trace_id": trace_id} if int(flags, 16) & _SAMPLED else None


def client_span(name: str) -> AbstractContextManager[str]:
    """A span around a call out; gives the traceparent to send, empty where nothing is traced."""
    if _provider is None:
        return nullcontext("")
    from opentelemetry.trace import SpanKind

    return _span(name, "", SpanKind.CLIENT)


def server_span(name: str, traceparent: str) -> AbstractContextManager[str]:
    """A span around a call in, below the caller's; gives the traceparent of this span."""
    if _provider is None:
        return nullcontext(traceparent)
    from opentelemetry.trace import SpanKind

    return _span(name, traceparent, SpanKind.SERVER)


@contextmanager
def _span(name: str, traceparent: str, kind: "SpanKind") -> Iterator[str]:
    from opentelemetry.trace import use_span
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    propagator = TraceContextTextMapPropagator()
    parent = propagator.extract({"traceparent": traceparent}) if traceparent else None
    tracer = _provider.get_tracer("quantmesh") if _provider is not None else None
    if tracer is None:
        yield traceparent
        return
    span = tracer.start_span(name, context=parent, kind=kind)
    with use_span(span, end_on_exit=True):
        carrier: dict[str, str] = {}
        propagator.inject(carrier)
        yield carrier.get("traceparent", traceparent)
