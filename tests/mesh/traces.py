"""A collector of OpenTelemetry spans, as every service exports them (OTLP over gRPC)."""

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    TraceServiceServicer,
    add_TraceServiceServicer_to_server,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span


@dataclass(frozen=True)
class Seen:
    service: str
    span: Span


class TraceCollector(TraceServiceServicer):
    """Keeps the latest spans; it listens from its making on."""

    def __init__(self) -> None:
        self._seen: deque[Seen] = deque(maxlen=50_000)
        self._server = grpc.server(ThreadPoolExecutor(2))
        add_TraceServiceServicer_to_server(self, self._server)  # type: ignore[no-untyped-call]  # generated
        self.endpoint = f"http://127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()

    def Export(  # noqa: N802  the proto's name
        self, request: ExportTraceServiceRequest, context: grpc.ServicerContext
    ) -> ExportTraceServiceResponse:
        for resource in request.resource_spans:
            service = next(
                item.value.string_value for item in resource.resource.attributes if item.key == "service.name"
            )
            self._seen.extend(Seen(service, span) for scope in resource.scope_spans for span in scope.spans)
        return ExportTraceServiceResponse()

    def of_trace(self, trace_id: bytes) -> list[Seen]:
        return [seen for seen in tuple(self._seen) if seen.span.trace_id == trace_id]

    def stop(self) -> None:
        self._server.stop(None).wait()
