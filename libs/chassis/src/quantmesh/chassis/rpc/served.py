"""What is told of a call that was served, whether it came by itself or among others: its span, its error, its time."""

import asyncio
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

import grpc
from prometheus_client import Histogram

from quantmesh.chassis.errors import QuantmeshError
from quantmesh.chassis.rpc.status import code_of
from quantmesh.chassis.telemetry import tracing
from quantmesh.chassis.telemetry.logs import get_logger

log = get_logger(__name__)

_SECONDS = Histogram(
    "quantmesh_rpc_seconds",
    "Time a call was served in",
    ["rpc_service", "method", "code"],
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0),
)
REQUEST_ID_LIMIT = 128
Carrying = TypeVar("Carrying", bound=Callable[..., object])


def carries_calls(method: Carrying) -> Carrying:
    """A method that is a line: what is told of it is told of each call on it, and not of the line, which just lasts."""
    method.__carries_calls__ = True  # type: ignore[attr-defined]  # functions have room for it
    return method


@cache
def _observer(service: str, method: str, code: str) -> Callable[[float, dict[str, str] | None], None]:
    """Looking labels up takes longer than observing."""
    return _SECONDS.labels(service, method, code).observe


@dataclass(frozen=True, slots=True)
class Method:
    """`service` is the full name, as in a descriptor."""

    service: str
    name: str

    @property
    def full_name(self) -> str:
        return f"{self.service}/{self.name}"

    def span(self, request_id: str, traceparent: str) -> AbstractContextManager[str]:
        attributes = {"rpc.system": "grpc", "quantmesh.request_id": request_id}
        return tracing.server_span(self.full_name, traceparent, attributes)

    def measure(self, code: str, started: float, traceparent: str) -> None:
        """`started` is of perf_counter."""
        _observer(self.service, self.name, code)(time.perf_counter() - started, tracing.exemplar(traceparent))

    def shown(self, error: BaseException) -> QuantmeshError:
        """The error as the caller may see it; what is a fault of ours is logged instead."""
        if isinstance(error, QuantmeshError) and code_of(error) is not grpc.StatusCode.INTERNAL:
            return error
        log.error("call failed", method=self.full_name, exc_info=error)
        return QuantmeshError("Something went wrong on our side; the request id finds it in the logs.")


def code_name(error: BaseException) -> str:
    if isinstance(error, QuantmeshError):
        return code_of(error).name
    return "CANCELLED" if isinstance(error, asyncio.CancelledError | GeneratorExit) else "INTERNAL"
