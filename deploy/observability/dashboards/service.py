"""The dashboard of one service: one shape for all, with the parts that its declaration says it has."""

from collections.abc import Iterator, Sequence

from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards.calls import calls_out, calls_served, requests_served
from dashboards.frame import Row, frame
from dashboards.panels import Limits, number
from dashboards.promql import rate, select
from dashboards.work import cache, database, events_in, events_out, jobs
from quantmesh.local.workspace import ServiceDeclaration


def service(declared: ServiceDeclaration, own: Sequence[Row] = ()) -> Dashboard:
    """`own` are the rows that no other service has."""
    return frame(
        f"service-{declared.name}",
        f"Service: {declared.name}",
        f"Requests, errors and times of {declared.name} and its worker, and of what they depend on.",
        [*_rows(declared), *own, _processes(declared)],
        tags=["service"],
    )


def _rows(declared: ServiceDeclaration) -> Iterator[Row]:
    part = _part(declared)
    yield ("Requests", requests_served(part)) if "http" in declared.ports else ("Calls served", calls_served(part))
    if declared.peers:
        yield "Calls to others", calls_out(part)
    if "postgres" in declared.servers:
        yield "Database", database(part)
    if {"postgres", "nats"} <= set(declared.servers):
        yield "Events out", events_out(declared.name)
    if declared.consumers:
        yield "Events in", events_in(part)
    if declared.worker is not None:
        yield "Jobs", jobs(part)
    if "redis" in declared.servers:
        yield "Cache", cache(part)


def _part(declared: ServiceDeclaration) -> str:
    """Of the service and its worker."""
    return f'job=~"{declared.name}(-worker)?"' if declared.worker is not None else f'job="{declared.name}"'


def _processes(declared: ServiceDeclaration) -> Row:
    part = _part(declared)
    return "Processes", [
        number(
            "Replicas",
            "short",
            f"count({select('up', part)} == 1)",
            means="Processes that answer.",
            runbook="PartDown",
            limits=Limits(1.0, 0.5),
        ),
        number(
            "Starts in the last hour",
            "short",
            f"sum(changes({select('process_start_time_seconds', part)}[1h]))",
            means="A process that ends by itself is started again.",
            runbook="PartRestarts",
            limits=Limits(1.0, 3.0),
        ),
        number(
            "Dependencies",
            "short",
            f"min({select('quantmesh_dependency_up', part)})",
            means="1 while every server that the service needs answers it.",
            runbook="NotReady",
            limits=Limits(1.0, 0.5),
        ),
        number(
            "Memory",
            "bytes",
            f"max({select('process_resident_memory_bytes', part)})",
            means="Resident memory of the largest process.",
        ),
        number(
            "Processor",
            "percentunit",
            rate("process_cpu_seconds_total", part),
            means="Cores in use by all replicas.",
        ),
        number(
            "Open files",
            "short",
            f"max({select('process_open_fds', part)})",
            means="Of the process that has most.",
        ),
    ]
