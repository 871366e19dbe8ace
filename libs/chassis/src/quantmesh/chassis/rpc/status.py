"""Errors on the wire: QuantmeshError to google.rpc.Status and back, nothing lost on the way."""

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from quantmesh.chassis.errors import (
    KINDS,
    AlreadyExists,
    Conflict,
    InvalidInput,
    NotFound,
    PermissionDenied,
    PreconditionFailed,
    QuantmeshError,
    RuleBroken,
    TooEarly,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
    Violation,
    kind_of,
)

DOMAIN = "quantmesh"


class Unimplemented(QuantmeshError):
    """The peer does not know the method: it is of an earlier release. Nothing was done."""


_CODES: dict[type[QuantmeshError], int] = {
    InvalidInput: code_pb2.INVALID_ARGUMENT,
    RuleBroken: code_pb2.FAILED_PRECONDITION,
    Unauthenticated: code_pb2.UNAUTHENTICATED,
    PermissionDenied: code_pb2.PERMISSION_DENIED,
    NotFound: code_pb2.NOT_FOUND,
    Conflict: code_pb2.ABORTED,
    AlreadyExists: code_pb2.ALREADY_EXISTS,
    PreconditionFailed: code_pb2.ABORTED,
    TooEarly: code_pb2.FAILED_PRECONDITION,
    TooManyRequests: code_pb2.RESOURCE_EXHAUSTED,
    Unavailable: code_pb2.UNAVAILABLE,
    QuantmeshError: code_pb2.INTERNAL,
}
_KINDS_BY_NAME = {kind.__name__: kind for kind in KINDS}
# What a peer or the transport says without our details.
_KINDS_BY_CODE: dict[grpc.StatusCode, type[QuantmeshError]] = {
    grpc.StatusCode.INVALID_ARGUMENT: InvalidInput,
    grpc.StatusCode.OUT_OF_RANGE: InvalidInput,
    grpc.StatusCode.FAILED_PRECONDITION: RuleBroken,
    grpc.StatusCode.UNAUTHENTICATED: Unauthenticated,
    grpc.StatusCode.PERMISSION_DENIED: PermissionDenied,
    grpc.StatusCode.NOT_FOUND: NotFound,
    grpc.StatusCode.ABORTED: Conflict,
    grpc.StatusCode.ALREADY_EXISTS: AlreadyExists,
    grpc.StatusCode.RESOURCE_EXHAUSTED: TooManyRequests,
    grpc.StatusCode.UNAVAILABLE: Unavailable,
    grpc.StatusCode.DEADLINE_EXCEEDED: Unavailable,
    grpc.StatusCode.CANCELLED: Unavailable,
    grpc.StatusCode.UNIMPLEMENTED: Unimplemented,
}
_CODES_BY_NUMBER = {code.value[0]: code for code in grpc.StatusCode}


def code_of(error: QuantmeshError) -> grpc.StatusCode:
    return _CODES_BY_NUMBER[_CODES[kind_of(error)]]


def to_status(error: QuantmeshError) -> status_pb2.Status:
    """The status with ErrorInfo always, BadRequest for violations, RetryInfo where a later call may succeed."""
    kind = kind_of(error)
    info = error_details_pb2.ErrorInfo(
        reason=error.problem, domain=DOMAIN, metadata={**error.metadata, "kind": kind.__name__}
    )
    details = [_packed(info)]
    if error.violations:
        bad_request = error_details_pb2.BadRequest(
            field_violations=[
                error_details_pb2.BadRequest.FieldViolation(field=violation.field, description=violation.description)
                for violation in error.violations
            ]
        )
        details.append(_packed(bad_request))
    if error.retry_after_seconds is not None:
        delay = duration_pb2.Duration()
        delay.FromMilliseconds(round(error.retry_after_seconds * 1000))
        details.append(_packed(error_details_pb2.RetryInfo(retry_delay=delay)))
    return status_pb2.Status(code=_CODES[kind], message=error.detail, details=details)


def from_rpc_error(error: grpc.aio.AioRpcError, peer: str) -> QuantmeshError:
    """The error that the peer raised, or what the transport's failure means to the caller."""
    status = rpc_status.from_call(error)  # type: ignore[arg-type]  # has the same methods as a Call
    if status is not None:
        remote = from_status(status)
        if remote is not None:
            return remote
    code = error.code()
    kind = _KINDS_BY_CODE.get(code, QuantmeshError)
    if kind is Unavailable:
        return Unavailable(
            f"{peer} did not answer ({code.name.lower()}).", retry_after_seconds=1.0, metadata={"peer": peer}
        )
    return kind(error.details() or f"{peer} answered {code.name}.", metadata={"peer": peer})


def from_status(status: status_pb2.Status) -> QuantmeshError | None:
    """The error that `to_status` was given; None where it was not ours."""
    info = error_details_pb2.ErrorInfo()
    bad_request = error_details_pb2.BadRequest()
    retry = error_details_pb2.RetryInfo()
    known = False
    for detail in status.details:
        if detail.Is(info.DESCRIPTOR):
            known = detail.Unpack(info) and info.domain == DOMAIN
        elif detail.Is(bad_request.DESCRIPTOR):
            detail.Unpack(bad_request)
        elif detail.Is(retry.DESCRIPTOR):
            detail.Unpack(retry)
    if not known:
        return None
    metadata = dict(info.metadata)
    kind = _KINDS_BY_NAME.get(metadata.pop("kind", ""), QuantmeshError)
    # The peer's own leaf is not importable here: a subclass with its slug stands in for it.
    leaf = type(kind.__name__, (kind,), {"problem": info.reason})
    remote: QuantmeshError = leaf(
        status.message,
        violations=[Violation(item.field, item.description) for item in bad_request.field_violations],
        retry_after_seconds=retry.retry_delay.ToMilliseconds() / 1000 if retry.HasField("retry_delay") else None,
        metadata=metadata,
    )
    return remote


def _packed(message: object) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(message)  # type: ignore[arg-type]  # every protobuf message
    return packed
