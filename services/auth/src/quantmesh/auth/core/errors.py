"""What auth refuses.

QuantmeshError
├── InvalidInput
│   ├── InvalidEmail, InvalidName, InvalidScope, NoScopes, InvalidExpiry, InvalidReason, InvalidCursor
│   └── WeakPassword            says why, and what would pass
├── Unauthenticated
│   ├── WrongCredentials        the same for an unknown e-mail and a wrong password
│   ├── InvalidRefreshToken     unknown, expired, or of an ended session
│   ├── RefreshTokenReused      the session has been ended for it
│   ├── InvalidApiKey
│   ├── CredentialEnded         what the caller's token was given for was ended or revoked
│   └── UnknownService
├── PermissionDenied
│   └── OwnKyc                  nobody decides on themself
├── Conflict
│   ├── NotSubmittable          the decision is not the user's to reopen
│   └── KycDecidedMeanwhile     two decided at the same moment
├── PreconditionFailed
│   └── KycVersionMismatch      somebody decided since the caller looked
├── AlreadyExists
│   └── EmailTaken
├── NotFound
│   ├── SessionNotFound, ApiKeyNotFound, UserNotFound, NoSuchUser
└── TooManyRequests
    └── TooManyLogins
"""

from quantmesh.chassis.errors import (
    AlreadyExists,
    Conflict,
    InvalidInput,
    NotFound,
    PermissionDenied,
    PreconditionFailed,
    TooManyRequests,
    Unauthenticated,
    Violation,
)


class InvalidEmail(InvalidInput):
    problem = "invalid-email"

    def __init__(self, reason: str) -> None:
        super().__init__(f"The e-mail address is not valid: {reason}", violations=[Violation("email", reason)])


class InvalidName(InvalidInput):
    problem = "invalid-name"

    def __init__(self, field: str, length: int, limit: int) -> None:
        detail = f"must be 1 to {limit} printable characters; it has {length}"
        super().__init__(f"The {field.replace('_', ' ')} {detail}.", violations=[Violation(field, detail)])


class InvalidScope(InvalidInput):
    problem = "invalid-scope"

    def __init__(self, scope: str, allowed: frozenset[str]) -> None:
        detail = f"{scope!r} is not among your own scopes: {', '.join(sorted(allowed))}"
        super().__init__(
            f"An API key cannot have a scope that you lack: {detail}.", violations=[Violation("scopes", detail)]
        )


class NoScopes(InvalidInput):
    problem = "invalid-scope"

    def __init__(self) -> None:
        detail = "name at least one, or leave them out for all of yours except account:manage"
        super().__init__(f"The API key could do nothing: {detail}.", violations=[Violation("scopes", detail)])


class InvalidCursor(InvalidInput):
    problem = "invalid-cursor"

    def __init__(self) -> None:
        wanted = "take it from the page before"
        super().__init__(
            f"The cursor is none that an earlier page gave; {wanted}.", violations=[Violation("page.cursor", wanted)]
        )


class InvalidExpiry(InvalidInput):
    problem = "invalid-expiry"

    def __init__(self) -> None:
        super().__init__("The key would expire in the past.", violations=[Violation("expires_at", "must lie ahead")])


class InvalidReason(InvalidInput):
    problem = "invalid-reason"

    def __init__(self, length: int, limit: int) -> None:
        detail = f"must be 1 to {limit} printable characters; it has {length}"
        super().__init__(f"The reason of a decision {detail}.", violations=[Violation("reason", detail)])


class OwnKyc(PermissionDenied):
    def __init__(self) -> None:
        super().__init__("Nobody decides on their own verification; let another operator do it.")


class NotSubmittable(Conflict):
    problem = "kyc-decided"

    def __init__(self, status: str) -> None:
        super().__init__(f"Your verification is {status}; only compliance can take it up again.")


class KycDecidedMeanwhile(Conflict):
    problem = "concurrent-update"

    def __init__(self) -> None:
        super().__init__("Somebody decided on this user at the same moment; read the present status, then decide.")


class KycVersionMismatch(PreconditionFailed):
    problem = "version-mismatch"

    def __init__(self, expected: int, actual: int) -> None:
        super().__init__(f"The verification is at version {actual}, not {expected}; read it again.")


class WeakPassword(InvalidInput):
    problem = "weak-password"

    def __init__(self, reason: str) -> None:
        super().__init__(f"The password is refused: {reason}", violations=[Violation("password", reason)])


class WrongCredentials(Unauthenticated):
    problem = "wrong-credentials"

    def __init__(self) -> None:
        super().__init__("The e-mail address or the password is wrong.")


class InvalidRefreshToken(Unauthenticated):
    problem = "invalid-refresh-token"

    def __init__(self) -> None:
        super().__init__("The refresh token is not valid any more; log in again.")


class RefreshTokenReused(Unauthenticated):
    problem = "refresh-token-reused"

    def __init__(self) -> None:
        super().__init__(
            "This refresh token was used before. Its session is ended, in case it was stolen; log in again."
        )


class InvalidApiKey(Unauthenticated):
    problem = "invalid-api-key"

    def __init__(self) -> None:
        super().__init__("The API key is unknown, expired or revoked.")


class CredentialEnded(Unauthenticated):
    def __init__(self) -> None:
        super().__init__("What this access token was given for has ended meanwhile; log in again.")


class UnknownService(Unauthenticated):
    problem = "unknown-service"

    def __init__(self, name: str) -> None:
        super().__init__(f"No service {name!r} is known by that secret.")


class EmailTaken(AlreadyExists):
    problem = "email-taken"

    def __init__(self, email: str) -> None:
        super().__init__(
            f"An account with {email} exists already; log in instead.", violations=[Violation("email", "taken")]
        )


class SessionNotFound(NotFound):
    problem = "session-not-found"

    def __init__(self, session_id: str) -> None:
        super().__init__(f"You have no session {session_id}.")


class ApiKeyNotFound(NotFound):
    problem = "api-key-not-found"

    def __init__(self, key_id: str) -> None:
        super().__init__(f"You have no API key {key_id}.")


class UserNotFound(NotFound):
    problem = "user-not-found"

    def __init__(self) -> None:
        super().__init__("The account of this token does not exist any more.")


class NoSuchUser(NotFound):
    problem = "user-not-found"

    def __init__(self, user_id: str) -> None:
        super().__init__(f"There is no user {user_id}.")


class TooManyLogins(TooManyRequests):
    problem = "too-many-logins"

    def __init__(self, retry_after_seconds: float) -> None:
        super().__init__(
            f"Too many attempts failed; try again in {retry_after_seconds:.0f} s.",
            retry_after_seconds=retry_after_seconds,
        )
