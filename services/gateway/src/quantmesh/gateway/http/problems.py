"""Errors as RFC 9457 problems."""

import math
from typing import Any

import orjson

from quantmesh.chassis.errors import HTTP_STATUS, QuantmeshError, Violation
from quantmesh.gateway.core.errors import (
    IdempotencyKeyMissing,
    IfMatchMissing,
    MalformedRequest,
    MethodNotAllowed,
    PayloadTooLarge,
    RequestTimedOut,
    UnsupportedCoding,
    UnsupportedMediaType,
)
from quantmesh.gateway.http import catalogue
from quantmesh.gateway.http.answer import Answer
from quantmesh.gateway.http.edge import Header

PROBLEM_JSON = b"application/problem+json"

# What is of no kind that services share, then the kinds, the most general one last.
_STATUS: dict[type[QuantmeshError], int] = {
    MalformedRequest: 400,
    IdempotencyKeyMissing: 400,
    MethodNotAllowed: 405,
    RequestTimedOut: 408,
    PayloadTooLarge: 413,
    UnsupportedMediaType: 415,
    UnsupportedCoding: 415,
    IfMatchMissing: 428,
    **HTTP_STATUS,
}
# Messages that nest on the wire what the JSON has flat; a violation names the JSON's place.
_ENVELOPES = (
    "transaction.",
    "contract.",
    "heston.",
    "bates.",
    "sabr.",
    "sabr_normal.",
    "positions.positions",
    "options.",
    "page.",
)
_PLACES = {"positions.positions": "positions"}
# What services say in JSON, and is shown as such.
_OBJECTS = ("denials", "suggestion")


def status_of(error: QuantmeshError) -> int:
    return next(status for kind, status in _STATUS.items() if isinstance(error, kind))


def problem_document(error: QuantmeshError, *, instance: str, request_id: str, field_root: str = "#") -> dict[str, Any]:
    """What a client reads; `field_root` is where a service's bare field names lie in the request.

    A 500 says nothing of its cause: that is in the log under the request id. A `suggestion` holds what to put into the
    request for it to pass; `rule` and `denials` say what an order would break, in numbers.
    """
    status = status_of(error)
    slug = error.problem if status != 500 else "internal"
    document: dict[str, Any] = {
        "type": f"/problems/{slug}",
        "title": catalogue.title(slug),
        "status": status,
        "detail": error.detail if status != 500 else "Something broke here; the operators can find it by request_id.",
        "instance": instance,
        "request_id": request_id,
    }
    if error.violations:
        document["errors"] = [
            {"pointer": pointer(violation, field_root), "detail": violation.description}
            for violation in error.violations
        ]
    if "rule" in error.metadata:
        document["rule"] = error.metadata["rule"]
    document.update({name: orjson.loads(error.metadata[name]) for name in _OBJECTS if name in error.metadata})
    return document


def problem_answer(error: QuantmeshError, *, instance: str, request_id: str, field_root: str = "#") -> Answer:
    document = problem_document(error, instance=instance, request_id=request_id, field_root=field_root)
    headers: list[Header] = []
    status = document["status"]
    retry_after = error.retry_after_seconds
    if retry_after is None and status in (425, 429, 503):
        retry_after = 1.0
    if retry_after is not None:
        headers.append((b"retry-after", str(max(1, math.ceil(retry_after))).encode("ascii")))
    if status == 401:
        headers.append((b"www-authenticate", b'Bearer realm="quantmesh"'))
    if isinstance(error, MethodNotAllowed):
        headers.append((b"allow", ", ".join(error.allowed).encode("ascii")))
    if isinstance(error, UnsupportedCoding):
        headers.append((b"accept-encoding", b"identity"))
    if isinstance(error, PayloadTooLarge | RequestTimedOut):
        # The rest of the body is not wanted.
        headers.append((b"connection", b"close"))
    return Answer(orjson.dumps(document), status=status, content_type=PROBLEM_JSON, headers=tuple(headers))


def pointer(violation: Violation, root: str = "#") -> str:
    """The edge's own violations are pointers already; a service's is the dotted path of its message."""
    field = violation.field
    if field == "idempotency-key":
        return "header/Idempotency-Key"
    if "/" in field or field.startswith("#"):
        return field
    for envelope in _ENVELOPES:
        if field.startswith(envelope):
            field = _PLACES.get(envelope, "") + field[len(envelope) :]
            break
    return f"{root}/" + field.replace("[", ".").replace("]", "").replace(".", "/")
