"""What a call can end with besides an answer.

ClientError
├── Unreachable       nobody listens at the address, or the connection broke
├── Unreadable        what was answered is not what the API answers: something else listens there
├── Unsendable        what was given makes no request: NaN, an address without http://, an API key that is no ASCII
├── Problem           the API answered with a problem (RFC 9457); subclasses tell the ones that callers act on
│   ├── NotSignedIn   401: no token, or one that is no longer good
│   ├── NotYet        425: the answer is still being made
│   ├── StillRunning  409: an earlier attempt of this call has not ended; repeated, it answers the same
│   └── Overloaded    429 or 503: the same call may succeed after `retry_after_seconds`
├── JobFailed         a job ended without a result
└── StreamClosed      the WebSocket ended and could not be resumed
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx


class ClientError(Exception):
    """Base of everything that this package raises on purpose; its text is for people."""


class Unreachable(ClientError):
    retry_after_seconds = 0.5

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(f"{address} cannot be reached: {reason}. Is the mesh up? `make up` starts it.")


class Unreadable(ClientError):
    def __init__(self, address: str, wanted: str) -> None:
        super().__init__(f"{address} answered something that is no {wanted}. Is it the gateway of a mesh?")


class Unsendable(ClientError):
    def __init__(self, reason: str) -> None:
        super().__init__(f"The request cannot be sent: {reason}.")


@dataclass(frozen=True)
class Violation:
    """`pointer` is a JSON pointer into the request's body."""

    pointer: str
    detail: str


class Problem(ClientError):
    def __init__(
        self,
        status: int,
        kind: str,
        detail: str,
        *,
        request_id: str = "",
        retry_after_seconds: float = 1.0,
        violations: Sequence[Violation] = (),
        rule: str | None = None,
        denials: Sequence[Mapping[str, Any]] = (),
        suggestion: Mapping[str, Any] | None = None,
    ) -> None:
        lines = [detail, *(f"{violation.pointer}: {violation.detail}" for violation in violations)]
        if suggestion is not None:
            lines.append(f"What would pass: {json.dumps(suggestion)}")
        super().__init__("\n  ".join(lines))
        self.status = status
        self.kind = kind
        """The last part of the problem's type, such as `insufficient-cash`."""
        self.detail = detail
        self.request_id = request_id
        self.retry_after_seconds = retry_after_seconds
        self.violations = tuple(violations)
        self.rule = rule
        """The rule that denies an order, the first of `denials`: each has its value, its limit and the value after."""
        self.denials = tuple(denials)
        self.suggestion = suggestion
        """What to put into the request for it to pass, where that is known."""


class NotSignedIn(Problem):
    pass


class NotYet(Problem):
    pass


class StillRunning(Problem):
    pass


class Overloaded(Problem):
    pass


class JobFailed(ClientError):
    def __init__(self, job_id: str, status: str, detail: str) -> None:
        super().__init__(f"Job {job_id} {status}: {detail}")
        self.job_id = job_id
        self.status = status


class StreamClosed(ClientError):
    pass


_STATUSES: dict[int, type[Problem]] = {401: NotSignedIn, 425: NotYet, 429: Overloaded, 503: Overloaded}
_KINDS: dict[str, type[Problem]] = {"idempotency-twin-running": StillRunning}


def problem_of(response: httpx.Response) -> Problem:
    """From a refused call, whose body may be anything where a proxy has answered in the API's place."""
    try:
        body = response.json()
    except ValueError:
        body = {}
    wait = response.headers.get("Retry-After", "")
    return problem_from(
        response.status_code, body if isinstance(body, dict) else {}, float(wait) if wait.isdigit() else 1.0
    )


def problem_from(status: int, body: Mapping[str, Any], retry_after_seconds: float = 1.0) -> Problem:
    """From a problem document, as calls and the stream answer it."""
    violations = [
        Violation(str(error.get("pointer", "")), str(error.get("detail", ""))) for error in _objects(body.get("errors"))
    ]
    suggestion = body.get("suggestion")
    kind = str(body.get("type", "about:blank")).rpartition("/")[2]
    return (_KINDS.get(kind) or _STATUSES.get(status, Problem))(
        status,
        kind,
        str(body.get("detail") or body.get("title") or f"The server answered {status}."),
        request_id=str(body.get("request_id", "")),
        retry_after_seconds=retry_after_seconds,
        violations=violations,
        rule=str(body["rule"]) if body.get("rule") else None,
        denials=_objects(body.get("denials")),
        suggestion=suggestion if isinstance(suggestion, dict) else None,
    )


def _objects(told: object) -> list[dict[str, Any]]:
    return [each for each in told if isinstance(each, dict)] if isinstance(told, list) else []
