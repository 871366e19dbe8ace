"""Who speaks, in traces and logs."""

import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource


def resource_of(service: str, environment: str) -> "Resource":
    from opentelemetry.sdk.resources import Resource

    return Resource.create(
        {
            "service.name": service,
            "service.namespace": "quantmesh",
            # In a cluster that is the pod.
            "service.instance.id": socket.gethostname(),
            "deployment.environment.name": environment,
        }
    )
