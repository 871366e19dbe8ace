"""What can go wrong, in kinds that every service shares. Pure: no I/O, no framework.

QuantmeshError
├── InvalidInput         a field is missing, malformed or out of range      INVALID_ARGUMENT     422
├── RuleBroken           valid input that the state of things forbids       FAILED_PRECONDITION  422
├── Unauthenticated      nobody we know                                     UNAUTHENTICATED      401
├── PermissionDenied     known, but not allowed                             PERMISSION_DENIED    403
├── NotFound             no such thing for this caller                      NOT_FOUND            404
├── Conflict             somebody else is at it, or was first               ABORTED              409
├── AlreadyExists        a unique name is taken                             ALREADY_EXISTS       409
├── PreconditionFailed   the caller saw an older version                    ABORTED              412
├── TooEarly             will exist, does not yet                           FAILED_PRECONDITION  425
├── TooManyRequests      over a limit                                       RESOURCE_EXHAUSTED   429
└── Unavailable          a part is down; the same call later may succeed    UNAVAILABLE          503

Each service extends these in its own `core/errors.py` with leaves that carry the offending values.
`problem` is the stable slug under which clients find the error documented (`/problems/<slug>`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Violation:
    """What was wrong with one field; `field` is its dotted path in the request ("transaction.quantity")."""

    field: str
    description: str


class QuantmeshError(Exception):
    """A sentence with the offending values, and what a program needs to act on it."""

    problem: ClassVar[str] = "internal"

    def __init__(
        self,
        detail: str,
        *,
        violations: Sequence[Violation] = (),
        retry_after_seconds: float | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.violations = tuple(violations)
        self.retry_after_seconds = retry_after_seconds
        self.metadata = dict(metadata or {})


class InvalidInput(QuantmeshError):
    problem = "invalid-input"


class RuleBroken(QuantmeshError):
    problem = "rule-broken"


class Unauthenticated(QuantmeshError):
    problem = "unauthenticated"


class PermissionDenied(QuantmeshError):
    problem = "permission-denied"


class NotFound(QuantmeshError):
    problem = "not-found"


class Conflict(QuantmeshError):
    problem = "conflict"


class AlreadyExists(QuantmeshError):
    problem = "already-exists"


class PreconditionFailed(QuantmeshError):
    problem = "precondition-failed"


class TooEarly(QuantmeshError):
    problem = "too-early"


class TooManyRequests(QuantmeshError):
    problem = "too-many-requests"


class Unavailable(QuantmeshError):
    problem = "unavailable"


KINDS: tuple[type[QuantmeshError], ...] = (
    InvalidInput,
    RuleBroken,
    Unauthenticated,
    PermissionDenied,
    NotFound,
    Conflict,
    AlreadyExists,
    PreconditionFailed,
    TooEarly,
    TooManyRequests,
    Unavailable,
)


HTTP_STATUS: dict[type[QuantmeshError], int] = {
    InvalidInput: 422,
    RuleBroken: 422,
    Unauthenticated: 401,
    PermissionDenied: 403,
    NotFound: 404,
    Conflict: 409,
    AlreadyExists: 409,
    PreconditionFailed: 412,
    TooEarly: 425,
    TooManyRequests: 429,
    Unavailable: 503,
    QuantmeshError: 500,
}


def kind_of(error: QuantmeshError) -> type[QuantmeshError]:
    """The kind that a service's own error extends; QuantmeshError itself where it extends none."""
    return next((kind for kind in KINDS if isinstance(error, kind)), QuantmeshError)
