"""Where log lines go besides the standard output, by the settings; what is not asked for is not loaded."""

from quantmesh.chassis.settings import ServiceSettings
from quantmesh.chassis.telemetry.logs import Forward


def forwards_of(name: str, program: str, settings: ServiceSettings) -> list[Forward]:
    forwards: list[Forward] = []
    if settings.otlp_endpoint:
        from quantmesh.chassis.telemetry.log_export import export_logs

        forwards.append(
            export_logs(f"quantmesh-{name}", endpoint=settings.otlp_endpoint, environment=settings.environment)
        )
    if dsn := settings.sentry_dsn.get_secret_value():
        from quantmesh.chassis.telemetry.error_reports import report_errors

        forwards.append(report_errors(program, dsn=dsn, environment=settings.environment, revision=settings.revision))
    return forwards
