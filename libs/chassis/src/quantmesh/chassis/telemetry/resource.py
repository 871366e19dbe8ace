"""Who speaks, in traces and logs."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource


def resource_of(service: str, environment: str) -> "Resource":
    from opentelemetry.sdk.resources import Resource

    return Resource.create(
        {"service.name": service, "service.namespace": "quantmesh", "deployment.environment.name": environment}
    )
