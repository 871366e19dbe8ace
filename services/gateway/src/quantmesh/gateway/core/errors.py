"""What the edge itself refuses; everything else arrives as a kind of `quantmesh.chassis.errors`.

QuantmeshError
├── MalformedRequest        not HTTP or JSON as it should be               400
├── IdempotencyKeyMissing   a recording call without Idempotency-Key       400
├── MethodNotAllowed        the path exists, the method does not           405
├── RequestTimedOut         the body did not arrive in time                408
├── PayloadTooLarge         the body is over the route's limit             413
├── UnsupportedMediaType    a body of another type                         415
├── UnsupportedCoding       a body that is compressed                      415
├── IfMatchMissing          a change that could undo another's unseen      428
├── PreconditionFailed
│   └── VersionMismatch     at none of the versions in If-Match            412
├── InvalidInput
│   ├── InvalidRequest      valid JSON that breaks a rule of the schema    422
│   ├── IdempotencyKeyInvalid more than one, or what is no key             422
│   ├── OptionExpired       an expiry at or before the market's clock      422
│   └── TooManyChannels     more channels than one stream carries          422
├── Unauthenticated
│   └── TokenMissing        no credential at all                           401
├── TooEarly
│   └── LeafUnderWay        recorded, and not yet arrived where it is anchored 425
├── TooManyRequests
│   ├── RateLimited         over the limit of an address, a user or a tier 429
│   ├── TooManyStreams      more streams than one holder may have open     429
│   └── TooManyFollowed     more portfolios and jobs than one may follow   429
└── Unavailable
    ├── BulkheadFull        too many such calls are under way              503
    └── SlowReader          a stream's client does not keep up             503
"""

from collections.abc import Sequence

from quantmesh.chassis.errors import (
    InvalidInput,
    NotFound,
    PreconditionFailed,
    QuantmeshError,
    TooEarly,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
    Violation,
)


class MalformedRequest(QuantmeshError):
    problem = "malformed-request"


class IdempotencyKeyMissing(QuantmeshError):
    problem = "idempotency-key-missing"

    def __init__(self) -> None:
        super().__init__("This call records something: send a header Idempotency-Key of 1 to 255 characters.")


class MethodNotAllowed(QuantmeshError):
    problem = "method-not-allowed"

    def __init__(self, method: str, allowed: Sequence[str]) -> None:
        super().__init__(f"{method} is not allowed here; allowed: {', '.join(allowed)}.")
        self.allowed = tuple(allowed)


class RequestTimedOut(QuantmeshError):
    problem = "request-timed-out"

    def __init__(self, seconds: float) -> None:
        super().__init__(f"The body did not arrive within {seconds:g} s.")


class PayloadTooLarge(QuantmeshError):
    problem = "payload-too-large"

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(f"The body is over this path's limit of {limit_bytes} bytes.")
        self.limit_bytes = limit_bytes


class UnsupportedMediaType(QuantmeshError):
    problem = "unsupported-media-type"

    def __init__(self, given: str, accepted: Sequence[str]) -> None:
        said = f"The body is of type {given!r}" if given else "The body has no Content-Type"
        super().__init__(f"{said}; this path takes {' or '.join(accepted)}.")


class UnsupportedCoding(QuantmeshError):
    problem = "unsupported-content-coding"

    def __init__(self, given: str) -> None:
        super().__init__(f"The body's Content-Encoding is {given!r}; send it uncompressed, without that header.")


class IfMatchMissing(QuantmeshError):
    problem = "if-match-missing"

    def __init__(self) -> None:
        super().__init__("This changes what may have changed since you saw it: send its ETag as If-Match.")


class VersionMismatch(PreconditionFailed):
    """As the services call it, where they compare."""

    problem = "version-mismatch"

    def __init__(self, version: int) -> None:
        super().__init__(f'It is at "{version}" by now, which If-Match does not name.')


class InvalidRequest(InvalidInput):
    problem = "invalid-input"

    def __init__(self, violations: Sequence[Violation]) -> None:
        first = ", ".join(f"{violation.field[:64]} {violation.description}" for violation in violations[:3])
        super().__init__(f"The request breaks {len(violations)} rule(s): {first}.", violations=violations)

    @classmethod
    def single(cls, pointer: str, detail: str) -> "InvalidRequest":
        return cls([Violation(pointer, detail)])


class IdempotencyKeyInvalid(InvalidInput):
    """As the services call it."""

    problem = "idempotency-key-invalid"

    def __init__(self) -> None:
        wanted = "must be one key of 1 to 255 visible ASCII characters, without spaces"
        super().__init__(f"Idempotency-Key {wanted}.", violations=[Violation("idempotency-key", wanted)])


class OptionExpired(InvalidInput):
    problem = "option-expired"

    def __init__(self, expiry: str, now: str) -> None:
        super().__init__(
            f"The option expired at {expiry}; the market's clock stands at {now}.",
            violations=[Violation("expiry", f"must be after {now}")],
        )


class TooManyChannels(InvalidInput):
    problem = "too-many-channels"

    def __init__(self, maximum: int) -> None:
        super().__init__(f"One connection carries at most {maximum} channels; open another one.")


class NoSuchPath(NotFound):
    problem = "not-found"

    def __init__(self, path: str) -> None:
        super().__init__(f"There is nothing at {path}; /docs lists every path.")


class TokenMissing(Unauthenticated):
    problem = "unauthenticated"

    def __init__(self) -> None:
        super().__init__("Send a header Authorization: Bearer <access token>, or X-Api-Key.")


class LeafUnderWay(TooEarly):
    problem = "not-yet-anchored"

    def __init__(self, transaction_id: str) -> None:
        super().__init__(
            f"The transaction {transaction_id} is recorded; its leaf is under way to be anchored.",
            retry_after_seconds=2.0,
        )


class RateLimited(TooManyRequests):
    problem = "too-many-requests"

    def __init__(self, policy: str, quota: int, window_seconds: int, retry_after_seconds: float) -> None:
        super().__init__(
            f"Over the limit {policy!r}: {quota} requests in {window_seconds} s.",
            retry_after_seconds=retry_after_seconds,
        )


class TooManyStreams(TooManyRequests):
    problem = "too-many-streams"

    def __init__(self, most: int) -> None:
        # One that broke without a word is noticed only once it has answered no ping.
        super().__init__(
            f"{most} streams are open already, the most that one account may have here, or one address before it has"
            " said whose it is.",
            retry_after_seconds=20.0,
        )


class TooManyFollowed(TooManyRequests):
    problem = "too-many-followed"

    def __init__(self, most: int) -> None:
        super().__init__(f"The streams of one account follow at most {most} portfolios and jobs here.")


class BulkheadFull(Unavailable):
    problem = "overloaded"

    def __init__(self, name: str, limit: int) -> None:
        super().__init__(f"{limit} calls to {name} are under way already.", retry_after_seconds=1.0)


class SlowReader(Unavailable):
    problem = "slow-reader"

    def __init__(self) -> None:
        super().__init__("The stream was read too slowly; connect again and resume from the last seq you have.")
