"""Traces: OpenTelemetry spans where an OTLP address is set, else the caller's traceparent passed on untouched.

The SDK is loaded only where it is used: it takes memory and time in each of eight processes.
"""

import os
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import datetime
from typing import TYPE_CHECKING

from quantmesh.chassis.errors import QuantmeshError, Unavailable
from quantmesh.chassis.telemetry.resource import resource_of
from quantmesh.chassis.telemetry.wording import stack, wording

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Span, SpanKind, Tracer

Attributes = Mapping[str, str | int | float | bool]

_FLUSH_SECONDS = 1.0
_QUERY_LIMIT = 2048
_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
# Of a traceparent's flags (W3C Trace Context, 3.2.2.5.1).
_SAMPLED = 1
_UNTRACED = nullcontext("")

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
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

    _provider = TracerProvider(
        resource=resource_of(service, environment), sampler=ParentBased(TraceIdRatioBased(sample_ratio))
    )
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
    digits = os.urandom(24).hex()
    return f"00-{digits[:32]}-{digits[32:]}-01"


def is_traceparent(text: str) -> bool:
    """Whether `text` is a version 00 traceparent that may be passed on (W3C Trace Context, 3.2)."""
    return _TRACEPARENT.fullmatch(text) is not None


def exemplar(traceparent: str) -> dict[str, str] | None:
    """What leads from a histogram's bucket to the trace of one observation; None where that trace is kept nowhere."""
    if _provider is None or not is_traceparent(traceparent):
        return None
    _, trace_id, _, flags = traceparent.split("-")
    return {"trace_id": trace_id} if int(flags, 16) & _SAMPLED else None


def client_span(name: str, attributes: Attributes | None = None) -> AbstractContextManager[str]:
    """A span around a call out; gives the traceparent to send, empty where nothing is traced."""
    if _provider is None:
        return _UNTRACED
    from opentelemetry.trace import SpanKind

    return _span(name, "", SpanKind.CLIENT, attributes)


def server_span(name: str, traceparent: str, attributes: Attributes | None = None) -> AbstractContextManager[str]:
    """A span around a call in, below the caller's; gives the traceparent of this span.

    Where nothing is traced that is the caller's, or a fresh one where none came that may be passed on.
    """
    return _entry(name, traceparent, "SERVER", attributes)


def consumer_span(name: str, traceparent: str, attributes: Attributes | None = None) -> AbstractContextManager[str]:
    """A span around the handling of an event, below the call that recorded it; otherwise as `server_span`."""
    return _entry(name, traceparent, "CONSUMER", attributes)


def describe_span(name: str, attributes: Attributes, *, failed: bool) -> None:
    """What is known of the current span only at its end, such as the route that a path belongs to."""
    if _provider is None:
        return
    from opentelemetry.trace import Status, StatusCode, get_current_span

    span = get_current_span()
    span.update_name(name)
    span.set_attributes(attributes)
    if failed:
        span.set_status(Status(StatusCode.ERROR))


def add_span(name: str, traceparent: str, began: datetime, ended: datetime, attributes: Attributes) -> None:
    """A span of what nobody sat waiting for, below that of `traceparent`; nothing where that was not sampled."""
    if _provider is None or not is_traceparent(traceparent):
        return
    span = _tracer(_provider).start_span(
        name, context=context_of(traceparent), attributes=attributes, start_time=_nanoseconds(began)
    )
    span.end(_nanoseconds(ended))


def statement_span(query: str) -> AbstractContextManager[str]:
    """A span around one SQL statement, whose values travel beside its text and are left out.

    Only below another span: what a service does by itself would be a trace per statement.
    """
    if _provider is None:
        return _UNTRACED
    from opentelemetry.trace import SpanKind, get_current_span

    if not get_current_span().is_recording():
        return _UNTRACED
    operation = query.split(maxsplit=1)[0].upper()
    attributes = {
        "db.system.name": "postgresql",
        "db.operation.name": operation,
        "db.query.text": query.strip()[:_QUERY_LIMIT],
    }
    return _span(operation, "", SpanKind.CLIENT, attributes)


def _entry(name: str, traceparent: str, kind: str, attributes: Attributes | None) -> AbstractContextManager[str]:
    """Nothing malformed goes further: what is passed on comes to stand in logs and in SQL."""
    trusted = traceparent if is_traceparent(traceparent) else ""
    if _provider is None:
        return nullcontext(trusted or new_traceparent())
    from opentelemetry.trace import SpanKind

    return _span(name, trusted, SpanKind[kind], attributes)


@contextmanager
def _span(name: str, traceparent: str, kind: "SpanKind", attributes: Attributes | None) -> Iterator[str]:
    from opentelemetry.trace import Status, StatusCode, use_span

    if _provider is None:
        yield traceparent
        return
    span = _tracer(_provider).start_span(name, context=context_of(traceparent), kind=kind, attributes=attributes)
    with use_span(span, end_on_exit=True, record_exception=False, set_status_on_exception=False):
        try:
            yield _traceparent_of(span)
        except Exception as error:
            span.set_attribute("error.type", type(error).__qualname__)
            # A refusal is an answer; only what failed is an error of this span.
            if not _is_refusal(error):
                span.set_status(Status(StatusCode.ERROR, wording(error)))
                told = {"exception.message": wording(error), "exception.stacktrace": stack(error)}
                span.record_exception(error, attributes=told)
            raise


def _is_refusal(error: Exception) -> bool:
    return isinstance(error, QuantmeshError) and error.problem != "internal" and not isinstance(error, Unavailable)


def _tracer(provider: "TracerProvider") -> "Tracer":
    return provider.get_tracer("quantmesh")


def context_of(traceparent: str) -> "Context | None":
    """That of a caller; None, which means the current one, without any."""
    if not traceparent:
        return None
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    return TraceContextTextMapPropagator().extract({"traceparent": traceparent})


def _traceparent_of(span: "Span") -> str:
    context = span.get_span_context()
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def _nanoseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1e6) * 1000
