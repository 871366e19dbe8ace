"""Logs to a collector (OTLP over gRPC), beside the traces that they belong to."""

from typing import TYPE_CHECKING

from quantmesh.chassis.context import current_call
from quantmesh.chassis.telemetry.logs import Fields, Forward
from quantmesh.chassis.telemetry.resource import resource_of
from quantmesh.chassis.telemetry.tracing import context_of

if TYPE_CHECKING:
    from opentelemetry.sdk._logs.export import LogRecordExporter

# A collector that is away is tried this long, also at the process' end.
_TIMEOUT_SECONDS = 1.0
# The exporter's own complaints would come back to it.
_OWN = "opentelemetry"


def export_logs(
    service: str, *, endpoint: str, environment: str, exporter: "LogRecordExporter | None" = None
) -> Forward:
    """What a line says, as a record with its trace; the standard output has it as well."""
    from opentelemetry._logs import LogRecord, SeverityNumber
    from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor

    provider = LoggerProvider(resource=resource_of(service, environment))
    provider.add_log_record_processor(
        BatchLogRecordProcessor(exporter or OTLPLogExporter(endpoint=endpoint, insecure=True, timeout=_TIMEOUT_SECONDS))
    )
    logger = provider.get_logger("quantmesh")
    severities = {
        "debug": SeverityNumber.DEBUG,
        "info": SeverityNumber.INFO,
        "warning": SeverityNumber.WARN,
        "error": SeverityNumber.ERROR,
        "critical": SeverityNumber.FATAL,
    }

    def export(fields: Fields, exception: BaseException | None) -> None:
        if str(fields.get("logger", "")).startswith(_OWN):
            return
        level = str(fields.get("level", "info"))
        logger.emit(
            LogRecord(
                body=str(fields.get("event", "")),
                severity_text=level.upper(),
                severity_number=severities.get(level, SeverityNumber.INFO),
                attributes={
                    name: value if isinstance(value, str | bool | int | float) else str(value)
                    for name, value in fields.items()
                    if name not in {"event", "level", "timestamp"}
                },
                # Some lines are written when the span has ended.
                context=context_of(current_call().traceparent),
                exception=exception,
            )
        )

    return export
