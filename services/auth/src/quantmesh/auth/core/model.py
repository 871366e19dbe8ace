"""Users, sessions and keys as values, and what each role may do (AUTH-5)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

ACCESS_TOKEN_LIFETIME = timedelta(minutes=5)
API_KEY_TOKEN_LIFETIME = timedelta(seconds=60)
SERVICE_TOKEN_LIFETIME = timedelta(minutes=5)
SESSION_LIFETIME = timedelta(days=30)
# Two tabs that refresh at once both go on; later than this the older token can only be a stolen one.
REUSE_GRACE = timedelta(seconds=10)
KEY_SESSION = "key:"
DEFAULT_ROLE = "investor"
DEFAULT_TIER = "free"

_READS = frozenset({"market:read", "portfolio:read", "predictions:read", "blockchain:read"})
_INVESTOR = _READS | {"account:manage", "portfolio:write", "orders:write", "pricing:use", "risk:use"}

SCOPES_BY_ROLE: dict[str, frozenset[str]] = {
    "investor": _INVESTOR,
    "trader": _INVESTOR,
    "analyst": _INVESTOR | {"predictions:train"},
    "compliance": _READS | {"account:manage", "compliance:manage"},
    "operator": _INVESTOR | {"predictions:train", "market:write", "compliance:manage", "halts:manage", "events:manage"},
}


def scopes_of(roles: frozenset[str]) -> frozenset[str]:
    """The union of what the roles allow; a role nobody knows allows nothing."""
    return frozenset().union(*(SCOPES_BY_ROLE.get(role, frozenset()) for role in roles))


@dataclass(frozen=True, slots=True)
class User:
    id: UUID
    email: str
    full_name: str
    roles: frozenset[str]
    tier: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user with the hash that the password is checked against: Argon2id, or bcrypt from an earlier system."""

    user: User
    password_hash: str


@dataclass(frozen=True, slots=True)
class Session:
    id: UUID
    owner_id: UUID
    user_agent: str
    ip_address: str
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """One link of a session's chain; `used_at` is set once its successor was given out."""

    session: Session
    session_revoked: bool
    used_at: datetime | None
    successor_used: bool


@dataclass(frozen=True, slots=True)
class ApiKey:
    id: UUID
    owner_id: UUID
    name: str
    prefix: str
    scopes: frozenset[str]
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime | None


class KycStatus(StrEnum):
    UNVERIFIED = "unverified"
    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    SUSPENDED = "suspended"


@dataclass(frozen=True, slots=True)
class KycDecision:
    """One of a user's decisions, which `version` counts; `decided_by` is the user where it asked to be looked at."""

    user_id: UUID
    version: int
    status: KycStatus
    reason: str
    decided_by: UUID
    decided_at: datetime


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token says of its bearer, and for how long: never past the end of what it was given for."""

    subject: str
    scopes: frozenset[str]
    roles: frozenset[str]
    tier: str
    session_id: str
    lifetime: timedelta


def user_grant(user: User, session: Session, now: datetime) -> Grant:
    lifetime = min(ACCESS_TOKEN_LIFETIME, session.expires_at - now)
    return Grant(str(user.id), scopes_of(user.roles), user.roles, user.tier, str(session.id), lifetime)


def session_of_key(key_id: UUID) -> str:
    """What the tokens of a key name as their session, and what is marked as ended once the key is revoked."""
    return f"{KEY_SESSION}{key_id}"


def api_key_grant(key: ApiKey, user: User, now: datetime) -> Grant:
    """A key never allows more than its owner may now, whatever it was made with."""
    allowed = key.scopes & scopes_of(user.roles)
    lifetime = API_KEY_TOKEN_LIFETIME if key.expires_at is None else min(API_KEY_TOKEN_LIFETIME, key.expires_at - now)
    return Grant(str(user.id), allowed, user.roles, user.tier, session_of_key(key.id), lifetime)


def service_grant(name: str) -> Grant:
    return Grant(f"svc:{name}", frozenset(), frozenset(), "", "", SERVICE_TOKEN_LIFETIME)
