"""A collector of OpenTelemetry's spans and log records, as every service exports them (OTLP over gRPC)."""

import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import grpc
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.logs.v1.logs_service_pb2_grpc import (
    LogsServiceServicer,
    add_LogsServiceServicer_to_server,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    TraceServiceServicer,
    add_TraceServiceServicer_to_server,
)
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

# An anchor takes a batch's time and two blocks.
_PATIENCE_SECONDS = 90.0


@dataclass(frozen=True)
class SeenSpan:
    service: str
    span: Span

    def attribute(self, name: str) -> str:
        return next((item.value.string_value for item in self.span.attributes if item.key == name), "")


@dataclass(frozen=True)
class SeenLog:
    service: str
    record: LogRecord


class TelemetryCollector:
    """Keeps the latest of both; it listens from its making on."""

    def __init__(self) -> None:
        self._spans: deque[SeenSpan] = deque(maxlen=100_000)
        self._logs: deque[SeenLog] = deque(maxlen=20_000)
        self._server = grpc.server(ThreadPoolExecutor(2))
        add_TraceServiceServicer_to_server(_Traces(self._spans), self._server)  # type: ignore[no-untyped-call]  # generated
        add_LogsServiceServicer_to_server(_Logs(self._logs), self._server)  # type: ignore[no-untyped-call]  # generated
        self.endpoint = f"http://127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()

    def trace(self, trace_id: bytes, complete: Callable[[list[SeenSpan]], bool]) -> list[SeenSpan]:
        """All spans of a trace, once they are complete."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not complete(seen := [each for each in tuple(self._spans) if each.span.trace_id == trace_id]):
            assert time.monotonic() < deadline, [(each.service, each.span.name) for each in seen]
            time.sleep(0.1)
        return seen

    def logs(self, trace_id: bytes) -> list[SeenLog]:
        """The first that arrive of a trace."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not (seen := [each for each in tuple(self._logs) if each.record.trace_id == trace_id]):
            assert time.monotonic() < deadline, "no log record of this trace arrived"
            time.sleep(0.1)
        return seen

    def stop(self) -> None:
        self._server.stop(None).wait()


class _Traces(TraceServiceServicer):
    def __init__(self, seen: deque[SeenSpan]) -> None:
        self._seen = seen

    def Export(  # noqa: N802  the proto's name
        self, request: ExportTraceServiceRequest, context: grpc.ServicerContext
    ) -> ExportTraceServiceResponse:
        for each in request.resource_spans:
            service = _service_of(each.resource)
            self._seen.extend(SeenSpan(service, span) for scope in each.scope_spans for span in scope.spans)
        return ExportTraceServiceResponse()


class _Logs(LogsServiceServicer):
    def __init__(self, seen: deque[SeenLog]) -> None:
        self._seen = seen

    def Export(  # noqa: N802  the proto's name
        self, request: ExportLogsServiceRequest, context: grpc.ServicerContext
    ) -> ExportLogsServiceResponse:
        for each in request.resource_logs:
            service = _service_of(each.resource)
            self._seen.extend(SeenLog(service, record) for scope in each.scope_logs for record in scope.log_records)
        return ExportLogsServiceResponse()


def _service_of(resource: Resource) -> str:
    return next(item.value.string_value for item in resource.attributes if item.key == "service.name")
