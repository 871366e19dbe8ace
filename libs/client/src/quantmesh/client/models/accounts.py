"""Users, tokens, sessions and API keys."""

from collections.abc import Mapping
from datetime import datetime

from quantmesh.client.models.base import Answer


class User(Answer):
    id: str
    email: str
    full_name: str
    roles: tuple[str, ...]
    tier: str
    created_at: datetime


class Tokens(Answer):
    access_token: str
    refresh_token: str
    token_type: str = "Bearer"  # noqa: S105  a scheme, no secret
    expires_in: int
    """Seconds."""


class AccountSession(Answer):
    """A login, and the device that it was made on; `current` is the one that asks."""

    id: str
    user_agent: str
    ip_address: str
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime | None
    current: bool


class ApiKey(Answer):
    id: str
    name: str
    prefix: str
    scopes: tuple[str, ...]
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime | None
    key: str | None = None
    """Shown once, when the key is made."""


class KeySet(Answer):
    """JSON Web Keys (RFC 7517)."""

    keys: tuple[Mapping[str, str], ...]
